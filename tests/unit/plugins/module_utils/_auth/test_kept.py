# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A token kept from run to run: when it still is the one that a login would give."""

from __future__ import annotations

import json
import stat
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.vaultfleet.aws.plugins.module_utils._auth import clock, kept, sink
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.config import LoginConfig
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.errors import SinkError, VaultError
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.sink import Sink
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.token import Token
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.vault import Vault
from ansible_collections.vaultfleet.aws.tests.unit.support.vaults import LOOKUP, TOKEN, plain_vault_at
from ansible_collections.vaultfleet.aws.tests.unit.support.web import Reply, Web

CONFIG = LoginConfig.from_options({"type": "iam", "role": "web"})
DENIED = Reply(403, {"errors": ["1 error occurred:\n\t* permission denied\n\n"]})


@pytest.fixture
def place(tmp_path: Path) -> Sink:
    """Where the token is kept."""
    return Sink(str(tmp_path / "token"))


def token(ttl: int = 3600, num_uses: int = 0) -> Token:
    """A token just handed out."""
    return Token(TOKEN, "acc-1", ttl, True, num_uses, (), {}, clock.now())


class Server:
    """A Vault that knows the token, until its answers are changed."""

    def __init__(self) -> None:
        self.lookup = Reply(body=LOOKUP)
        self.revoke = Reply(204)
        self.web = Web(lambda seen: self.revoke if seen.path.endswith("revoke-self") else self.lookup)

    def paths(self) -> list[str]:
        """What was asked, by the last part of the path."""
        return [seen.path.rpartition("/")[2] for seen in self.web.seen]


@pytest.fixture
def server() -> t.Iterator[Server]:
    """The server, running."""
    made = Server()
    with made.web:
        yield made


@pytest.fixture
def vault(server: Server) -> t.Iterator[Vault]:
    """It, as the core sees it."""
    with plain_vault_at(server.web.url, retries=0) as made:
        yield made


def record_of(place: Sink) -> dict[str, t.Any]:
    """The record, as written."""
    return t.cast("dict[str, t.Any]", json.loads(Path(place.path + ".meta").read_text(encoding="utf-8")))


def rewrite(place: Sink, **changed: t.Any) -> None:
    """Change fields of the record; None leaves one out."""
    fields = {name: value for name, value in {**record_of(place), **changed}.items() if value is not ...}
    Path(place.path + ".meta").write_text(json.dumps(fields), encoding="utf-8")


def test_kept_and_found(place: Sink, vault: Vault, server: Server) -> None:
    """What was kept is found again, after a look whether it lives, with the lease that the server tells."""
    kept.keep(place, token(), CONFIG, vault)
    found = kept.examine(place, CONFIG, vault, 60)
    assert found.token
    assert (found.token.client_token, found.token.ttl, found.why) == (TOKEN, 3000, "")
    assert server.paths() == ["lookup-self", "lookup-self"]


def test_record(place: Sink, vault: Vault) -> None:
    """Private, without a secret, and enough to tell whose token it is."""
    kept.keep(Sink(place.path, 0o644), token(), CONFIG, vault)
    path = Path(place.path + ".meta")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert TOKEN not in path.read_text(encoding="utf-8")
    record = record_of(place)
    assert record["accessor"] == "acc-1"
    assert (record["mount_path"], record["role"], record["type"]) == ("aws", "web", "iam")
    assert abs(record["expires_at"] - time.time() - 3600) < 5
    assert Path(place.path).read_text(encoding="utf-8") == TOKEN


def test_for_ever(place: Sink, vault: Vault, server: Server) -> None:
    """A token without an end."""
    server.lookup = DENIED
    kept.keep(place, token(ttl=0), CONFIG, vault)
    assert record_of(place)["expires_at"] is None
    found = kept.examine(place, CONFIG, vault, 10**9)
    assert found.token
    assert found.token.ttl == 0


def test_nothing_there(place: Sink, vault: Vault, server: Server) -> None:
    """No token, or none of ours: nobody is asked."""
    assert kept.examine(place, CONFIG, vault, 60).why == "there is no token yet"
    sink.write(place, TOKEN)
    assert "no record" in kept.examine(place, CONFIG, vault, 60).why
    assert server.paths() == []


