# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The loop over attempts, on a clock and with pauses of the test's own."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.vaultfleet.aws.plugins.module_utils._auth import retry
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.errors import LoginError, Retry, VaultError


class World:
    """A clock that only sleeping moves, and an attempt that fails as often as it is told."""

    def __init__(self, *errors: LoginError) -> None:
        self.errors = list(errors)
        self.fresh: list[bool] = []
        self.slept: list[float] = []
        self.drawn: list[tuple[float, float]] = []
        self.time = 1000.0

    def attempt(self, fresh: bool) -> str:
        self.fresh.append(fresh)
        if self.errors:
            raise self.errors.pop(0)
        return "done"

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds

    def uniform(self, low: float, high: float) -> float:
        self.drawn.append((low, high))
        return high

    def run(self, retries: int = 3, patience: float = 1000) -> str:
        return retry.run(
            self.attempt, retries=retries, deadline=self.time + patience,
            sleep=self.sleep, clock=lambda: self.time, uniform=self.uniform,
        )  # fmt: skip


@pytest.fixture(autouse=True)
def real_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pauses as they are shipped; here nobody sleeps."""
    monkeypatch.setattr(retry, "_FIRST_PAUSE", 0.5)
    monkeypatch.setattr(retry, "_LEAST_PAUSE", 0.1)


def transient(after: float | None = None) -> VaultError:
    """A fault that may pass."""
    return VaultError("busy", retry=Retry.TRANSIENT, retry_after=after)


def refused(world: World, **options: t.Any) -> LoginError:
    """The error that the loop ends with."""
    with pytest.raises(LoginError) as caught:
        world.run(**options)
    return caught.value


def test_first_works() -> None:
    """One attempt, no pause."""
    world = World()
    assert world.run() == "done"
    assert (world.fresh, world.slept) == ([False], [])


def test_permanent_is_not_tried_again() -> None:
    """It stays as it is, in words too."""
    world = World(LoginError("no"))
    assert str(refused(world)) == "no"
    assert world.fresh == [False]


def test_transient_backs_off_with_full_jitter() -> None:
    """The bound doubles up to its limit; what is drawn is slept."""
    world = World(*[transient() for _number in range(7)])
    assert world.run(retries=7) == "done"
    assert world.drawn == [(0, bound) for bound in (0.5, 1, 2, 4, 8, 8, 8)]
    assert world.slept == [0.5, 1, 2, 4, 8, 8, 8]
    assert not any(world.fresh)


def test_retries_end() -> None:
    """The last error says how often and how long."""
    world = World(*[transient() for _number in range(9)])
    assert str(refused(world, retries=2)) == "busy (3 attempts in 2 s)"
    assert len(world.fresh) == 3


def test_no_retries() -> None:
    """0 means one attempt."""
    world = World(transient())
    assert str(refused(world, retries=0)) == "busy"


def test_there_is_always_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even if the draw is 0: no hot loop."""
    world = World(transient())
    monkeypatch.setattr(world, "uniform", lambda _low, _high: 0.0)
    assert world.run() == "done"
    assert world.slept == [0.1]


def test_retry_after_counts() -> None:
    """The server's own pause, and the drawn one on top, as it rounds down and tells all its clients the same."""
    world = World(transient(after=7), transient(after=0))
    assert world.run() == "done"
    assert world.slept == [7.5, 1]


def test_deadline() -> None:
    """No pause goes past it."""
    world = World(*[transient() for _number in range(9)])
    refused(world, retries=9, patience=4)
    assert sum(world.slept) < 4
    world = World(transient(after=100), transient())
    refused(world, patience=30)
    assert world.slept == []


def test_resign_once_and_at_once() -> None:
    """A refused signature is made anew once, with credentials read anew."""
    world = World(VaultError("expired", retry=Retry.RESIGN))
    assert world.run() == "done"
    assert (world.fresh, world.slept) == ([False, True], [])
    world = World(*[VaultError("expired", retry=Retry.RESIGN) for _number in range(3)])
    assert "2 attempts" in str(refused(world))
    assert world.fresh == [False, True]


def test_resign_then_transient() -> None:
    """Each kind has its own budget."""
    world = World(transient(), VaultError("expired", retry=Retry.RESIGN), transient())
    assert world.run(retries=2) == "done"
    assert world.fresh == [False, False, True, True]


def test_other_exceptions_pass() -> None:
    """A fault of ours is not hidden."""

    def attempt(_fresh: bool) -> t.NoReturn:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        retry.run(attempt, retries=3, deadline=0)
