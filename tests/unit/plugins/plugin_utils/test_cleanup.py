# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What becomes of a run's tokens: revoked at the end, or by the next run after a crash."""

from __future__ import annotations

import dataclasses
import json
import os
import time
from pathlib import Path

import pytest

from ansible_collections.vaultfleet.aws.plugins.module_utils._auth import clock
from ansible_collections.vaultfleet.aws.plugins.plugin_utils import _cleanup, _store
from ansible_collections.vaultfleet.aws.plugins.plugin_utils._cleanup import clean_up_after_the_dead, revoke_created
from ansible_collections.vaultfleet.aws.plugins.plugin_utils._run import this_run
from ansible_collections.vaultfleet.aws.plugins.plugin_utils._shared import shared_login
from ansible_collections.vaultfleet.aws.plugins.plugin_utils._store import Store, open_store
from ansible_collections.vaultfleet.aws.tests.unit.plugins.plugin_utils.fakes import FakeVault, wish
from ansible_collections.vaultfleet.aws.tests.unit.support.web import closed_port


def kill(store: Store) -> Store:
    """Make the store one of a run that is gone: of the same pid, which somebody else has by now."""
    run = this_run()
    assert run is not None
    dead = dataclasses.replace(run, started=run.started - 1)
    place = Path(store.path).with_name(dead.name)
    Path(store.path).rename(place)
    owner = json.loads((place / "owner.json").read_text())
    (place / "owner.json").write_text(json.dumps({**owner, "run": dataclasses.asdict(dead)}))
    return Store(str(place))


def entry(url: str, token: str = "hvs.token", ends: float | None = None) -> dict[str, object]:  # noqa: S107
    return {"token": token, "connection": dataclasses.asdict(wish(url).connection), "ends": ends}


def test_the_end_of_a_run(vault: FakeVault) -> None:
    store = open_store(callback=True)
    tokens = {shared_login(wish(vault.url, role=role), store)["auth"]["client_token"] for role in ("web", "db")}
    shared_login(wish(vault.url, role="kept", revoke=False), store)
    done = revoke_created(store)
    assert (done.times, done.failures, done.warning) == (2, (), "")
    assert vault.gone == tokens


def test_what_has_ended_or_is_gone_is_no_failure(store: Store, vault: FakeVault) -> None:
    vault.gone.add("hvs.gone")
    store.add_created(entry(vault.url, "hvs.gone", clock.now() + 60))
    store.add_created(entry(vault.url, "hvs.ended", clock.now() - 1))
    done = revoke_created(store)
    assert (done.times, done.failures) == (0, ())
    assert vault.times("revoke-self") == 1


def test_a_renewed_token_has_not_ended(store: Store, vault: FakeVault) -> None:
    store.add_created(entry(vault.url, "hvs.renewed", clock.now() - 1))
    store.add_created(entry(vault.url, "hvs.renewed", clock.now() + 60))
    assert revoke_created(store).times == vault.times("revoke-self") == 1


def test_a_server_that_is_away_is_asked_once(store: Store, vault: FakeVault) -> None:
    away = f"http://127.0.0.1:{closed_port()}"
    for number in range(3):
        store.add_created(entry(away, f"hvs.away{number}"))
    store.add_created(entry(vault.url, "hvs.here"))
    start = time.monotonic()
    done = revoke_created(store)
    assert time.monotonic() - start < 3
    assert done.times == 1
    assert len(done.failures) == 3
    assert done.warning.count(away) == 1
    assert "live to the end of their TTL: 3 (" in done.warning
    assert "hvs.away" not in done.warning


def test_garbled_entries(store: Store, vault: FakeVault) -> None:
    garbled: list[dict[str, object]] = [
        {"token": "hvs.a"},
        {"token": "hvs.b", "connection": 1},
        {"connection": entry(vault.url)["connection"]},
        {"token": "hvs.c", "connection": {"url": vault.url, "more": 1}},
        {"token": "hvs.d", "connection": {"url": None}},
        {"token": "hvs.e", "connection": {"url": "\udc80"}},
    ]
    for one in garbled:
        store.add_created(one)
    store.add_created(entry(vault.url))
    done = revoke_created(store)
    assert done.times == 1
    assert set(done.failures) == {"a record of a token is garbled"}
    assert len(done.failures) == len(garbled)


def test_no_time_left(store: Store, vault: FakeVault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_cleanup, "_LONGEST", 0.0)
    store.add_created(entry(vault.url))
    done = revoke_created(store)
    assert (done.times, len(done.failures)) == (0, 1)
    assert vault.times("revoke-self") == 0


@pytest.mark.parametrize("callback", [True, False])
def test_after_a_crash(callback: bool, vault: FakeVault) -> None:
    store = open_store(callback=callback)
    shared_login(wish(vault.url), store)
    store.add_created(entry(vault.url))  # whatever is noted there
    dead = kill(store)
    done = clean_up_after_the_dead()
    assert not os.path.lexists(dead.path)
    assert done.times == vault.times("revoke-self") == (2 if callback else 0)


def test_the_living_are_left_alone(vault: FakeVault) -> None:
    store = open_store(callback=True)
    shared_login(wish(vault.url), store)
    assert clean_up_after_the_dead().times == 0
    assert len(store.created()) == 1


@pytest.mark.parametrize("owner", ["", "{", "[]", '{"run": 1}', '{"run": {"pid": 1}}', '{"callback": true}'], ids=repr)
def test_in_doubt_it_lives(owner: str) -> None:
    store = open_store(callback=True)
    dead = kill(store)
    Path(dead.path, "owner.json").write_text(owner)
    assert clean_up_after_the_dead().times == 0
    assert os.path.lexists(dead.path)


def test_leftovers_elsewhere(vault: FakeVault, memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job of cron has no XDG_RUNTIME_DIR; the next one may."""
    monkeypatch.setattr(_store, "_SHARED_MEMORY", str(memory))
    store = open_store(callback=True)
    shared_login(wish(vault.url), store)
    dead = kill(store)
    other = memory / "other"
    other.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(other))
    assert clean_up_after_the_dead().times == 1
    assert not os.path.lexists(dead.path)
