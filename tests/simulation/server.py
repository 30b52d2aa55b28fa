# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The simulated Vault: one queue of work, outages, a limit for logins, tokens with a TTL and an end."""

from __future__ import annotations

import collections
import dataclasses
import enum
import math
import random

from .world import World


class Kind(enum.Enum):
    """What a request asks for."""

    LOGIN = "login"
    RENEW = "renew"
    LOOKUP = "lookup"


@dataclasses.dataclass(frozen=True)
class Outage:
    """From ``start`` to ``end`` requests of these kinds fail."""

    start: float
    end: float
    kinds: frozenset[Kind] = frozenset(Kind)


@dataclasses.dataclass(frozen=True)
class Setup:
    """What the server is like. Times in seconds, rates per second.

    ttl, longest: of each token (TTL, and maximum TTL: Vault's default). cost: seconds of the server's work that a
    request takes. patience: how much work may queue up before it answers 503. login_limit: logins per second above
    which it answers 429 with a Retry-After of a second, as rate limit quotas do; infinite without a limit.
    """

    ttl: float = 3600.0
    longest: float = 768 * 3600.0
    outages: tuple[Outage, ...] = ()
    cost: tuple[tuple[Kind, float], ...] = ((Kind.LOGIN, 1 / 200), (Kind.RENEW, 1 / 1000), (Kind.LOOKUP, 1 / 2000))
    patience: float = 10.0
    login_limit: float = math.inf


class Token:
    """A token as the server knows it. cap: the end of its maximum TTL."""

    __slots__ = ("cap", "ends")

    def __init__(self, issued: float, ttl: float, longest: float) -> None:
        self.cap = issued + longest
        self.ends = min(issued + ttl, self.cap)

    def revoke(self, now: float) -> None:
        """End it, so that nothing brings it back."""
        self.ends = self.cap = min(self.ends, now)


@dataclasses.dataclass(frozen=True)
class Answer:
    """What comes back after ``delay`` seconds. status: None if the server was not reached. ttl: what is left."""

    delay: float
    status: int | None
    token: Token | None = None
    ttl: float = 0.0
    retry_after: float | None = None


class Server:
    """Answers requests and counts them. arrived, answered: how many of a kind in a second; answered with 200."""

    def __init__(self, world: World, setup: Setup, seed: int) -> None:
        self.world = world
        self.setup = setup
        self.luck = random.Random(seed)  # noqa: S311 (latency)
        self.arrived: dict[Kind, collections.Counter[int]] = {kind: collections.Counter() for kind in Kind}
        self.answered: dict[Kind, collections.Counter[int]] = {kind: collections.Counter() for kind in Kind}
        self._cost = dict(setup.cost)
        self._free = 0.0  # when the queue is empty
        self._second = (-1, 0)  # logins let in within this second

    def up(self, kind: Kind, time: float) -> bool:
        """Whether requests of this kind are served at ``time``."""
        return not any(o.start <= time < o.end and kind in o.kinds for o in self.setup.outages)

    def ask(self, kind: Kind, token: Token | None) -> Answer:
        """Take in a request that arrives now."""
        now = self.world.now
        self.arrived[kind][int(now)] += 1
        delay = self.luck.uniform(0.005, 0.025)
        if not self.up(kind, now):
            return Answer(delay, None)
        if kind is Kind.LOGIN and not self._let_in(now):
            return Answer(delay, 429, retry_after=1.0)
        if self._free - now > self.setup.patience:
            return Answer(delay, 503)
        self._free = max(self._free, now) + self._cost[kind]
        delay += self._free - now
        done = self._free
        if kind is Kind.LOGIN:
            token = Token(done, self.setup.ttl, self.setup.longest)
        elif token is None or token.ends <= done:
            return Answer(delay, 403)
        elif kind is Kind.RENEW:
            token.ends = min(done + self.setup.ttl, token.cap)
        self.answered[kind][int(done)] += 1
        return Answer(delay, 200, token, float(int(token.ends - done)))

    def _let_in(self, now: float) -> bool:
        second, count = self._second
        count = count + 1 if second == int(now) else 1
        self._second = (int(now), count)
        return count <= self.setup.login_limit
