# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module, and its work in Ansible's own process: options in, result out, with the core's login replaced."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import typing as t
from pathlib import Path

import pytest
from ansible.module_utils.basic import AnsibleModule

from ansible_collections.vaultfleet.aws.plugins.module_utils import _login_task, _sink_task
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth import clock, lib_botocore
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.config import LoginConfig
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.errors import CredentialsError
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.login import Identity, LoggedIn
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.token import token_of_login, wrapped_of_login
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.vault import Login, Vault
from ansible_collections.vaultfleet.aws.plugins.modules import aws_vault_login
from ansible_collections.vaultfleet.aws.tests.unit.support.vaults import AUTH, LOOKUP, TOKEN
from ansible_collections.vaultfleet.aws.tests.unit.support.web import Reply, Seen, Web

IDENTITY = Identity("iam", "env", "123456789012", None, None, "us-east-1")
WRAPPED = {"wrap_info": {"token": "hvs.wrapping", "accessor": "w", "ttl": 60, "creation_path": "auth/aws/login"}}


class EndError(Exception):
    """The module has ended."""


@dataclasses.dataclass
class World:
    """A module's surroundings: the server, the logins that were made, what the next one answers.

    in_place: do it in Ansible's process, where that can be done.
    """

    in_place: bool
    web: Web
    logins: list[LoginConfig]
    answer: dict[str, t.Any]
    nonce: str | None = None
    lookup: Reply = dataclasses.field(default_factory=lambda: Reply(body=LOOKUP))
    warnings: list[str] = dataclasses.field(default_factory=list)

    def run(self, check: bool = False, **options: t.Any) -> dict[str, t.Any]:
        """Run the module: its result."""
        return self.run_with({"url": self.web.url, "role": "web", "ca_cert": None, **options}, check)

    def run_with(self, options: dict[str, t.Any], check: bool = False) -> dict[str, t.Any]:
        """Run the module with exactly these options."""
        if not self.in_place:
            return self._module(options, check)
        from ansible_collections.vaultfleet.aws.plugins.plugin_utils import _in_place

        found = _in_place.run(options, check)
        if found is None:
            return self._module(options, check)
        self.warnings[:] = found.pop("warnings", [])
        json.dumps(found)
        return found

    def _module(self, options: dict[str, t.Any], check: bool) -> dict[str, t.Any]:
        ended: dict[str, t.Any] = {}
        self.warnings.clear()
        world = self

        class Module(AnsibleModule):  # type: ignore[misc]
            def __init__(self, **kwargs: t.Any) -> None:
                super().__init__(**kwargs)
                self.check_mode = check

            def _load_params(self) -> None:
                self.params = dict(options)

            def warn(self, warning: str) -> None:
                world.warnings.append(warning)

            def exit_json(self, **kwargs: t.Any) -> t.NoReturn:
                ended.update(kwargs)
                raise EndError

            def fail_json(self, msg: str, **kwargs: t.Any) -> t.NoReturn:
                ended.update(kwargs, failed=True, msg=msg)
                raise EndError

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(aws_vault_login, "AnsibleModule", Module)
            with pytest.raises(EndError):
                aws_vault_login.main()
        json.dumps(ended, default=str)
        return ended


# ansible-test runs the tests of modules as on a managed host, where there is nothing of Ansible's controller.
WAYS = {"module": False, "in place": True} if importlib.util.find_spec("ansible.errors") else {"module": False}


