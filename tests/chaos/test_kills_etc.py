# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The trials of kills, disks, clocks and servers: a few quick ones, and that what watches the victims sees faults."""

from __future__ import annotations

import functools
import os
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.vaultfleet.aws.plugins.module_utils._agent import lifecycle
from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.messages import (
    Failed,
    Failure,
    Policy,
    Purpose,
    Request,
    Started,
    Tick,
)
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.errors import Retry
from tests.chaos import clocks, disks, hosts, kills, places, servers
from tests.chaos.confined import confined
from tests.chaos.trial import NO_TORN_SINK, NO_WRONG_TOKEN, Ground, LeftOut, Trial
from tests.chaos.victims import Reader, told, tries_within
from tests.stack.handle import Stack

PROJECT = Path(__file__).parents[2]
QUICK = [
    Trial("kills", "agent", functools.partial(kills.storeless, times=1)),
    Trial("kills", "lock holder", kills.lock_holder),
    Trial("disks", "command", next(one.run for one in disks.trials() if "login --store" in one.name)),
    Trial("clocks", "agent", functools.partial(clocks.serving, step=-clocks.HOUR)),
    Trial("servers", "lookup", servers.revoked_of_lookup),
]


@pytest.fixture(scope="module")
def stack() -> Stack:
    """The stack that runs."""
    return Stack.load(os.environ.get("VAULTFLEET_STACK_DIR", str(PROJECT / ".stack")))


@pytest.mark.parametrize("trial", QUICK, ids=lambda trial: f"{trial.group}-{trial.name}")
def test_trial(trial: Trial, stack: Stack, tmp_path: Path) -> None:
    """It finds that all is kept, or says what it lacks."""
    folder = tmp_path / "trial"
    folder.mkdir()
    tried = confined(trial, Ground(stack, folder, random.Random(1)), set)
    if tried.left_out:
        pytest.skip(tried.left_out)
    assert tried.findings
    assert [one for one in tried.findings if not one.kept] == [], tried.said
    assert stack.healthy()


def test_a_reader_sees_faults(stack: Stack, tmp_path: Path) -> None:
    """Half a token, none at all, one of somebody else, and one that the server does not know."""
    policies = {"policies": ["demo-read", "of-somebody"], "ttl": "1m"}
    mine, other = (str(stack.root("POST", "auth/token/create", policies)["auth"]["client_token"]) for _time in range(2))
    path = tmp_path / "token"
    path.write_text(mine, encoding="ascii")
    with Reader(stack, path, "of-somebody") as good:
        _until(lambda: mine in good.accepted)
    assert [one.kept for one in good.findings()] == [True, True]
    with Reader(stack, path, "of-me") as reader:
        _until(lambda: reader.wrong == 1)
        for torn in (other[:8], ""):
            path.write_text(torn, encoding="ascii")
            _until(lambda: torn in reader.texts)  # noqa: B023
        path.write_text(other[:-1], encoding="ascii")
        _until(lambda: reader.refused >= 1)
        path.unlink()
        _until(lambda: any("could not be read" in one for one in reader.torn))
    found = {one.promise: one for one in reader.findings()}
    assert not found[NO_TORN_SINK].kept
    assert not found[NO_WRONG_TOKEN].kept
    assert not any(text in one.saw for text in (mine, other) for one in reader.findings())


def test_a_message_is_shown_where_it_matters() -> None:
    """Without when and where it was; of a long line, the words that were looked for."""
    line = (
        "2026-11-21T20:00:00.000Z [ERROR] agent: cannot write /tmp/some/where/token: full " + "x" * 300 + " make room"
    )
    assert told(line, "cannot write").saw.startswith("[ERROR] agent: cannot write token: full x")
    assert "make room" in told(line, "make room").saw
    assert not told(line, "something else").kept
    assert not told(f"{line}\nTraceback (most recent call last):", "make room").kept


@pytest.mark.parametrize(("least", "most"), [(1, 4), (1, 300), (5, 5), (2, 60)])
def test_bound_of_logins(least: float, most: float) -> None:
    """The agent's own plan never asks more often than the bound says, whatever it draws, and comes near to it."""
    lasting = 20 * most
    bound = tries_within(least, most, lasting)
    seen = [_refused(Policy(sinks=1, min_backoff=least, max_backoff=most), seed, lasting) for seed in range(100)]
    assert 0.6 * bound < max(seen) <= bound


def _refused(policy: Policy, seed: int, lasting: float) -> int:
    """How many logins an agent begins within so many seconds, if each fails at once."""
    now = begun = 1000.0
    state, actions = lifecycle.step(lifecycle.initial(policy, seed), Started(None), now)
    logins = 0
    while now <= begun + lasting:
        if any(isinstance(action, Request) and action.purpose is Purpose.LOGIN for action in actions):
            logins += 1
            state, actions = lifecycle.step(state, Failed(Purpose.LOGIN, Failure("refused", Retry.TRANSIENT)), now)
        elif (now := lifecycle.wake(state)) <= begun + lasting:
            state, actions = lifecycle.step(state, Tick(), now)
    return logins


def test_without_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes root's rights is left out, and says so."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    for work in (places.move_away, lambda: hosts._host().__enter__()):
        with pytest.raises(LeftOut, match="root"):
            work()


def _until(condition: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.01)
