# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the fleets go through."""

from __future__ import annotations

import dataclasses

from .server import Kind, Outage, Setup

MINUTE = 60.0
HOUR = 3600.0
BEGIN = 5 * MINUTE  # until then the agents of a fleet that has run for long have joined
AFTER = 15 * MINUTE  # how long is looked on after the server is back


@dataclasses.dataclass(frozen=True)
class Scenario:
    """One story. back: the moment after which the fleet's logins are counted. Times in seconds.

    booted: the whole fleet starts in the first second, without tokens; else it has run for long, with all tokens at
    random moments of their lives. revoked: when every token is revoked.
    """

    name: str
    text: str
    setup: Setup
    back: float
    booted: bool = False
    revoked: float | None = None

    @property
    def until(self) -> float:
        """When the simulation ends."""
        return self.back + AFTER


def _outage(name: str, ttl: float, length: float, text: str) -> Scenario:
    end = BEGIN + MINUTE + length
    return Scenario(name, text, Setup(ttl=ttl, outages=(Outage(BEGIN + MINUTE, end),)), end)


LOGINS = frozenset({Kind.LOGIN})
SCENARIOS = (
    _outage("outage", HOUR, 10 * MINUTE, "TTL 1 h, server away for 10 min"),
    _outage("outage-20m", 20 * MINUTE, 10 * MINUTE, "TTL 20 min, server away for 10 min"),
    _outage("outage-5m", 5 * MINUTE, 10 * MINUTE, "TTL 5 min, server away for 10 min: every token ends"),
    _outage("outage-long", HOUR, 75 * MINUTE, "TTL 1 h, server away for 75 min: every token ends"),
    Scenario("boot", "whole fleet boots at once, server up", Setup(), 0.0, booted=True),
    Scenario(
        "boot-away",
        "whole fleet boots at once, server comes 10 min later",
        Setup(outages=(Outage(0.0, 10 * MINUTE),)),
        10 * MINUTE,
        booted=True,
    ),
    Scenario("revoked", "every token is revoked at once", Setup(), BEGIN + MINUTE, revoked=BEGIN + MINUTE),
    Scenario("limit", "whole fleet boots at once, 50 logins/s, then 429", Setup(login_limit=50), 0.0, booted=True),
    Scenario(
        "logins-away",
        "TTL 20 min, only logins fail for 1 h",
        Setup(ttl=20 * MINUTE, outages=(Outage(BEGIN + MINUTE, BEGIN + MINUTE + HOUR, LOGINS),)),
        BEGIN + MINUTE + HOUR,
    ),
    Scenario(
        "logins-later",
        "TTL 20 min, server away for 3 min, logins for 30 min more",
        Setup(
            ttl=20 * MINUTE,
            outages=(
                Outage(BEGIN + MINUTE, BEGIN + 4 * MINUTE),
                Outage(BEGIN + 4 * MINUTE, BEGIN + 34 * MINUTE, LOGINS),
            ),
        ),
        BEGIN + 34 * MINUTE,
    ),
)
