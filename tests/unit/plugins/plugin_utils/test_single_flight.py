# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many processes of one run that want the same token at once."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
import typing as t

import pytest

from ansible_collections.vaultfleet.aws.plugins.module_utils._auth import clock
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.errors import LoginError
from ansible_collections.vaultfleet.aws.plugins.plugin_utils import _shared
from ansible_collections.vaultfleet.aws.plugins.plugin_utils._shared import Wish, shared_login
from ansible_collections.vaultfleet.aws.plugins.plugin_utils._store import Store, StoreError
from ansible_collections.vaultfleet.aws.tests.unit.plugins.plugin_utils.fakes import FakeVault, wish

FORK = multiprocessing.get_context("fork")
MANY = 50


def all_at_once(asked: Wish, store: Store) -> list[str]:
    """What each of many workers, started together, got: a token, or an error's text."""
    start = FORK.Event()
    results: t.Any = FORK.SimpleQueue()

    def work() -> None:
        start.wait()
        try:
            results.put(str(shared_login(asked, store)["auth"]["client_token"]))
        except (LoginError, StoreError) as e:
            results.put(str(e))

    workers = [FORK.Process(target=work) for _number in range(MANY)]
    for worker in workers:
        worker.start()
    start.set()
    got = [str(results.get()) for _worker in workers]
    for worker in workers:
        worker.join()
    return got


def test_one_login(store: Store, vault: FakeVault) -> None:
    got = all_at_once(wish(vault.url), store)
    assert len(set(got)) == 1
    assert got[0].startswith("hvs.")
    assert (vault.times("login"), store.hits()) == (1, MANY - 1)


def test_one_failure(store: Store, vault: FakeVault, monkeypatch: pytest.MonkeyPatch) -> None:
    vault.refuses = True
    monkeypatch.setattr(_shared, "_FAILURE_LASTS", 600.0)  # so that no machine is too slow to be told of it
    got = all_at_once(wish(vault.url), store)
    assert len(set(got)) == 1
    assert "entry for role web not found" in got[0]
    assert vault.times("login") == 1


def test_one_renewal(store: Store, vault: FakeVault, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = wish(vault.url)
    first = shared_login(asked, store)["auth"]["client_token"]
    now = clock.now
    monkeypatch.setattr(clock, "now", lambda: now() + 3550)
    assert set(all_at_once(asked, store)) == {first}
    assert (vault.times("login"), vault.times("renew-self")) == (1, 1)


def test_one_replacement_of_a_revoked_token(store: Store, vault: FakeVault, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = wish(vault.url)
    first = shared_login(asked, store)["auth"]["client_token"]
    vault.gone.add(first)
    now = clock.now
    monkeypatch.setattr(clock, "now", lambda: now() + 31)
    got = set(all_at_once(asked, store))
    assert len(got - {first}) == 1
    assert (vault.times("login"), vault.times("lookup-self")) == (2, 3)


def test_a_killed_worker_frees_the_rest(store: Store, vault: FakeVault, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = wish(vault.url)
    ours, theirs = FORK.Pipe()

    def hang(*_args: t.Any) -> t.NoReturn:
        theirs.send("logging in")
        time.sleep(60)
        raise AssertionError

    with monkeypatch.context() as patch:
        patch.setattr(_shared, "_log_in", hang)
        holder = FORK.Process(target=shared_login, args=(asked, store))
        holder.start()
    assert ours.recv() == "logging in"
    os.kill(t.cast(int, holder.pid), signal.SIGKILL)
    start = time.monotonic()
    assert shared_login(asked, store)["auth"]["client_token"]
    assert time.monotonic() - start < 5
    holder.join()


def test_a_bounded_wait_for_one_that_hangs(store: Store, vault: FakeVault) -> None:
    asked = wish(vault.url, patience=1)
    with store.lock(_shared._key(asked), 0):
        pid = os.getpid()
        context = FORK.SimpleQueue()

        def work() -> None:
            try:
                shared_login(asked, store)
            except StoreError as e:
                context.put(str(e))

        worker = FORK.Process(target=work)
        start = time.monotonic()
        worker.start()
        said = context.get()
        assert 1 <= time.monotonic() - start < 4
        worker.join()
    assert f"(pid {pid})" in said
    assert "raise cache_timeout" in said
    assert vault.times("login") == 0
