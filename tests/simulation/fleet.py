# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sends a fleet through a scenario."""

from __future__ import annotations

import collections
import dataclasses
import random
import typing as t

from .ours import OurAgent
from .record import Record
from .scenarios import BEGIN, Scenario
from .server import Kind, Server, Token
from .theirs import TheirAgent
from .world import World

Agent = OurAgent | TheirAgent
FLEETS: dict[str, type[Agent]] = {"ours": OurAgent, "Vault Agent": TheirAgent}


@dataclasses.dataclass(frozen=True)
class Result:
    """What came of it. Rates per second, of what arrived from the moment that the scenario calls ``back``.

    peak_1, peak_10: logins, the highest over 1 s and 10 s. renewals_10: renewals, over 10 s. tried, worked: logins.
    without: agents with no token that works at ``back``. lost, keepable, given_up: see Record. all_back: seconds until
    each agent had one. logins: for each second of the whole simulation, those that arrived.
    """

    peak_1: float
    peak_10: float
    renewals_10: float
    tried: int
    worked: int
    without: int
    lost: int
    keepable: int
    given_up: int
    all_back: float
    logins: t.Sequence[int]


def send(fleet: str, scenario: Scenario, agents: int, seed: int) -> Result:
    """Send ``agents`` agents through the scenario. The same seed gives every fleet the same machines."""
    world = World()
    server = Server(world, scenario.setup, seed)
    record = Record(server)
    luck = random.Random(seed)  # noqa: S311 (a simulation)
    members: list[Agent] = []
    for number in range(agents):
        agent = FLEETS[fleet](world, server, record, random.Random(seed * 1_000_003 + number))  # noqa: S311
        members.append(agent)
        moment = luck.uniform(0.0, 1.0 if scenario.booted else BEGIN)
        world.at(moment, agent.start, None if scenario.booted else _aged(scenario, moment, luck))
    if scenario.revoked is not None:
        world.at(scenario.revoked, _revoke, members)
    world.run(scenario.until)
    for agent in members:
        agent.end()
    logins, answered = server.arrived[Kind.LOGIN], server.answered[Kind.LOGIN]
    first, last = int(scenario.back), int(scenario.until)
    return Result(
        peak_1=_peak(logins, first, last, 1),
        peak_10=_peak(logins, first, last, 10),
        renewals_10=_peak(server.arrived[Kind.RENEW], first, last, 10),
        tried=sum(logins[second] for second in range(first, last)),
        worked=sum(answered[second] for second in range(first, last)),
        without=record.without(scenario.back),
        lost=record.lost,
        keepable=record.keepable,
        given_up=record.given_up,
        all_back=record.all_back(scenario.back),
        logins=[logins[second] for second in range(last)],
    )


def _aged(scenario: Scenario, now: float, luck: random.Random) -> Token:
    """A token of an agent that has run for long, at a random moment between two renewals and before its maximum TTL."""
    setup = scenario.setup
    return Token(now, setup.ttl * (1 - luck.uniform(0.0, 0.7)), luck.uniform(0.3 * setup.ttl, setup.longest))


def _revoke(members: t.Sequence[Agent]) -> None:
    for agent in members:
        if agent.token is not None:
            agent.token.revoke(agent.world.now)


def _peak(counts: collections.Counter[int], first: int, last: int, width: int) -> float:
    total = sum(counts[second] for second in range(first, first + width))
    best = total
    for second in range(first + width, last):
        total += counts[second] - counts[second - width]
        best = max(best, total)
    return best / width
