# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rows of a fleet after an outage: ten thousand agents on simulated time, ours and Vault Agent's algorithm."""

from __future__ import annotations

import gc
from dataclasses import dataclass
from pathlib import Path

from tests.simulation.fleet import FLEETS, Result, send
from tests.simulation.report import SHARE
from tests.simulation.scenarios import SCENARIOS
from tests.stack.handle import Stack

from .numbers import Bound, Comparison, Spread, ratio
from .tables import Table

AGENTS = 10_000
QUICK = 1_000
SEEDS = (1, 2, 3)
NAMES = ("outage", "boot")  # of the scenarios


@dataclass(frozen=True)
class Peaks:
    """Of one fleet in one scenario, a value for each seed.

    one, ten: the peak of logins per second once the server is back, over 1 s and 10 s. back: seconds until all had a
    token.
    """

    one: list[float]
    ten: list[float]
    back: list[float]


@dataclass(frozen=True)
class Rows:
    """By scenario and fleet."""

    agents: int
    peaks: dict[str, dict[str, Peaks]]


def measure(stack: Stack, folder: Path, quick: bool) -> Rows:
    """Simulate; stack and folder are not needed."""
    agents = QUICK if quick else AGENTS
    seeds = SEEDS[:1] if quick else SEEDS
    peaks: dict[str, dict[str, Peaks]] = {}
    gc.disable()  # a quarter of the time; nothing there leaves cycles behind
    try:
        for scenario in (one for one in SCENARIOS if one.name in NAMES):
            peaks[scenario.name] = {
                fleet: _peaks([send(fleet, scenario, agents, seed) for seed in seeds]) for fleet in FLEETS
            }
    finally:
        gc.enable()
    return Rows(agents, peaks)


def _peaks(results: list[Result]) -> Peaks:
    return Peaks(*([getattr(one, name) for one in results] for name in ("peak_1", "peak_10", "all_back")))


def bounds(rows: Rows) -> list[Bound]:
    """What they have to keep."""
    ours, theirs = (rows.peaks["outage"][fleet] for fleet in FLEETS)
    return [
        Bound("fleet after an outage, logins in 1 s: ours / Vault Agent", ratio(ours.one, theirs.one), SHARE),
        Bound("fleet after an outage, logins in 10 s: ours / Vault Agent", ratio(ours.ten, theirs.ten), SHARE),
    ]


def comparisons(rows: Rows) -> list[Comparison]:
    """Ours beside Vault Agent's."""
    found = []
    for name, fleets in rows.peaks.items():
        ours, theirs = (fleets[fleet].ten for fleet in FLEETS)
        what = f"{rows.agents} agents, {name}: peak of logins/s, over 10 s"
        found.append(Comparison.of(what, ours, "Vault Agent's algorithm", theirs))
    return found


def tables(rows: Rows) -> list[Table]:
    """What was simulated."""
    texts = {scenario.name: scenario.text for scenario in SCENARIOS}
    lines = [
        (f"{texts[name]}: {fleet}", *(Spread.of(values).text(1) for values in (peaks.one, peaks.ten, peaks.back)))
        for name, fleets in rows.peaks.items()
        for fleet, peaks in fleets.items()
    ]
    columns = ("", "peak of logins/s, over 1 s", "over 10 s", "seconds until all had a token")
    return [Table(f"{rows.agents} agents on simulated time", columns, lines)]
