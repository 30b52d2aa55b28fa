# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What happened to the tokens of a fleet."""

from __future__ import annotations

import dataclasses
import math

from .server import Kind, Server, Token

MARGIN = 2.0  # seconds that the server must have been back before a token's end for its loss to be the agent's fault
_STEP = 1.0


@dataclasses.dataclass
class Record:
    """One fleet's history, filled by its agents.

    logins: that gave a token. lost: tokens that ended while their agent had no other. keepable: of those, the ones that
    the server would have renewed in time. given_up: tokens that worked and that the server would have renewed, replaced
    by a login, so that leases which hang on them end. gaps: (from, to) while an agent had no token that worked.
    """

    server: Server
    logins: int = 0
    lost: int = 0
    keepable: int = 0
    given_up: int = 0
    gaps: list[tuple[float, float]] = dataclasses.field(default_factory=list)

    def replaced(self, old: Token | None, since: float, now: float) -> None:
        """An agent that had ``old`` (None: never any) got another token now. since: when it began to want one."""
        self.logins += 1
        if old is None:
            self.gaps.append((since, now))
        elif old.ends <= now:
            self._lost(old)
            self.gaps.append((old.ends, now))
        elif old.cap - now > self.server.setup.ttl and self.server.up(Kind.RENEW, now):
            self.given_up += 1

    def left_without(self, old: Token | None, since: float, now: float) -> None:
        """An agent has no token that works at the end of the simulation."""
        if old is not None:
            self._lost(old)
        self.gaps.append((since if old is None else old.ends, math.inf))

    def _lost(self, token: Token) -> None:
        self.lost += 1
        ttl = self.server.setup.ttl
        # Every agent wants to renew in this last part of the lease.
        time = token.ends - 0.2 * ttl
        capped = token.ends >= token.cap
        while not capped and time + MARGIN < token.ends:
            if self.server.up(Kind.RENEW, time):
                self.keepable += 1
                return
            time += _STEP

    def without(self, time: float) -> int:
        """How many agents had no token that works at ``time``."""
        return sum(start <= time < end for start, end in self.gaps)

    def all_back(self, time: float) -> float:
        """Seconds after ``time`` until every agent had a token that works; infinite if that never came."""
        return max((end - time for start, end in self.gaps if end > time), default=0.0)
