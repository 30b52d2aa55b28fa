# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The shared token: renewed, replaced, checked, and what broken records and failures come to."""

from __future__ import annotations

import json
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.vaultfleet.aws.plugins.module_utils._auth import clock
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.errors import LoginError
from ansible_collections.vaultfleet.aws.plugins.plugin_utils import _shared, _store
from ansible_collections.vaultfleet.aws.plugins.plugin_utils._shared import login_of_ones_own, shared_login
from ansible_collections.vaultfleet.aws.plugins.plugin_utils._store import Store, StoreError, open_store
from ansible_collections.vaultfleet.aws.tests.unit.plugins.plugin_utils.fakes import FakeVault, wish
from ansible_collections.vaultfleet.aws.tests.unit.support.web import closed_port


class Clock:
    """Time in a test's hands."""

    def __init__(self) -> None:
        self.passed = 0.0
        self._start = clock.now()

    def __call__(self) -> float:
        return self._start + self.passed


@pytest.fixture
def passing(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of leases."""
    made = Clock()
    monkeypatch.setattr(clock, "now", made)
    return made


def token(answer: dict[str, t.Any]) -> str:
    return str(answer["auth"]["client_token"])


def record_file(store: Store, asked: _shared.Wish) -> Path:
    return Path(store.path, _shared._key(asked))


def test_one_login_then_hits(store: Store, vault: FakeVault) -> None:
    asked = wish(vault.url)
    answers = [shared_login(asked, store) for _time in range(5)]
    assert len({token(answer) for answer in answers}) == 1
    assert (vault.times("login"), store.hits(), store.events()["login"][0]) == (1, 4, 1)


def test_different_logins_never_share(store: Store, vault: FakeVault) -> None:
    different = [wish(vault.url), wish(vault.url, role="db"), wish(vault.url, namespace="team")]
    assert len({token(shared_login(one, store)) for one in different * 2}) == 3
    assert vault.times("login") == 3


def test_renewed_near_its_end(store: Store, vault: FakeVault, passing: Clock) -> None:
    asked = wish(vault.url, check_interval=0)
    first = token(shared_login(asked, store))
    passing.passed = 3539
    assert token(shared_login(asked, store)) == first
    assert vault.times("renew-self") == 0
    passing.passed = 3541
    assert token(shared_login(asked, store)) == first
    assert (vault.times("renew-self"), vault.times("login")) == (1, 1)
    passing.passed = 3541 + 3539
    shared_login(asked, store)
    assert (vault.times("renew-self"), vault.times("login"), store.events()["renewal"][0]) == (1, 1, 1)


@pytest.mark.parametrize("why", ["not renewable", "at its maximum", "refused", "over"])
def test_replaced_near_its_end(why: str, store: Store, vault: FakeVault, passing: Clock) -> None:
    vault.renewable = why != "not renewable"
    asked = wish(vault.url, check_interval=0)
    first = token(shared_login(asked, store))
    passing.passed = 3700 if why == "over" else 3550
    if why == "at its maximum":
        vault.renewed_ttl = 50
    elif why == "refused":
        vault.gone.add(first)
    second = token(shared_login(asked, store))
    assert second != first
    assert vault.times("login") == 2
    assert vault.times("renew-self") == (0 if why in ("not renewable", "over") else 1)
    assert token(shared_login(asked, store)) == second


def test_half_the_life_of_a_short_token_is_enough(store: Store, vault: FakeVault, passing: Clock) -> None:
    vault.ttl = 40
    asked = wish(vault.url, min_ttl=60, check_interval=0)
    shared_login(asked, store)
    passing.passed = 19
    shared_login(asked, store)
    assert (vault.times("login"), vault.times("renew-self")) == (1, 0)
    passing.passed = 21
    shared_login(asked, store)
    assert (vault.times("login"), vault.times("renew-self")) == (1, 1)


def test_min_ttl_is_each_lookups_own(store: Store, vault: FakeVault, passing: Clock) -> None:
    shared_login(wish(vault.url, check_interval=0), store)
    passing.passed = 1700
    shared_login(wish(vault.url, check_interval=0, min_ttl=600), store)
    assert vault.times("renew-self") == 0
    shared_login(wish(vault.url, check_interval=0, min_ttl=1801), store)
    assert (vault.times("renew-self"), vault.times("login")) == (0, 1)  # half of its life is enough
    passing.passed = 1810
    shared_login(wish(vault.url, check_interval=0, min_ttl=1801), store)
    assert (vault.times("renew-self"), vault.times("login")) == (1, 1)


def test_a_token_without_an_end(store: Store, vault: FakeVault, passing: Clock) -> None:
    vault.ttl = 0
    shared_login(wish(vault.url, check_interval=0), store)
    passing.passed = 10**8
    shared_login(wish(vault.url, check_interval=0), store)
    assert (vault.times("login"), vault.times("renew-self")) == (1, 0)


def test_the_wall_clock_counts_for_nothing(store: Store, vault: FakeVault, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = wish(vault.url)
    shared_login(asked, store)
    real = time.time
    for step in (-86400, 86400):
        monkeypatch.setattr(time, "time", lambda step=step: real() + step)
        shared_login(asked, store)
    assert (vault.times("login"), vault.times("renew-self")) == (1, 0)


def test_looked_up_once_in_an_interval(store: Store, vault: FakeVault, passing: Clock) -> None:
    asked = wish(vault.url)
    shared_login(asked, store)
    assert vault.times("lookup-self") == 1  # whether it may be asked about
    passing.passed = 29
    shared_login(asked, store)
    assert vault.times("lookup-self") == 1
    passing.passed = 31
    shared_login(asked, store)
    shared_login(asked, store)
    assert vault.times("lookup-self") == 2


def test_never_looked_up(store: Store, vault: FakeVault, passing: Clock) -> None:
    asked = wish(vault.url, check_interval=0)
    shared_login(asked, store)
    passing.passed = 1000
    shared_login(asked, store)
    assert vault.times("lookup-self") == 0


def test_revoked_and_replaced_once(store: Store, vault: FakeVault, passing: Clock) -> None:
    asked = wish(vault.url)
    first = token(shared_login(asked, store))
    vault.gone.add(first)
    passing.passed = 31
    second = token(shared_login(asked, store))
    assert second != first
    assert token(shared_login(asked, store)) == second
    assert (vault.times("login"), vault.times("renew-self")) == (2, 0)


def test_while_one_looks_the_others_take_it_as_it_is(store: Store, vault: FakeVault, passing: Clock) -> None:
    asked = wish(vault.url)
    shared_login(asked, store)
    passing.passed = 31
    with store.lock(_shared._key(asked), 0):
        shared_login(asked, store)
    assert vault.times("lookup-self") == 1


def test_lookup_self_is_forbidden(store: Store, vault: FakeVault, passing: Clock) -> None:
    vault.forbids = True
    asked = wish(vault.url)
    shared_login(asked, store)
    looks = vault.times("lookup-self")
    passing.passed = 3000
    shared_login(asked, store)
    assert (vault.times("login"), vault.times("lookup-self")) == (1, looks)


def test_the_server_tells_of_a_shorter_lease(store: Store, vault: FakeVault, passing: Clock) -> None:
    asked = wish(vault.url)
    shared_login(asked, store)
    vault.ttl = 50  # somebody has shortened it
    passing.passed = 31
    shared_login(asked, store)
    vault.ttl = 3600
    shared_login(asked, store)
    assert vault.times("renew-self") == 1


def test_a_server_that_is_away_between_two_lookups(
    store: Store, vault: FakeVault, passing: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = wish(vault.url)
    first = token(shared_login(asked, store))
    gone = wish(f"http://127.0.0.1:{closed_port()}")
    monkeypatch.setattr(_shared, "_key", lambda _wish: "key")  # the same server, elsewhere: it is away
    Path(store.path, "key").write_bytes(next(iter(Path(store.path).glob("?" * 64))).read_bytes())
    Path(store.path, "key").chmod(0o600)
    passing.passed = 31
    assert token(shared_login(gone, store)) == first
    passing.passed = 3550
    with pytest.raises(LoginError, match=r"renewing the token failed.*cannot be reached"):
        shared_login(gone, store)


@pytest.mark.parametrize("ttl", [3600, 0])
def test_tokens_of_limited_use_are_not_shared(ttl: int, store: Store, vault: FakeVault) -> None:
    vault.num_uses, vault.ttl = 3, ttl
    asked = wish(vault.url)
    assert token(shared_login(asked, store)) != token(shared_login(asked, store))
    assert (vault.times("login"), vault.times("lookup-self")) == (2, 0)


def test_a_failure_is_told_to_all_and_not_tried_again(store: Store, vault: FakeVault, passing: Clock) -> None:
    vault.refuses = True
    asked = wish(vault.url)
    said = set()
    for _time in range(5):
        with pytest.raises(LoginError) as caught:
            shared_login(asked, store)
        said.add(str(caught.value))
    assert len(said) == 1
    assert "entry for role web not found" in said.pop()
    assert vault.times("login") == 1
    vault.refuses = False
    passing.passed = 11
    shared_login(asked, store)
    assert vault.times("login") == 2


@pytest.mark.parametrize(
    "change", [{"until": "soon"}, {"until": 1e12}, {"until": None}, {"version": 0}, {"message": None}, {"message": 1}]
)
def test_a_broken_failure(change: dict[str, t.Any], store: Store, vault: FakeVault) -> None:
    asked = wish(vault.url)
    failure = {"message": "no", "until": clock.now() + 5, "version": 1}
    store.write(f"{_shared._key(asked)}.failed", failure)
    with pytest.raises(LoginError, match=r"^no$"):
        shared_login(asked, store)
    store.write(f"{_shared._key(asked)}.failed", {**failure, **change})
    shared_login(asked, store)


@pytest.mark.parametrize("length", [0, 1, 10, 100, -1])
def test_a_truncated_record(length: int, store: Store, vault: FakeVault) -> None:
    asked = wish(vault.url)
    first = token(shared_login(asked, store))
    file = record_file(store, asked)
    file.write_bytes(file.read_bytes()[:length])
    second = token(shared_login(asked, store))
    assert second != first
    assert token(shared_login(asked, store)) == second


@pytest.mark.parametrize(
    "change",
    [
        {"version": 0},
        {"version": 2},
        {"version": None},
        {"token": "hvs.another"},
        {"token": None},
        {"answer": {}},
        {"answer": []},
        {"answer": {"auth": None}},
        {"answer": {"auth": ["client_token"]}},
        {"answer": {"auth": {"client_token": "hvs.another"}}},
        {"ttl": "3600"},
        {"ttl": None},
        {"renewable": 1},
        {"asks": None},
        {"ends": "never"},
        {"ends": float("nan")},
        {"checked": None},
        {"more": 1},
    ],
    ids=str,
)
def test_a_wrong_record(change: dict[str, t.Any], store: Store, vault: FakeVault) -> None:
    asked = wish(vault.url)
    first = token(shared_login(asked, store))
    file = record_file(store, asked)
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    second = token(shared_login(asked, store))
    assert second not in (first, "hvs.another")
    assert vault.times("login") == 2


def test_no_secret_shows_in_a_record(store: Store, vault: FakeVault) -> None:
    asked = wish(vault.url)
    shown = token(shared_login(asked, store))
    record = _shared._read(store, _shared._key(asked))
    assert record is not None
    assert shown not in repr(record)


class Full:
    """A store in which there is no room for some files."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
        def refuse(*_args: t.Any) -> t.NoReturn:
            raise StoreError("no room")

        for name in names:
            monkeypatch.setattr(Store, name, refuse)


def test_a_token_that_cannot_be_kept_is_revoked(
    store: Store, vault: FakeVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    Full(monkeypatch, "write")
    with pytest.raises(StoreError, match="no room"):
        shared_login(wish(vault.url), store)
    assert (vault.times("login"), vault.times("revoke-self")) == (1, 1)


def test_a_token_that_could_not_be_revoked_at_the_end_is_revoked(
    vault: FakeVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(callback=True)
    Full(monkeypatch, "add_created")
    with pytest.raises(StoreError, match="no room"):
        shared_login(wish(vault.url), store)
    assert (vault.times("login"), vault.times("revoke-self")) == (1, 1)


def test_a_failure_without_room_to_note_it(store: Store, vault: FakeVault, monkeypatch: pytest.MonkeyPatch) -> None:
    vault.refuses = True
    Full(monkeypatch, "write")
    with pytest.raises(LoginError, match="entry for role web not found"):
        shared_login(wish(vault.url), store)


@pytest.mark.parametrize("callback", [True, False])
@pytest.mark.parametrize("revoke", [True, False])
def test_what_the_end_of_the_run_revokes(callback: bool, revoke: bool, vault: FakeVault) -> None:
    store = open_store(callback=callback)
    shared_login(wish(vault.url, revoke=revoke), store)
    assert len(store.created()) == (callback and revoke)


def test_a_login_of_ones_own(vault: FakeVault) -> None:
    asked = wish(vault.url)
    assert token(login_of_ones_own(asked, None)) != token(login_of_ones_own(asked, None))
    store = open_store(callback=True)
    mine = token(login_of_ones_own(asked, _store.store_of_callback()))
    assert [entry["token"] for entry in store.created()] == [mine]
    assert token(shared_login(asked, store)) != mine
