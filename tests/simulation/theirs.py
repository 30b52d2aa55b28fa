# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Vault Agent's documented algorithm (auth handler and lifetime watcher), for comparison only.

As OpenBao 2.7 was observed to work: the token is renewed right after the login and then at 70.0 to 73.3 % of its lease,
at a phase that stays; a failed renewal is tried again after 10 s, 20 s ... with 50 % jitter, until the next pause would
end within the grace period (10 to 20 % of the lease); from there on only logins are tried, at once and then after
``min_backoff``, doubled up to ``max_backoff`` less 0 to 25 %. Retry-After is not heeded, no start is spread.
"""

from __future__ import annotations

import random

from .record import Record
from .server import Answer, Kind, Server, Token
from .world import World

MIN_BACKOFF = 1.0
MAX_BACKOFF = 300.0
RENEWAL_BACKOFF = 10.0


class TheirAgent:
    """One agent. since: when it began, or lost its token."""

    def __init__(self, world: World, server: Server, record: Record, luck: random.Random) -> None:
        self.world = world
        self.server = server
        self.record = record
        self.luck = luck
        self.token: Token | None = None
        self.since = 0.0
        self._backoff = 0.0
        self._renewal_backoff = 0.0
        self._grace = 0.0
        self._ends = 0.0
        self._left = 0.0

    def start(self, token: Token | None) -> None:
        """Begin now, with a token in use since it was last renewed, or without one."""
        self.token, self.since = token, self.world.now
        if token is None:
            self._log_in()
            return
        # It is taken over in the middle of a lease, so that a fleet can be looked at that has run for long.
        ttl = self.server.setup.ttl
        self._ends = token.ends
        self._draw_grace(ttl)
        self._sleep_until(max(self.world.now, token.ends - ttl + ttl * 2 / 3 + self._grace / 3))

    def end(self) -> None:
        """The simulation ends now."""
        if self.token is None or self.token.ends <= self.world.now:
            self.record.left_without(self.token, self.since, self.world.now)

    # --- auth handler

    def _log_in(self, _what: object = None) -> None:
        answer = self.server.ask(Kind.LOGIN, None)
        self.world.at(self.world.now + answer.delay, self._logged_in, answer)

    def _logged_in(self, answer: Answer) -> None:
        if answer.status != 200:
            self._backoff = self._next_backoff()
            self.world.at(self.world.now + self._backoff, self._log_in)
            return
        self.record.replaced(self.token, self.since, self.world.now)
        self.token = answer.token
        self._backoff = self._renewal_backoff = 0.0
        self._ends = self.world.now + answer.ttl
        self._draw_grace(answer.ttl)
        self._renew()

    def _next_backoff(self) -> float:
        if not self._backoff:
            return MIN_BACKOFF
        return min(2 * self._backoff, MAX_BACKOFF) * self.luck.uniform(0.75, 1.0)

    # --- lifetime watcher

    def _draw_grace(self, ttl: float) -> None:
        self._grace = 0.1 * ttl + self.luck.uniform(0, 0.1 * ttl)
        self._left = ttl

    def _renew(self, _what: object = None) -> None:
        answer = self.server.ask(Kind.RENEW, self.token)
        self.world.at(self.world.now + answer.delay, self._renewed, answer)

    def _renewed(self, answer: Answer) -> None:
        now = self.world.now
        if answer.status == 200:
            self._renewal_backoff = 0.0
            self._ends = now + answer.ttl
            if answer.ttl > self._left:
                self._draw_grace(answer.ttl)
            self._left = answer.ttl
            sleep = answer.ttl * 2 / 3 + self._grace / 3
        else:
            self._renewal_backoff = min(2 * self._renewal_backoff or RENEWAL_BACKOFF, MAX_BACKOFF)
            sleep = self._renewal_backoff * self.luck.uniform(0.5, 1.5)
        left = self._ends - now
        if left <= self._grace or left - sleep <= self._grace:
            self._log_in()
        else:
            self._sleep_until(now + sleep)

    def _sleep_until(self, time: float) -> None:
        self.world.at(time, self._renew)