@pytest.mark.parametrize("field", ["url", "namespace", "mount_path", "role", "type"])
def test_of_another_login(place: Sink, vault: Vault, server: Server, field: str) -> None:
    """Each field counts, and the token is not shown to a server that it is not of."""
    kept.keep(place, token(), CONFIG, vault)
    before = len(server.web.seen)
    rewrite(place, **{field: "other"})
    assert kept.examine(place, CONFIG, vault, 60).why == f"the token is of another {field}"
    assert len(server.web.seen) == before


def test_altered(place: Sink, vault: Vault, server: Server) -> None:
    """A token that somebody else put there is not sent."""
    kept.keep(place, token(), CONFIG, vault)
    before = len(server.web.seen)
    sink.write(place, "hvs.other")
    assert kept.examine(place, CONFIG, vault, 60).why == "the token was altered"
    assert len(server.web.seen) == before


def test_line_break_at_the_end_is_no_alteration(place: Sink, vault: Vault) -> None:
    """Editors add one."""
    kept.keep(place, token(), CONFIG, vault)
    sink.write(place, TOKEN + "\n")
    found = kept.examine(place, CONFIG, vault, 60)
    assert found.token
    assert found.token.client_token == TOKEN


def test_gone(place: Sink, vault: Vault, server: Server) -> None:
    """The server does not know it any more."""
    kept.keep(place, token(), CONFIG, vault)
    server.lookup = DENIED
    assert "revoked or expired" in kept.examine(place, CONFIG, vault, 60).why


def test_server_away(place: Sink, vault: Vault, server: Server) -> None:
    """No reason to replace a token."""
    kept.keep(place, token(), CONFIG, vault)
    server.lookup = Reply(503)
    with pytest.raises(VaultError):
        kept.examine(place, CONFIG, vault, 60)


@pytest.mark.parametrize(("min_ttl", "usable"), [(0, True), (2900, True), (3001, False)])
def test_min_ttl(place: Sink, vault: Vault, min_ttl: int, usable: bool) -> None:
    """Seconds that must be left, by the server's word."""
    kept.keep(place, token(), CONFIG, vault)
    found = kept.examine(place, CONFIG, vault, min_ttl)
    assert bool(found.token) is usable
    assert usable or "less than min_ttl" in found.why


@pytest.mark.parametrize("uses", [0, 5])
def test_trusted_lease(place: Sink, vault: Vault, server: Server, uses: int) -> None:
    """A token that may not look at itself, or that a look would use up, is good until its lease ends."""
    server.lookup = DENIED
    assert kept.keep(place, token(num_uses=uses), CONFIG, vault).trusted is True
    before = len(server.web.seen)
    assert before == (0 if uses else 2)
    found = kept.examine(place, CONFIG, vault, 60)
    assert found.token
    assert 3590 < found.token.left(clock.now()) <= 3600
    assert len(server.web.seen) == before
    rewrite(place, expires_at=time.time() + 30)
    assert "less than min_ttl" in kept.examine(place, CONFIG, vault, 60).why


@pytest.mark.parametrize("min_ttl", [0, 1, 60])
def test_trusted_lease_that_ended(place: Sink, vault: Vault, server: Server, min_ttl: int) -> None:
    """Not handed out, whatever is asked for."""
    server.lookup = DENIED
    kept.keep(place, token(), CONFIG, vault)
    rewrite(place, expires_at=time.time() - 5)
    assert kept.examine(place, CONFIG, vault, min_ttl).token is None


def test_not_trusted_because_the_server_is_away(place: Sink, vault: Vault, server: Server) -> None:
    """The next run asks."""
    server.lookup = Reply(503)
    assert kept.keep(place, token(), CONFIG, vault).trusted is False


GARBLED = [
    "", "{", "null", "[]", "5", '"x"', "{}", "[" * 60000, "NaN", '{"fingerprint": "x"}', '{"self": 1}', '{"": 1}',
]  # fmt: skip


@pytest.mark.parametrize("text", GARBLED)
def test_garbled_record(place: Sink, vault: Vault, text: str) -> None:
    """As good as none."""
    kept.keep(place, token(), CONFIG, vault)
    Path(place.path + ".meta").write_text(text, encoding="utf-8")
    assert kept.read_record(place.path) is None
    assert "no record" in kept.examine(place, CONFIG, vault, 60).why


