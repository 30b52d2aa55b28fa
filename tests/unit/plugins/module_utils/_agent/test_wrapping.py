# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Wrapped sinks on a clock that tests move, at a server that knows which wrapping tokens were used."""

from __future__ import annotations

import dataclasses
import itertools
import json
import typing as t
from pathlib import Path

import pytest

from ansible_collections.vaultfleet.aws.plugins.module_utils._agent import sinks, wrapping
from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.jobs import Held
from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.sink_options import AgentSink, Encryption
from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.sinks import Seen, TokenFile
from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.wrapping import WrappedFile
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth import clock
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.errors import LoginError, SinkError, VaultError
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.token import Token
from ansible_collections.vaultfleet.aws.tests.unit.support import sealed
from ansible_collections.vaultfleet.aws.tests.unit.support.vaults import plain_vault_at
from ansible_collections.vaultfleet.aws.tests.unit.support.web import Reply, Web
from ansible_collections.vaultfleet.aws.tests.unit.support.web import Seen as Request

TTL = 300
USED = Reply(400, {"errors": ["wrapping token is not valid or does not exist"]})
LEFT_ALONE = "the wrapped token was used; the sink is left as it is until there is another token"


class Server:
    """Wraps, looks up and unwraps. live: wrapping token -> the token inside. away: it answers nobody."""

    def __init__(self) -> None:
        self.live: dict[str, str] = {}
        self.asked: list[str] = []
        self.away = False
        self.denied = False
        self._numbers = itertools.count(1)

    def answer(self, request: Request) -> Reply:
        """As Vault's."""
        what = request.path.rpartition("/")[2]
        self.asked.append(what)
        if self.away:
            return Reply(503, {"errors": ["Vault is sealed"]})
        if what == "wrap":
            return self._wrap(request)
        given = request.json["token"] if what == "lookup" else request.headers["x-vault-token"]
        if given not in self.live:
            return USED
        if what == "lookup":
            return Reply(200, {"data": {"creation_path": "sys/wrapping/wrap", "creation_ttl": TTL}})
        return Reply(200, {"data": {"token": self.live.pop(given)}})

    def _wrap(self, request: Request) -> Reply:
        assert request.method == "PUT"
        assert request.headers["x-vault-token"] == request.json["token"]
        assert request.headers["x-vault-wrap-ttl"] == f"{TTL}s"
        if self.denied:
            return Reply(403, {"errors": ["permission denied"]})
        name = f"hvs.wrapping-{next(self._numbers)}"
        self.live[name] = request.json["token"]
        path = "sys/wrapping/wrap"
        info = {"token": name, "accessor": "acc", "ttl": TTL, "creation_time": "now", "creation_path": path}
        return Reply(200, {"wrap_info": info})

    def count(self) -> dict[str, int]:
        """How often each was asked since the last time."""
        counts = {one: self.asked.count(one) for one in self.asked}
        self.asked.clear()
        return counts


