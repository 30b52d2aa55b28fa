# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rows of the lookup: measured, judged and put into words."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from pathlib import Path

from tests.stack.handle import Stack

from . import fleet, hit, lookups, memory, race
from .lookups import Cost
from .numbers import Bound, Comparison, Spread, ratio
from .tables import Table

OVER_PEER = 0.75  # our run over the peer's
OVER_CONSTANT = 1.25  # our run over that with a constant
HIT = 5.0  # milliseconds of one hit over what stands in its place
RESIDENT = 2.0  # MiB of a worker over the constant's
BOUND_FORKS = 10  # the bounds of a run are held against these


@dataclass(frozen=True)
class Size:
    """How much is measured. rounds: by forks, of ours and of the peer. wide: hosts of the run with one lookup each."""

    rounds: dict[int, tuple[int, int]]
    hosts: int = 100
    tasks: int = 10
    hit_hosts: int = 20
    hit_pairs: int = 9
    wide: int = 1000


FULL = Size({5: (2, 1), 10: (3, 2), 20: (2, 1), 50: (2, 1)})
QUICK = Size({5: (1, 1), 10: (1, 1), 20: (1, 1), 50: (1, 1)}, hosts=8, tasks=3, hit_hosts=10, hit_pairs=5, wide=150)


@dataclass(frozen=True)
class Rows:
    """All of it. runs: by forks. peer_reads: logins of a run in which the peer's lookup read secrets with our token."""

    hosts: int
    tasks: int
    runs: dict[int, fleet.Runs]
    hits: hit.Hits
    race: race.Race
    memory: memory.Memory
    peer_reads: int

    @property
    def name(self) -> str:
        """Of the runs."""
        return f"{self.hosts} x {self.tasks} lookups"


def measure(stack: Stack, folder: Path, quick: bool) -> Rows:
    """Measure; takes twenty minutes, most of them the peer's. Raises ToolError if a run fails."""
    size = QUICK if quick else FULL
    with lookups.fleet(stack, folder) as where:
        return Rows(
            hosts=size.hosts,
            tasks=size.tasks,
            race=race.measure(where),
            peer_reads=fleet.read_with_the_peer(where),
            hits=hit.measure(where, size.hit_hosts, size.hit_pairs),
            memory=memory.measure(where, size.wide),
            runs={
                forks: fleet.measure(where, forks, rounds, size.hosts, size.tasks)
                for forks, rounds in size.rounds.items()
            },
        )


def bounds(rows: Rows) -> list[Bound]:
    """What they have to keep."""
    runs = rows.runs[BOUND_FORKS]
    ours, constant, peer = _walls(runs.ours), _walls(runs.constant), _walls(runs.peer)
    name = f"{rows.name}, {BOUND_FORKS} forks"
    wide = f"{rows.memory.hosts} hosts"
    more = statistics.median(rows.memory.ours.resident) - statistics.median(rows.memory.constant.resident)
    return [
        *(
            Bound(f"{rows.name}, {forks} forks: logins", _logins(found.ours), 1, exactly=True)
            for forks, found in rows.runs.items()
        ),
        Bound(f"{name}: ours / peer", ratio(ours[: len(peer)], peer), OVER_PEER),
        Bound(f"{name}: ours / constant", ratio(ours, constant), OVER_CONSTANT),
        Bound("hit over a constant, ms", Spread.of(rows.hits.over_constant), HIT),
        Bound("hit over a bare lookup, ms", Spread.of(rows.hits.over_nothing), HIT),
        Bound(f"{race.PROCESSES} processes race: logins", Spread.of([rows.race.logins]), 1, exactly=True),
        Bound(f"{wide}: logins", _logins([rows.memory.ours.cost]), 1, exactly=True),
        Bound(f"{wide}: MiB over a constant", Spread.of([more]), RESIDENT),
    ]


def comparisons(rows: Rows) -> list[Comparison]:
    """Ours beside the peer, and beside a constant."""
    found = []
    for forks, runs in rows.runs.items():
        name = f"{rows.name}, {forks} forks"
        logins = [[cost.logins for cost in costs] for costs in (runs.ours, runs.peer)]
        found.append(Comparison.of(f"{name}: logins", logins[0], "peer", logins[1]))
        for other, costs in (("peer", runs.peer), ("a constant", runs.constant)):
            found.append(Comparison.of(f"{name}: s", _walls(runs.ours), other, _walls(costs)))
        each = [_each(rows, costs, runs.constant) for costs in (runs.ours, runs.peer)]
        found.append(Comparison.of(f"{name}: ms of a processor each, over a constant", each[0], "peer", each[1]))
    return found


def _each(rows: Rows, costs: list[Cost], floor: list[Cost]) -> list[float]:
    """Milliseconds of a processor that one lookup takes above the floor."""
    lookups_of_run = rows.hosts * rows.tasks
    return [(one.processor - other.processor) * 1000 / lookups_of_run for one, other in zip(costs, floor, strict=False)]


def tables(rows: Rows) -> list[Table]:
    """What was measured."""
    runs = [
        (
            f"{forks} forks: {name}",
            Spread.of(_walls(costs)).text(1),
            Spread.of([one.processor for one in costs]).text(1),
            _logins(costs).text(0),
        )
        for forks, found in rows.runs.items()
        for name, costs in (("ours, with the callback", found.ours), ("peer", found.peer), ("constant", found.constant))
    ]
    hits = [
        (name, Spread.of(clock).text(1), Spread.of(processor_ms).text(1))
        for name, clock, processor_ms in (
            ("with the callback, over a constant", rows.hits.over_constant, rows.hits.over_constant_processor),
            ("without it, over a lookup that does nothing", rows.hits.over_nothing, rows.hits.over_nothing_processor),
        )
    ]
    workers = [
        (name, Spread.of(found.resident).text(1), f"{found.cost.wall:.1f}", str(found.cost.logins))
        for name, found in (("ours, with the callback", rows.memory.ours), ("constant", rows.memory.constant))
    ]
    others = [
        (
            f"{race.PROCESSES} processes race for the first token",
            f"{rows.race.logins} login, {rows.race.tokens} token, {rows.race.seconds:.2f} s until the last one had it",
        ),
        ("the peer's vault_kv2_get on 3 hosts, with our lookup as its token", f"{rows.peer_reads} login"),
    ]
    named = f"{rows.hosts} hosts x {rows.tasks} lookup tasks, seconds"
    wide = f"{rows.memory.hosts} hosts x 1 lookup, {memory.FORKS} forks: the most MiB resident of a worker"
    return [
        Table(named, ("", "on the clock", "of a processor", "logins"), runs),
        Table("one hit in a fresh worker, milliseconds", ("", "on the clock", "of a processor"), hits),
        Table(wide, ("", "MiB (the highest is the worker that logs in)", "seconds", "logins"), workers),
        Table("one login for all", ("", ""), others),
    ]


def _walls(costs: list[Cost]) -> list[float]:
    return [cost.wall for cost in costs]


def _logins(costs: list[Cost]) -> Spread:
    return Spread.of([cost.logins for cost in costs])
