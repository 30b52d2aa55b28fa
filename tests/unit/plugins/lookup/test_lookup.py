# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lookup's options: where they come from, what is refused, and what comes back."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import pytest
from ansible.errors import AnsibleError, AnsibleLookupError

from ansible_collections.vaultfleet.aws.plugins.module_utils._auth import clock
from ansible_collections.vaultfleet.aws.plugins.plugin_utils import _store
from ansible_collections.vaultfleet.aws.tests.unit.plugins.lookup.lookups import run
from ansible_collections.vaultfleet.aws.tests.unit.plugins.plugin_utils.fakes import STATIC, FakeVault
from ansible_collections.vaultfleet.aws.tests.unit.support import certificates
from ansible_collections.vaultfleet.aws.tests.unit.support.vaults import AUTH, LOOKUP, TOKEN
from ansible_collections.vaultfleet.aws.tests.unit.support.web import Reply, Seen, Web, closed_port

HIT = """
import multiprocessing, sys
from ansible_collections.vaultfleet.aws.tests.unit.plugins.lookup.lookups import run
from ansible_collections.vaultfleet.aws.tests.unit.plugins.plugin_utils.fakes import STATIC

def get():
    return run("web", url=sys.argv[1], **STATIC)

worker = multiprocessing.get_context("fork").Process(target=get)
worker.start()
worker.join()
assert worker.exitcode == 0
before = set(sys.modules)
[token] = get()
print(token, *(name for name in ("botocore", "hvac", "requests", "urllib3") if name in sys.modules))
"""


def test_a_hit_imports_nothing_of_the_way_to_vault(vault: FakeVault) -> None:
    command = [sys.executable, "-c", HIT, vault.url]
    done = subprocess.run(
        command,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["hvs.unittest00000000000000000001"]
    assert vault.times("login") == 1


def test_token_and_login(vault: FakeVault) -> None:
    [token] = run(role="web", url=vault.url, **STATIC)
    whole: dict[str, t.Any] = {"return": "login"}
    [login] = run(role="web", url=vault.url, **whole, **STATIC)
    assert login["auth"]["client_token"] == token
    assert login["auth"]["policies"] == ["default"]


def test_roles_as_terms(vault: FakeVault) -> None:
    one, two, again = run("web", "db", "web", url=vault.url, **STATIC)
    assert one == again != two
    assert vault.times("login") == 2


def test_a_term_beats_the_option(vault: FakeVault) -> None:
    run("web", role="db", url=vault.url, **STATIC)
    assert b'"web"' in next(seen.body for seen in vault._web().seen if seen.path.endswith("/login"))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"rol": "web"}, "rol: is not an option -- did you mean role?"),
        ({"zzz": 1}, "zzz: is not an option -- remove it"),
        ({"_terms": ["web"]}, "_terms: is not an option"),
        ({}, "role: is missing"),
        ({"role": "web", "wrap_ttl": "1m"}, "wrap_ttl: a wrapping token is for one use"),
        ({"role": "web", "wrap_ttl": "1m", "cache": "none"}, "wrap_ttl: there is no token in a wrapped answer"),
        ({"role": "web", "type": "ec2"}, "nonce: is missing"),
        ({"role": "web", "type": "ec2", "nonce": ""}, "nonce: is empty"),
        ({"role": "web", "access_key": "AKIA"}, "secret_key: is missing"),
        ({"role": "web", "min_ttl": "soon"}, "min_ttl"),
        ({"role": "web", "check_interval": "-1"}, "check_interval"),
        ({"role": "web", "cache_timeout": "0"}, "cache_timeout"),
        ({"role": "web", "region": "nowhere-1"}, "nowhere-1"),
    ],
    ids=str,
)
def test_refused_before_any_request(given: dict[str, t.Any], said: str, vault: FakeVault) -> None:
    with pytest.raises(AnsibleLookupError) as caught:
        run(**{"url": vault.url, **given})
    assert str(caught.value).startswith("vault_aws_token: ")
    assert said in str(caught.value)
    assert not vault._web().seen


@pytest.mark.parametrize(
    "given", [{"cache": "forever"}, {"return": "all"}, {"type": "gcp"}, {"retries": "many"}], ids=str
)
def test_refused_by_ansible(given: dict[str, t.Any], vault: FakeVault) -> None:
    with pytest.raises(AnsibleError, match=next(iter(given))):
        run(**{"url": vault.url, "role": "web", **given})