@pytest.fixture(params=WAYS.values(), ids=[*WAYS])
def world(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[World]:
    """A server that knows the token, and a login that always works."""

    def serve(seen: Seen) -> Reply:
        return made.lookup if seen.path.endswith("lookup-self") else Reply(204)

    def log_in(config: LoginConfig, _vault: Vault) -> LoggedIn:
        made.logins.append(config)
        if config.wrap_ttl:
            return LoggedIn(Login(WRAPPED, None, wrapped_of_login(WRAPPED)), IDENTITY)
        return LoggedIn(Login(made.answer, token_of_login(made.answer, clock.now()), None), IDENTITY, made.nonce)

    made = World(request.param, Web(serve), [], {"request_id": "r", "auth": dict(AUTH)})
    monkeypatch.setattr(_login_task, "log_in", log_in)
    monkeypatch.setattr(_sink_task, "log_in", log_in)
    with made.web:
        yield made


def test_login(world: World) -> None:
    """Without a sink a login is a change, and gives the answer in Vault's shape."""
    result = world.run()
    assert result["changed"] is True
    assert result["login"] == world.answer
    assert result["identity"] == dataclasses.asdict(IDENTITY)
    assert result["expires_at"].endswith("Z")
    assert "nonce" not in result
    assert world.logins[0].role == "web"


def test_wrapped(world: World) -> None:
    """The wrapping token, and nothing that would need the token inside."""
    result = world.run(wrap_ttl="1m")
    assert result["login"] == WRAPPED
    assert "expires_at" not in result
    assert world.logins[0].wrap_ttl == 60


def test_nonce(world: World) -> None:
    """One that was made comes back, with a warning that does not repeat it."""
    world.nonce = "a-new-nonce-canary"
    assert world.run(type="ec2")["nonce"] == "a-new-nonce-canary"
    (warning,) = world.warnings
    assert "keep it" in warning
    assert "canary" not in warning


def test_servers_warnings(world: World) -> None:
    """Passed on, each on one line; what is no list of them is left alone."""
    world.answer["warnings"] = ["deprecated\nforged: line", 5]
    world.run()
    assert world.warnings == ["Vault says: deprecated forged: line", "Vault says: 5"]
    world.answer["warnings"] = "text"
    world.run()
    assert world.warnings == []


def test_check_mode(world: World, tmp_path: Path) -> None:
    """Tells the truth without logging in."""
    assert world.run(check=True) == {"changed": True}
    result = world.run(check=True, sink={"path": str(tmp_path / "token")})
    assert result["changed"] is True
    assert "login" not in result
    assert world.logins == []
    assert list(tmp_path.glob("token*")) == []


def test_sink(world: World, tmp_path: Path) -> None:
    """The first run logs in and keeps the token to itself; the next ones change nothing."""
    path = tmp_path / "token"
    first = world.run(sink={"path": str(path)})
    assert first["changed"] is True
    assert "client_token" not in first["login"]["auth"]
    assert TOKEN not in json.dumps(first)
    assert path.read_text(encoding="utf-8") == TOKEN
    assert first["diff"]["before"] == {}
    assert first["diff"]["after"]["accessor"] == "acc-1"
    for check in (False, True):
        again = world.run(check=check, sink={"path": str(path)})
        assert again["changed"] is False
        assert again["diff"]["before"] == again["diff"]["after"]
        assert ("login" in again) is not check
    assert len(world.logins) == 1


def test_sink_that_returns_the_token(world: World, tmp_path: Path) -> None:
    """Asked for by name, from a login and from the file."""
    sink = {"path": str(tmp_path / "token")}
    for changed in (True, False):
        result = world.run(sink=sink, return_token=True)
        assert (result["changed"], result["login"]["auth"]["client_token"]) == (changed, TOKEN)
        assert result["login"]["auth"]["lease_duration"] > 2990


def test_changed_mode(world: World, tmp_path: Path) -> None:
    """Put right without a login."""
    path = tmp_path / "token"
    world.run(sink={"path": str(path)})
    checked = world.run(check=True, sink={"path": str(path), "mode": "0640"})
    done = world.run(sink={"path": str(path), "mode": "0640"})
    for result in (checked, done):
        assert result["changed"] is True
        assert (result["diff"]["before"]["mode"], result["diff"]["after"]["mode"]) == ("0600", "0640")
    assert path.stat().st_mode & 0o777 == 0o640
    assert len(world.logins) == 1


def test_token_that_is_due(world: World, tmp_path: Path) -> None:
    """Revoked, of another role, or too short-lived: a login, and the reason."""
    sink = {"path": str(tmp_path / "token")}
    world.run(sink=sink)
    assert "another role" in world.run(sink=sink, role="other")["msg"]
    assert "less than min_ttl" in world.run(sink=sink, role="other", min_ttl="1h")["msg"]
    world.lookup = Reply(403, {"errors": ["permission denied", "invalid token"]})
    assert "revoked" in world.run(sink=sink, role="other")["msg"]
    assert len(world.logins) == 4


def test_token_that_cannot_be_asked_about(world: World, tmp_path: Path) -> None:
    """Trusted for its lease, said so once, and not logged in again."""
    sink = {"path": str(tmp_path / "token")}
    world.lookup = Reply(403, {"errors": ["1 error occurred:\n\t* permission denied\n\n"]})
    world.run(sink=sink)
    assert any("taken as good until its lease ends" in warning for warning in world.warnings)
    assert world.run(sink=sink)["changed"] is False
    assert world.warnings == []
    assert len(world.logins) == 1


def test_lease_below_min_ttl(world: World, tmp_path: Path) -> None:
    """Each run would log in: said."""
    world.answer["auth"]["lease_duration"] = 30
    world.run(sink={"path": str(tmp_path / "token")})
    assert any("less than min_ttl" in warning for warning in world.warnings)


def test_unending_lease(world: World) -> None:
    """Null is never."""
    world.answer["auth"]["lease_duration"] = 0
    assert world.run()["expires_at"] is None


def test_longest_lease(world: World) -> None:
    """The longest lease that is taken is a date too."""
    world.answer["auth"]["lease_duration"] = 10**10
    assert world.run()["expires_at"].startswith("23")


def test_absent(world: World, tmp_path: Path) -> None:
    """Revoked and removed; a second time nothing is left to do."""
    sink = {"path": str(tmp_path / "token")}
    world.run(sink=sink)
    assert world.run(check=True, state="absent", sink=sink)["changed"] is True
    assert (tmp_path / "token").exists()
    assert world.run(state="absent", sink=sink)["changed"] is True
    assert world.web.seen[-1].path.endswith("revoke-self")
    assert list(tmp_path.glob("token*")) == []
    for check in (True, False):
        assert world.run(check=check, state="absent", sink=sink)["changed"] is False


def test_absent_needs_no_role(world: World, tmp_path: Path) -> None:
    """Nor anything else of a login."""
    options = {"url": world.web.url, "state": "absent", "sink": {"path": str(tmp_path / "token")}}
    assert world.run_with(options)["changed"] is False


@pytest.mark.parametrize(
    ("options", "option"),
    [
        ({"role": None}, "role"),
        ({"url": "vault.test"}, "url"),
        ({"state": "absent"}, "sink"),
        ({"return_token": False}, "return_token"),
        ({"wrap_ttl": "1m", "sink": {"path": "/nowhere/token"}}, None),
        ({"region": "nowhere"}, "region"),
        ({"region": "eu-west-1", "sts_endpoint": "https://sts.eu-west-2.amazonaws.com"}, "region"),
        ({"timeout": "soon"}, "timeout"),
        ({"header_value": "a\nb"}, "header_value"),
        ({"type": "ec2", "nonce": "short"}, "nonce"),
        ({"access_key": "AKIAEXAMPLE"}, "secret_key"),
        ({"ca_cert": "/does/not/exist"}, "ca_cert"),
        ({"sink": {"path": "relative"}}, "sink.path"),
        ({"sink": {"path": "/nowhere/token"}}, None),
    ],
)
def test_bad_input(world: World, options: dict[str, t.Any], option: str | None) -> None:
    """One error with a cure, before any request."""
    result = world.run(**options)
    assert result["failed"] is True
    assert result["msg"].startswith(f"{option}: ") if option else result["msg"]
    assert " -- " in result["msg"]
    assert world.web.seen == []
    assert world.logins == []


def test_wrapped_sink(world: World, tmp_path: Path) -> None:
    """A wrapping token is for one use."""
    assert world.run(wrap_ttl=60, sink={"path": str(tmp_path / "t")})["msg"].startswith("wrap_ttl: cannot go with sink")


def test_bad_min_ttl(world: World, tmp_path: Path) -> None:
    """Judged where it counts."""
    assert world.run(min_ttl="soon", sink={"path": str(tmp_path / "t")})["msg"].startswith("min_ttl: ")


def test_failure(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The core's error is the module's, with its hint and no traceback."""

    def fail(_config: LoginConfig, _vault: Vault) -> LoggedIn:
        raise CredentialsError("no AWS credentials found", hint="give some")

    monkeypatch.setattr(_login_task, "log_in", fail)
    assert world.run() == {"failed": True, "msg": "no AWS credentials found -- give some"}


def test_a_bug_on_a_host(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its message may hold what was sent, so it is not told."""
    world.in_place = False

    def fail(_task: object) -> dict[str, t.Any]:
        raise RuntimeError("sent: hvs.secret")

    monkeypatch.setattr(_login_task, "run", fail)
    result = world.run()
    assert result["failed"] is True
    assert "RuntimeError" in result["msg"]
    assert "hvs.secret" not in json.dumps(result)


def test_skipped_checks_warn(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """TLS checks that the environment switches off."""
    monkeypatch.setenv("VAULT_SKIP_VERIFY", "true")
    world.run()
    assert any("TLS checks" in warning for warning in world.warnings)


@pytest.mark.parametrize(("library", "module"), [("boto3", "lib_botocore"), ("hvac", "lib_hvac")])
def test_missing_library(world: World, monkeypatch: pytest.MonkeyPatch, library: str, module: str) -> None:
    """Ansible's own message, with the interpreter."""
    monkeypatch.setattr(getattr(_login_task, module), "MISSING", ImportError(f"No module named '{library}'"))
    result = world.run()
    assert result["failed"] is True
    assert f"({library})" in result["msg"]


def wrapping_server(path: str, asked: list[str]) -> t.Callable[[Seen], Reply]:
    """A server with a wrapped login that was made at ``path``; ``asked`` gets what it was asked for."""

    def serve(seen: Seen) -> Reply:
        asked.append(seen.path.rpartition("/")[2])
        if seen.path.endswith("wrapping/lookup"):
            return Reply(body={"data": {"creation_path": path}})
        return Reply(body={"auth": AUTH} if seen.path.endswith("unwrap") else LOOKUP)

    return serve


WRAPPING = "hvs.wrapping-token-canary"


def test_unwrapping(world: World) -> None:
    """The token as after a login, of whatever role; no login is made, and AWS's library need not be there."""
    asked: list[str] = []
    with Web(wrapping_server("auth/aws/login", asked)) as web, pytest.MonkeyPatch.context() as patch:
        patch.setattr(lib_botocore, "MISSING", "no botocore")
        result = world.run_with({"url": web.url, "ca_cert": None, "wrapping_token": WRAPPING})
    assert asked == ["lookup", "unwrap", "lookup-self"]
    assert result["changed"] is True
    assert result["login"]["auth"]["client_token"] == TOKEN
    assert 2990 < result["login"]["auth"]["lease_duration"] <= 3000
    assert result["expires_at"].endswith("Z")
    assert "identity" not in result
    assert not world.logins
    assert not world.warnings


def test_unwrapping_in_check_mode_uses_nothing_up(world: World) -> None:
    asked: list[str] = []
    with Web(wrapping_server("auth/aws/login", asked)) as web:
        assert world.run(check=True, url=web.url, wrapping_token=WRAPPING) == {"changed": True}
        wrong = world.run(check=True, url=web.url, wrapping_token=WRAPPING, mount_path="aws-eu")
    assert asked == ["lookup", "lookup"]
    assert "was made at auth/aws/login, not at auth/aws-eu/login" in wrong["msg"]


@pytest.mark.parametrize(
    ("option", "given"),
    [
        ("sink", {"sink": {"path": "/run/token", "mode": "0600", "owner": None, "group": None}}),
        ("wrap_ttl", {"wrap_ttl": "1m"}),
        ("state", {"state": "absent"}),
        ("return_token", {"return_token": False}),
        ("wrapping_token", {"wrapping_token": "short"}),
        ("wrapping_token", {"wrapping_token": "{canary of a token that is none}"}),
    ],
)
def test_what_cannot_go_with_unwrapping(world: World, option: str, given: dict[str, t.Any]) -> None:
    """Told before any request."""
    result = world.run(**{"wrapping_token": WRAPPING, **given})
    assert result["failed"]
    assert result["msg"].startswith(f"{option}: ")
    assert "canary" not in result["msg"]
    assert not world.web.seen
