# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The agent's states and what leads from one to the next, found by walking through the lifecycle itself."""

from __future__ import annotations

import random

from ansible_collections.vaultfleet.aws.plugins.module_utils._agent import lifecycle
from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.lifecycle import Phase, State
from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.messages import (
    Checked,
    Event,
    Failed,
    Failure,
    Lease,
    LoggedIn,
    Policy,
    Polled,
    Purpose,
    Put,
    Reloaded,
    Renewed,
    Retired,
    SinkFailed,
    SinkHolds,
    Started,
    Stop,
    Tick,
)
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.errors import Retry
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.token import Standing

WALKS, STEPS = 300, 200
TTL = 60.0  # seconds; short, so that walks come to the end of tokens
POLICY = Policy(sinks=1, max_backoff=30.0)
MAY_PASS = Failure("it may pass")
FOR_GOOD = Failure("for good", Retry.PERMANENT)
# Which causes are said first.
ORDER = [
    "a login works",
    "a login fails, and that may pass",
    "a login fails, and somebody must mend it",
    "a renewal works",
    "a renewal fails",
    "the sink holds the token",
    "the sink cannot be written",
    "the token is revoked",
    "the token ends",
    "a reload names another login",
    "SIGTERM",
]

Edge = tuple[Phase, str, Phase]


def diagram() -> str:
    """One tree for each state, its branches are what may happen there."""
    lines = [".. not run: a picture", ".. code-block:: text", ""]
    edges = found()
    for phase in Phase:
        branches = [(cause, to) for begin, cause, to in edges if begin is phase]
        lines.append(f"    {phase.value}")
        width = max((len(cause) for cause, _to in branches), default=0)
        for number, (cause, to) in enumerate(branches):
            corner = "`" if number == len(branches) - 1 else "|"
            lines.append(f"      {corner}-- {cause} {'-' * (width - len(cause))}--> {to.value}")
        lines.append("")
    return "\n".join(lines)


def found() -> list[Edge]:
    """Every step from one state to another that random walks come by."""
    edges = set()
    for seed in range(WALKS):
        edges |= _walk(random.Random(seed))  # noqa: S311 (no secret)
    phases = list(Phase)
    return sorted(edges, key=lambda edge: (phases.index(edge[0]), ORDER.index(edge[1]), phases.index(edge[2])))


def _walk(luck: random.Random) -> set[Edge]:
    state, now, number = lifecycle.initial(POLICY, luck.getrandbits(32)), 1000.0, 0
    edges: set[Edge] = set()
    puts: list[Put] = []
    state, _actions = lifecycle.step(state, Started(), now)
    for _step in range(STEPS):
        if state.exited:
            break
        event, cause = _event(state, now, number, puts, luck)
        if isinstance(event, Tick):
            wake = lifecycle.wake(state)
            now = max(now, min(wake, now + luck.choice([1.0, 10.0, 100.0])))
            ended = state.lease is not None and state.lease.ends <= now
            cause = "the token ends" if ended else cause
        number += isinstance(event, LoggedIn)
        before = lifecycle.phase(state)
        state, actions = lifecycle.step(state, event, now)
        puts += [action for action in actions if isinstance(action, Put)]
        after = lifecycle.phase(state)
        if after is not before:
            edges.add((before, cause, after))
    return edges


def _event(state: State, now: float, number: int, puts: list[Put], luck: random.Random) -> tuple[Event, str]:
    """What may happen next, and what a person calls it."""
    if luck.random() < 0.01:
        return Stop(), "SIGTERM"
    if luck.random() < 0.01:
        return Reloaded(POLICY, same_login=False), "a reload names another login"
    if puts:
        put = puts.pop(0)
        if luck.random() < 0.3:
            return SinkFailed(put.sink, "it cannot be written"), "the sink cannot be written"
        return SinkHolds(put.sink, put.number, True), "the sink holds the token"
    if state.busy is None:
        return Tick(), "time passes"
    return _outcome(state.busy, state, now, number, luck)


def _outcome(purpose: Purpose, state: State, now: float, number: int, luck: random.Random) -> tuple[Event, str]:
    works = luck.random() < 0.5
    failure, lasting = luck.choice([(MAY_PASS, False), (FOR_GOOD, True)])
    if purpose is Purpose.LOGIN and works:
        return LoggedIn(Lease(number + 1, now, TTL, True)), "a login works"
    if purpose is Purpose.LOGIN:
        how = "somebody must mend it" if lasting else "that may pass"
        return Failed(purpose, failure), f"a login fails, and {how}"
    if purpose is Purpose.RENEW:
        if works and state.lease is not None:
            return Renewed(Lease(state.lease.number, now, TTL, True)), "a renewal works"
        return Failed(purpose, failure), "a renewal fails"
    if purpose is Purpose.CHECK:
        gone = luck.random() < 0.2
        return Checked(number, Standing.GONE if gone else Standing.LIVE, None if gone else state.lease), (
            "the token is revoked"
        )
    return (Polled(False) if purpose is Purpose.POLL else Retired()), "time passes"