@pytest.mark.parametrize("term", [1, None, ["web"], {"role": "web"}])
def test_a_term_that_is_no_text(term: object, vault: FakeVault) -> None:
    with pytest.raises(AnsibleLookupError, match="a term is not text"):
        run(term, url=vault.url)


def test_aliases(vault: FakeVault) -> None:
    keys: dict[str, t.Any] = {"aws_access_key_id": "AKIAUNITTEST", "aws_secret_access_key": "unit-test-secret-key"}
    assert run(role_id="web", mount_point="auth/aws", url=vault.url, **keys)
    assert vault.times("login") == 1


SOURCES = ("keyword", "vaultfleet_aws_url", "ansible_hashi_vault_url")
VARIABLES = ("VAULTFLEET_AWS_URL", "BAO_ADDR", "VAULT_ADDR", "ANSIBLE_HASHI_VAULT_ADDR")


@pytest.mark.parametrize("best", range(len(SOURCES) + len(VARIABLES)))
def test_which_source_wins(best: int, vault: FakeVault, monkeypatch: pytest.MonkeyPatch) -> None:
    """All sources from the best one on are set; only the best one leads to the server."""
    wrong = f"http://127.0.0.1:{closed_port()}"
    values = dict.fromkeys((*SOURCES, *VARIABLES)[best + 1 :], wrong)
    values[(*SOURCES, *VARIABLES)[best]] = vault.url
    for name in VARIABLES:
        if name in values:
            monkeypatch.setenv(name, values[name])
    direct: dict[str, t.Any] = {"url": values["keyword"]} if "keyword" in values else {}
    variables = {name: values[name] for name in SOURCES[1:] if name in values}
    assert run("web", variables=variables, retries=0, **direct, **STATIC)


