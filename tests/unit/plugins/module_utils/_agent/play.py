# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A lifecycle on a clock that tests move, with sinks that work unless a test says otherwise."""

from __future__ import annotations

import dataclasses
import math
import typing as t

from ansible_collections.vaultfleet.aws.plugins.module_utils._agent import lifecycle
from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.messages import (
    Action,
    Checked,
    Event,
    Exit,
    Failed,
    Failure,
    Lease,
    LoggedIn,
    Policy,
    Purpose,
    Put,
    Renewed,
    Request,
    Say,
    SinkHolds,
    Started,
    Tick,
)
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.errors import Retry
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.token import Standing

A = t.TypeVar("A")
POLICY = Policy(sinks=1)
AWAY = Failure("the server is away")
DENIED = Failure("permission denied", Retry.PERMANENT, denied=True)
WRONG_ROLE = Failure("no such role", Retry.PERMANENT)
BAD_SIGNATURE = Failure("the signature is refused", Retry.RESIGN)
NO_CREDENTIALS = Failure("no credentials", credentials=True)
SEEDS = range(100)


class Play:
    """One lifecycle. now: long after boot at first. actions: all that there were, with their times."""

    def __init__(self, policy: Policy = POLICY, seed: int = 1, now: float = 1000.0, sinks_work: bool = True) -> None:
        self.state = lifecycle.initial(policy, seed)
        self.now = now
        self.sinks_work = sinks_work
        self.actions: list[tuple[float, Action]] = []
        self.number = 0

    def feed(self, event: Event, after: float = 0.0) -> list[Action]:
        """Let ``event`` come after so many seconds in which nothing was due; return what follows."""
        self.now += after
        self.state, actions = lifecycle.step(self.state, event, self.now)
        seen = list(actions)
        self.actions += [(self.now, action) for action in actions]
        for action in actions:
            if isinstance(action, Put) and self.sinks_work:
                wrote = self.state.sinks[action.sink].holds != action.number
                seen += self.feed(SinkHolds(action.sink, action.number, wrote))
        return seen

    def until(self, time: float) -> list[tuple[float, Action]]:
        """Let time pass up to ``time``; return what was done meanwhile, and when."""
        first = len(self.actions)
        while lifecycle.wake(self.state) <= time:
            self.now = max(self.now, lifecycle.wake(self.state))
            self.feed(Tick())
        self.now = max(self.now, time)
        return self.actions[first:]

    def next_request(self, within: float = math.inf) -> Request | None:
        """Return the request under way, or let time pass until one begins; None if none does within so many seconds."""
        if self.state.busy is not None:
            return [action for _time, action in self.actions if isinstance(action, Request)][-1]
        end = self.now + within
        while lifecycle.wake(self.state) <= end and lifecycle.wake(self.state) < math.inf:
            self.now = max(self.now, lifecycle.wake(self.state))
            found = only(self.feed(Tick()), Request)
            if found:
                return found[0]
        return None

    def lease(self, ttl: float = 3600.0, renewable: bool = True, **values: t.Any) -> Lease:
        """The lease of a new token that was asked for now."""
        self.number += 1
        return Lease(self.number, self.now, ttl, renewable, **values)

    def log_in(self, ttl: float = 3600.0, renewable: bool = True, **values: t.Any) -> list[Action]:
        """Start, and let the first login work; the lookup that follows has not ended."""
        if self.state.busy is None:
            self.feed(Started())
        if self.state.busy is None:
            self.next_request()
        assert self.state.busy is Purpose.LOGIN
        return self.feed(LoggedIn(self.lease(ttl, renewable, **values)))

    def serve(self, ttl: float = 3600.0, renewable: bool = True, **values: t.Any) -> Play:
        """The same, and the lookup shows that the token lives; from then on nothing is under way."""
        self.log_in(ttl, renewable, **values)
        if self.state.busy is Purpose.CHECK:
            self.live()
        assert self.state.busy is None
        return self

    def live(self) -> list[Action]:
        """A lookup that is under way shows the lease that is known."""
        return self.feed(Checked(self.number, Standing.LIVE, self.held))

    def renew(self, ttl: float = 3600.0) -> list[Action]:
        """The renewal under way works."""
        return self.feed(Renewed(Lease(self.number, self.now, ttl, True)))

    def fail(self, purpose: Purpose, failure: Failure = AWAY) -> list[Action]:
        """The request under way, which is for ``purpose``, fails."""
        assert self.state.busy is purpose
        return self.feed(Failed(purpose, failure))

    @property
    def held(self) -> Lease:
        """The token that is held."""
        assert self.state.lease is not None
        return self.state.lease

    @property
    def share(self) -> float:
        """How much of the lease is over."""
        return (self.now - self.held.since) / self.held.ttl

    def due(self, purpose: Purpose) -> float:
        """In how many seconds a request of this purpose is due."""
        return self.state.timers[purpose].due - self.now

    def texts(self, level: str) -> list[str]:
        """What was said at this level."""
        return [say.text for _time, say in self.actions if isinstance(say, Say) and say.level == level]

    @property
    def code(self) -> int | None:
        """The exit code, or None before the end."""
        codes = [action.code for _time, action in self.actions if isinstance(action, Exit)]
        assert len(codes) <= 1
        return codes[0] if codes else None


def only(actions: t.Iterable[Action], kind: type[A]) -> list[A]:
    """Those of this kind."""
    return [action for action in actions if isinstance(action, kind)]


def purposes(actions: t.Iterable[Action]) -> list[Purpose]:
    """What the requests among these are for."""
    return [request.purpose for request in only(actions, Request)]


def policy(**values: t.Any) -> Policy:
    """The usual policy but for these values."""
    return dataclasses.replace(POLICY, **values)