class Scene:
    """A wrapped sink, its server, and the time."""

    def __init__(self, folder: Path, web: Web, server: Server, held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 5000.0
        monkeypatch.setattr(clock, "now", lambda: self.now)
        monkeypatch.setattr(sinks, "_SETTLED", -1.0)
        self.path = folder / "token"
        self.web = web
        self.server = server
        self.held = held
        self.file = self.of()

    def of(self, kept: wrapping.Wrapping | None = None, doubt: bool = False, ttl: int = TTL) -> WrappedFile:
        """A sink of another process, or after a reload."""
        file = sinks.file_of(AgentSink(str(self.path), wrap_ttl=ttl), kept, doubt=doubt)
        assert isinstance(file, WrappedFile)
        return file

    def see(self, after: float = 0.0) -> Seen:
        """What a look brings, so many seconds later."""
        self.now += after
        return self.file.see(self.held)

    def wrapping_token(self) -> str:
        """What is in the file."""
        return str(json.loads(self.path.read_text(encoding="ascii"))["token"])

    def another_token(self) -> None:
        """A login brought a new token."""
        number = self.held.number + 1
        token = dataclasses.replace(self.held.token, client_token=f"hvs.token-{number}")
        self.held = dataclasses.replace(self.held, number=number, token=token, text=token.client_token)


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[Scene]:
    """A sink that was wrapped just now."""
    server = Server()
    with Web(server.answer) as web, plain_vault_at(web.url, retries=0) as vault:
        token = Token("hvs.token-1", "acc-1", 3600, True, 0, (), {}, 5000.0)
        one = Scene(tmp_path, web, server, Held(1, token.client_token, token, vault), monkeypatch)
        assert one.see() == Seen(True, again=200.0)
        assert server.count() == {"wrap": 1}
        yield one


def test_the_file_has_what_vault_agent_writes(scene: Scene) -> None:
    text = (
        '{"token":"hvs.wrapping-1","accessor":"acc","ttl":300,"creation_time":"now",'
        '"creation_path":"sys/wrapping/wrap","wrapped_accessor":""}\n'
    )
    assert scene.path.read_text(encoding="ascii") == text
    assert scene.server.live == {"hvs.wrapping-1": "hvs.token-1"}
    assert "hvs." not in repr(scene.file.wrapping)


def test_as_long_as_nothing_is_due_nobody_is_asked(scene: Scene) -> None:
    for _look in range(39):
        assert scene.see(5) == Seen(False, again=5200 - scene.now)
    assert scene.server.asked == []


def test_unused_it_is_wrapped_anew_in_time_and_used_up_after_a_grace(scene: Scene) -> None:
    seen = scene.see(200)
    assert seen == Seen(True, "nobody used the wrapped token so far, and it was wrapped anew", again=200.0)
    assert scene.server.count() == {"lookup": 1, "wrap": 1}
    assert scene.wrapping_token() == "hvs.wrapping-2"
    assert scene.see(9).news == ""
    assert set(scene.server.live) == {"hvs.wrapping-1", "hvs.wrapping-2"}
    assert scene.see(1).news == ""
    assert set(scene.server.live) == {"hvs.wrapping-2"}
    assert scene.server.count() == {"unwrap": 1}


def test_used_it_is_left_alone_for_ever(scene: Scene) -> None:
    scene.server.live.clear()
    assert scene.see(200) == Seen(False, LEFT_ALONE)
    assert scene.server.count() == {"lookup": 1}
    scene.path.unlink()
    for _look in range(100):
        assert scene.see(5) == Seen(False)
    assert scene.server.asked == []
    assert not scene.path.exists()


def test_used_in_the_moment_when_it_was_replaced(scene: Scene) -> None:
    """Then two readers can have the token, which somebody is told."""
    scene.see(200)
    del scene.server.live["hvs.wrapping-1"]
    assert scene.see(10) == Seen(False, "the wrapped token was used at the moment when it was replaced", again=190.0)


def test_a_new_token_is_wrapped_and_the_old_ones_is_used_up(scene: Scene) -> None:
    scene.another_token()
    assert scene.see(5) == Seen(True, again=200.0)
    scene.see(10)
    assert scene.server.live == {"hvs.wrapping-2": "hvs.token-2"}


def test_a_new_token_after_one_that_was_used_unseen(scene: Scene) -> None:
    """Its reader came in time, which is nothing to tell of."""
    scene.server.live.clear()
    scene.another_token()
    assert scene.see(5) == Seen(True, again=200.0)
    assert scene.see(10) == Seen(False, again=190.0)


def test_a_new_token_after_one_that_was_used(scene: Scene) -> None:
    scene.server.live.clear()
    scene.see(200)
    scene.another_token()
    assert scene.see(5).wrote
    scene.see(10)
    assert scene.server.live == {"hvs.wrapping-2": "hvs.token-2"}
    assert scene.server.count() == {"lookup": 1, "wrap": 1}


@pytest.mark.parametrize("removed", [True, False])
def test_missing_or_altered_it_is_put_back_only_if_nobody_used_it(scene: Scene, removed: bool) -> None:
    text = scene.path.read_text(encoding="ascii")

    def harm() -> None:
        scene.path.unlink()
        if not removed:
            scene.path.write_text("rubbish", encoding="ascii")

    harm()
    assert scene.see(5) == Seen(True, again=195.0)
    assert scene.path.read_text(encoding="ascii") == text
    harm()
    scene.server.live.clear()
    assert scene.see(5) == Seen(False, LEFT_ALONE)
    assert scene.path.exists() is not removed


def test_where_the_server_was_away_until_it_ended(scene: Scene) -> None:
    """Nobody can tell whether it was used; a reader who comes now is not left without."""
    scene.server.away = True
    with pytest.raises(VaultError, match="looking up the wrapping token failed"):
        scene.see(200)
    with pytest.raises(VaultError, match=f"wrap_ttl of {scene.path}: wrapping the token failed"):
        scene.see(100)
    scene.server.away = False
    assert scene.see(5) == Seen(True, "the wrapped token has ended, and was wrapped anew", again=200.0)
    assert scene.wrapping_token() in scene.server.live


def test_a_denied_one_is_told_with_the_cure(scene: Scene) -> None:
    scene.server.denied = True
    scene.another_token()
    with pytest.raises(VaultError) as caught:
        scene.see()
    assert f"wrap_ttl of {scene.path}: wrapping the token failed" in str(caught.value)
    assert "update on sys/wrapping/wrap" in str(caught.value)
    assert "hvs." not in str(caught.value)
    scene.server.denied = False
    assert scene.see().wrote


def test_a_token_of_few_uses_is_not_spent(scene: Scene) -> None:
    scene.another_token()
    scene.held = dataclasses.replace(scene.held, token=dataclasses.replace(scene.held.token, num_uses=3))
    with pytest.raises(LoginError, match=f"wrap_ttl of {scene.path}: .*few uses"):
        scene.see()
    assert scene.server.asked == []


def test_what_could_not_be_written_is_not_wrapped_again(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.another_token()
    put = TokenFile.put

    def full(_file: TokenFile, _text: str) -> None:
        raise SinkError("the file system is full")

    monkeypatch.setattr(TokenFile, "put", full)
    for _try in range(3):
        with pytest.raises(SinkError):
            scene.see(1)
    monkeypatch.setattr(TokenFile, "put", put)
    assert scene.see(1).wrote
    assert scene.server.count()["wrap"] == 1


# --- restarts and reloads


def test_the_next_process_goes_on_with_it(scene: Scene) -> None:
    kept = json.loads(json.dumps(dataclasses.asdict(t.cast(wrapping.Wrapping, scene.file.wrapping))))
    scene.file = scene.of(wrapping.kept(kept, 1))
    assert scene.see(5) == Seen(False, again=195.0)
    assert scene.server.asked == []
    scene.see(195)
    scene.see(10)
    assert set(scene.server.live) == {"hvs.wrapping-2"}


def test_the_next_process_with_another_ttl_wraps_anew(scene: Scene) -> None:
    """And uses the one with the old TTL up."""
    scene.file = scene.of(dataclasses.replace(t.cast(wrapping.Wrapping, scene.file.wrapping), wished=60))
    assert scene.see(5).wrote
    scene.see(10)
    assert set(scene.server.live) == {"hvs.wrapping-2"}


@pytest.mark.parametrize("fields", [None, [], "x", {}, {"token": 1}, {"number": 1, "token": "x", "extra": 2}])
def test_a_garbled_record_counts_as_none(fields: object) -> None:
    assert wrapping.kept(fields, 1) is None


@pytest.mark.parametrize("value", [10**400, 1e300, float("nan"), -1, "1"])
@pytest.mark.parametrize("field", ["since", "ttl", "wished"])
def test_a_record_with_times_that_are_none(field: str, value: object) -> None:
    fields: dict[str, object] = {"token": "x", "text": "x", "since": 1.0, "ttl": 60.0, "wished": 60}
    assert wrapping.kept(fields, 1)
    assert wrapping.kept({**fields, field: value}, 1) is None


def test_a_reload_gives_the_next_reader_one_if_it_was_used(scene: Scene) -> None:
    scene.file = scene.of(scene.file.wrapping, doubt=True)
    assert scene.see(5) == Seen(False, again=195.0)
    assert scene.server.count() == {"lookup": 1}
    assert scene.see(5) == Seen(False, again=190.0)
    scene.server.live.clear()
    scene.file = scene.of(scene.file.wrapping, doubt=True)
    assert scene.see(5) == Seen(True, "the wrapped token was used, and for the reload was wrapped anew", again=200.0)


def test_a_reload_counts_once(scene: Scene) -> None:
    """What is wrapped because of it is no more to be doubted."""
    scene.file = scene.of(dataclasses.replace(t.cast(wrapping.Wrapping, scene.file.wrapping), wished=60), doubt=True)
    assert scene.see(1).wrote
    scene.server.live.clear()
    assert scene.see(1) == Seen(False, again=199.0)


def test_a_reload_after_it_was_seen_to_be_used(scene: Scene) -> None:
    scene.server.live.clear()
    scene.see(200)
    scene.file = scene.of(scene.file.wrapping, doubt=True)
    assert scene.see(1).wrote
    scene.see(10)
    assert scene.server.count() == {"lookup": 1, "wrap": 1}


def test_a_token_is_never_sent_to_another_server_than_its_own(scene: Scene) -> None:
    """A reload may change the server before there is a token of it; what wraps the old token is used up at the old."""
    other = Server()
    with Web(other.answer) as web, plain_vault_at(web.url, retries=0) as vault:
        scene.file = scene.of(scene.file.wrapping, doubt=True)
        scene.see(1)
        assert (scene.server.count(), other.asked) == ({"lookup": 1}, [])
        scene.another_token()
        scene.held = dataclasses.replace(scene.held, vault=vault)
        assert scene.see(1).wrote
        assert (scene.server.asked, other.count()) == ([], {"wrap": 1})
        scene.see(10)
        assert (scene.server.live, other.live) == ({}, {"hvs.wrapping-1": "hvs.token-2"})


def test_wrapped_then_encrypted(scene: Scene, tmp_path: Path) -> None:
    """What wraps is encrypted; a look that finds all well writes nothing."""
    reader = sealed.Reader()
    public = tmp_path / "reader.json"
    public.write_text(reader.public_file, encoding="ascii")
    sink = AgentSink(str(tmp_path / "sealed"), wrap_ttl=TTL, encryption=Encryption(str(public), True, b"aad"))
    file = sinks.file_of(sink)
    assert file.see(scene.held).wrote
    text = Path(sink.path).read_text(encoding="ascii")
    assert json.loads(sealed.read(text, reader.private, True, b"aad"))["token"] == "hvs.wrapping-2"
    assert file.see(scene.held) == Seen(False, again=200.0)
    assert Path(sink.path).read_text(encoding="ascii") == text