def test_an_empty_variable_of_the_environment_is_none(vault: FakeVault, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VAULTFLEET_AWS_URL", "BAO_ADDR", "VAULTFLEET_AWS_PROFILE", "VAULT_CACERT", "VAULTFLEET_AWS_REGION"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("VAULT_ADDR", vault.url)
    monkeypatch.setenv("VAULTFLEET_AWS_MOUNT_PATH", "")
    run("web", **STATIC)
    assert [seen.path for seen in vault._web().seen if seen.path.endswith("/login")] == ["/v1/auth/aws/login"]


@pytest.mark.parametrize(
    ("name", "value", "checked"),
    [
        ("VAULT_SKIP_VERIFY", "1", False),
        ("BAO_SKIP_VERIFY", "true", False),
        ("VAULT_SKIP_VERIFY", "0", True),
        ("VAULT_SKIP_VERIFY", "perhaps", True),
        ("VAULTFLEET_AWS_VALIDATE_CERTS", "false", False),
        ("VAULTFLEET_AWS_VALIDATE_CERTS", "perhaps", True),
        ("ANSIBLE_HASHI_VAULT_VALIDATE_CERTS", "no", False),
    ],
)
def test_certificates_by_environment(
    name: str, value: str, checked: bool, vault: FakeVault, monkeypatch: pytest.MonkeyPatch, warnings: list[str]
) -> None:
    monkeypatch.setenv(name, value)
    run("web", url=vault.url, **STATIC)
    assert [said for said in warnings if "switches TLS checks off" in said] == ([] if checked else warnings)
    assert len(warnings) == (0 if checked else 1)


@pytest.mark.parametrize("source", ["keyword", "variable"])
def test_certificates_by_option_beat_the_environment(
    source: str, vault: FakeVault, monkeypatch: pytest.MonkeyPatch, warnings: list[str]
) -> None:
    monkeypatch.setenv("VAULT_SKIP_VERIFY", "1")
    if source == "keyword":
        run("web", url=vault.url, validate_certs=True, **STATIC)
    else:
        run("web", variables={"vaultfleet_aws_validate_certs": True}, url=vault.url, **STATIC)
    assert not warnings


def test_cache_none(vault: FakeVault, memory: Path) -> None:
    assert run("web", url=vault.url, cache="none", **STATIC) != run("web", url=vault.url, cache="none", **STATIC)
    assert not list(memory.glob("*/*"))


def test_without_a_place_in_memory(vault: FakeVault, monkeypatch: pytest.MonkeyPatch, warnings: list[str]) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    monkeypatch.setattr(_store, "_SHARED_MEMORY", "/nowhere")
    assert run("web", url=vault.url, **STATIC) != run("web", url=vault.url, **STATIC)
    assert len(set(warnings)) == 1
    assert "each lookup logs in" in warnings[0]


def test_a_damaged_store(vault: FakeVault) -> None:
    run("web", url=vault.url, **STATIC)
    store = _store.open_store()
    for file in Path(store.path).glob("?" * 64):
        file.chmod(0o644)
    with pytest.raises(AnsibleLookupError, match=r"cache: .* is not a file of this user alone"):
        run("web", url=vault.url, **STATIC)


@pytest.fixture
def sink(tmp_path: Path) -> Path:
    """A token file."""
    file = tmp_path / "token"
    file.write_text("hvs.sink\n")
    return file


def described(sink: Path, ends: float, token: str = "hvs.sink") -> None:  # noqa: S107
    fingerprint = hashlib.sha256(token.encode()).hexdigest()
    Path(f"{sink}.meta").write_text(json.dumps({"expires_at": ends, "fingerprint": fingerprint}))


def test_sink(sink: Path, vault: FakeVault, monkeypatch: pytest.MonkeyPatch) -> None:
    now = clock.now
    for _time in range(3):
        assert run(sink=str(sink), url=vault.url) == ["hvs.sink"]
    assert (vault.times("login"), vault.times("lookup-self")) == (0, 1)
    monkeypatch.setattr(clock, "now", lambda: now() + 31)
    run(sink=str(sink), url=vault.url)
    assert vault.times("lookup-self") == 2
    assert run(sink=str(sink), url=vault.url, check_interval=0) == ["hvs.sink"]
    whole: dict[str, t.Any] = {"return": "login"}
    assert run(sink=str(sink), url=vault.url, **whole) == [{"auth": {"client_token": "hvs.sink"}}]
    assert vault.times("lookup-self") == 2


def test_a_new_token_in_the_sink_is_looked_up(sink: Path, vault: FakeVault) -> None:
    run(sink=str(sink), url=vault.url)
    sink.write_text("hvs.new")
    assert run(sink=str(sink), url=vault.url) == ["hvs.new"]
    assert vault.times("lookup-self") == 2


def test_sink_without_a_url(sink: Path) -> None:
    assert run(sink=str(sink)) == ["hvs.sink"]


def test_sink_and_one_role(sink: Path) -> None:
    assert run("web", sink=str(sink)) == ["hvs.sink"]


def test_sink_and_roles(sink: Path) -> None:
    with pytest.raises(AnsibleLookupError, match="sink: holds one token"):
        run("web", "db", sink=str(sink))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "there is no token in"),
        ("", "there is no token in"),
        (" \n", "there is no token in"),
        ('{"token":"hvs.wrapped","ttl":60}', "holds no plain token"),
        ("hvs.one\nhvs.two", "holds no plain token"),
        ("hvs.\x00", "holds no plain token"),
        ("x" * 70000, "is over 65536 bytes"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_useless_sink(content: str | None, said: str, sink: Path) -> None:
    sink.unlink()
    if content is not None:
        sink.write_text(content)
    with pytest.raises(AnsibleLookupError, match=said):
        run(sink=str(sink))


def test_a_sink_that_is_a_link(sink: Path) -> None:
    link = sink.with_name("link")
    link.symlink_to(sink)
    with pytest.raises(AnsibleLookupError, match="symbolic link"):
        run(sink=str(link))


def test_a_sink_whose_token_has_ended(sink: Path) -> None:
    described(sink, time.time() - 1)
    with pytest.raises(AnsibleLookupError, match="has ended"):
        run(sink=str(sink))
    described(sink, time.time() + 60)
    assert run(sink=str(sink)) == ["hvs.sink"]


@pytest.mark.parametrize("meta", ["", "{", "[]", "null", '{"expires_at": "soon"}', '{"expires_at": 1}'])
def test_a_record_that_does_not_count(meta: str, sink: Path) -> None:
    Path(f"{sink}.meta").write_text(meta)
    assert run(sink=str(sink)) == ["hvs.sink"]


@pytest.mark.parametrize("path", ["/run/\0", "/run/token\n"])
def test_a_sink_that_is_no_path(path: str) -> None:
    with pytest.raises(AnsibleLookupError, match="sink: holds a control character"):
        run(sink=path)


def test_a_record_of_a_time_that_no_clock_reaches(sink: Path) -> None:
    described(sink, 10**400)
    assert run(sink=str(sink)) == ["hvs.sink"]


def test_a_record_of_an_earlier_token(sink: Path) -> None:
    described(sink, time.time() - 1, "hvs.earlier")
    assert run(sink=str(sink)) == ["hvs.sink"]


def test_a_sink_whose_token_is_revoked(sink: Path, vault: FakeVault) -> None:
    vault.gone.add("hvs.sink")
    with pytest.raises(AnsibleLookupError, match="the server refuses the token"):
        run(sink=str(sink), url=vault.url)


def test_a_sink_and_a_server_that_is_away(sink: Path) -> None:
    with pytest.raises(AnsibleLookupError, match="cannot be reached"):
        run(sink=str(sink), url=f"http://127.0.0.1:{closed_port()}", retries=0)


# --- a wrapping token


@contextlib.contextmanager
def wrapping_server() -> t.Iterator[Web]:
    """A server with one wrapped login, for one use."""
    used: list[str] = []

    def serve(seen: Seen) -> Reply:
        what = seen.path.rpartition("/")[2]
        if what == "lookup-self":
            return Reply(body=LOOKUP)
        if used:
            return Reply(400, {"errors": ["wrapping token is not valid or does not exist"]})
        if what == "lookup":
            return Reply(body={"data": {"creation_path": "auth/aws/login"}})
        used.append(what)
        return Reply(body={"auth": AUTH})

    with Web(serve) as web:
        yield web


def test_a_wrapping_token_is_unwrapped_once_for_a_run(memory: Path) -> None:
    """However often the variable with the lookup is used; a role that the settings name does not matter."""
    with wrapping_server() as web:
        options: dict[str, t.Any] = {"url": web.url, "ca_cert": certificates.CA, "wrapping_token": "hvs.wrapping"}
        assert run(**options) == run(**options) == run(role="web", **options) == [TOKEN]
        whole: dict[str, t.Any] = {**options, "return": "login"}
        assert run(**whole)[0]["auth"]["accessor"] == "acc-1"
        assert [seen.path.rpartition("/")[2] for seen in web.seen] == ["lookup", "unwrap", "lookup-self"]
        with pytest.raises(AnsibleLookupError, match="somebody may have intercepted it"):
            run(**options, cache="none")
    assert not list(memory.glob("*/*/given-*")), "a hit would pass by the record"


@pytest.mark.parametrize(
    ("terms", "given", "said"),
    [
        (["web"], {}, "wrapping_token: has a role already"),
        ([], {"sink": "/run/token"}, "sink: cannot go with wrapping_token"),
        ([], {"wrap_ttl": "1m"}, "wrap_ttl: cannot go with wrapping_token"),
        ([], {"wrapping_path": "a b"}, "wrapping_path: is not a path"),
        ([], {"wrapping_token": "{canary"}, "wrapping_token: starts as JSON, and is none"),
    ],
)
def test_what_cannot_go_with_a_wrapping_token(terms: list[str], given: dict[str, t.Any], said: str) -> None:
    with wrapping_server() as web:
        with pytest.raises(AnsibleLookupError) as caught:
            run(*terms, **{"url": web.url, "wrapping_token": "hvs.wrapping", **given})
        assert not web.seen
    assert said in str(caught.value)
    assert "canary" not in str(caught.value)


def test_what_was_unwrapped_is_handed_out_if_it_cannot_be_kept(memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It cannot be had again."""
    write = _store.Store.write

    def full(store: _store.Store, name: str, record: t.Any) -> None:
        if name.startswith("unwrapped-"):
            raise _store.StoreError("no room")
        write(store, name, record)

    monkeypatch.setattr(_store.Store, "write", full)
    with wrapping_server() as web:
        assert run(url=web.url, ca_cert=certificates.CA, wrapping_token="hvs.wrapping") == [TOKEN]


def test_a_damaged_record_of_what_was_unwrapped(memory: Path) -> None:
    """It counts as none; then the wrapping token is asked, which tells that it was used."""
    with wrapping_server() as web:
        options: dict[str, t.Any] = {"url": web.url, "ca_cert": certificates.CA, "wrapping_token": "hvs.wrapping"}
        assert run(**options) == [TOKEN]
        [record] = [file for file in memory.glob("*/*/unwrapped-*") if file.suffix != ".lock"]
        record.write_text('{"auth": 5}', encoding="ascii")
        with pytest.raises(AnsibleLookupError, match="somebody may have intercepted it"):
            run(**options)