@pytest.mark.parametrize(
    "changed",
    [
        {"version": 2}, {"version": "1"}, {"version": None}, {"expires_at": "soon"}, {"expires_at": float("nan")},
        {"expires_at": float("inf")}, {"expires_at": -1}, {"expires_at": 1e300}, {"expires_at": 10**400},
        {"trusted": "yes"}, {"trusted": 1}, {"accessor": 5}, {"accessor": None}, {"fingerprint": []}, {"role": ...},
        {"extra": "x"}, {"expires_at": ...},
    ],
)  # fmt: skip
def test_wrong_fields(place: Sink, vault: Vault, changed: dict[str, t.Any]) -> None:
    """Another version's, or nobody's."""
    kept.keep(place, token(), CONFIG, vault)
    rewrite(place, **changed)
    assert kept.read_record(place.path) is None


def test_sink_that_cannot_be_written(
    place: Sink, vault: Vault, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The token would be lost, so it is revoked; if that fails too, its accessor is told."""

    def refuse(_place: Sink, _text: str) -> None:
        raise SinkError("cannot write")

    monkeypatch.setattr(sink, "write", refuse)
    with pytest.raises(SinkError, match=r"^cannot write$"):
        kept.keep(place, token(), CONFIG, vault)
    assert server.paths()[-1] == "revoke-self"
    server.revoke = Reply(500)
    with pytest.raises(SinkError, match="could not be revoked: accessor acc-1"):
        kept.keep(place, token(), CONFIG, vault)


def test_record_without_room_keeps_the_old_token(place: Sink, vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both old, and fitting each other."""
    kept.keep(place, token(), CONFIG, vault)
    write = sink.write

    def no_room(where: Sink, text: str) -> None:
        if where.path.endswith(".meta"):
            raise SinkError("no room")
        write(where, text)

    monkeypatch.setattr(sink, "write", no_room)
    with pytest.raises(SinkError):
        kept.keep(place, Token("hvs.new", "acc-2", 60, True, 0, (), {}, clock.now()), CONFIG, vault)
    assert kept.examine(place, CONFIG, vault, 60).token


@pytest.mark.parametrize(("reply", "revoked"), [(Reply(204), True), (DENIED, False)])
def test_discard(place: Sink, vault: Vault, server: Server, reply: Reply, revoked: bool) -> None:
    """Revoked at the server, and both files are gone, also when the server knows the token no more."""
    kept.keep(place, token(), CONFIG, vault)
    server.revoke = reply
    assert kept.discard(place, vault) == (True, revoked)
    assert server.web.seen[-1].headers["x-vault-token"] == TOKEN
    assert list(Path(place.path).parent.glob("token*")) == []
    assert kept.discard(place, vault) == (False, False)


def test_discard_of_a_lone_record(place: Sink, vault: Vault) -> None:
    """It goes too."""
    kept.keep(place, token(), CONFIG, vault)
    sink.remove(place.path)
    assert kept.discard(place, vault) == (True, False)


def test_discard_of_what_is_not_ours(place: Sink, vault: Vault, server: Server) -> None:
    """A file without a record is neither sent nor removed."""
    sink.write(place, "precious")
    with pytest.raises(SinkError, match="was not written by a login") as caught:
        kept.discard(place, vault)
    assert caught.value.hint
    assert sink.read(place.path) == "precious"
    assert server.paths() == []


@pytest.mark.parametrize("field", ["url", "namespace"])
def test_discard_of_another_servers(place: Sink, vault: Vault, server: Server, field: str) -> None:
    """A token is only ever shown to the server that it came from."""
    kept.keep(place, token(), CONFIG, vault)
    before = len(server.web.seen)
    rewrite(place, **{field: "https://other.test"})
    with pytest.raises(SinkError, match=f"is of {field} 'https://other.test'") as caught:
        kept.discard(place, vault)
    assert field in caught.value.hint
    assert len(server.web.seen) == before
    assert sink.read(place.path) == TOKEN


def test_discard_with_the_server_away(place: Sink, vault: Vault, server: Server) -> None:
    """The files stay, so that it can be done again."""
    kept.keep(place, token(), CONFIG, vault)
    server.revoke = Reply(503)
    with pytest.raises(VaultError):
        kept.discard(place, vault)
    assert sink.read(place.path) == TOKEN
