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
from .numbers import Bound, Spread, ratio

OVER_PEER = 0.75  # our run over the peer's
OVER_CONSTANT = 1.25  # our run over that with a constant
HIT = 5.0  # milliseconds of one hit over what stands in its place
RESIDENT = 2.0  # MiB of a worker over the constant's


@dataclass(frozen=True)
class Size:
    """How much is measured. wide: hosts of the run with one lookup each."""

    rounds: int = 3
    hosts: int = 100
    tasks: int = 10
    hit_hosts: int = 20
    hit_pairs: int = 9
    wide: int = 1000


QUICK = Size(rounds=1, hosts=20, tasks=5, hit_hosts=10, hit_pairs=5, wide=150)


@dataclass(frozen=True)
class Rows:
    """All of it. peer_reads: logins of a run in which the peer's lookup read secrets with our token."""

    runs: fleet.Runs
    hits: hit.Hits
    race: race.Race
    memory: memory.Memory
    peer_reads: int


def measure(stack: Stack, folder: Path, size: Size) -> Rows:
    """Measure; takes eight minutes and more, most of them the peer's. Raises ToolError if a run fails."""
    with lookups.fleet(stack, folder) as where:
        return Rows(
            race=race.measure(where),
            peer_reads=fleet.read_with_the_peer(where),
            hits=hit.measure(where, size.hit_hosts, size.hit_pairs),
            memory=memory.measure(where, size.wide),
            runs=fleet.measure(where, size.rounds, size.hosts, size.tasks),
        )


def bounds(rows: Rows) -> list[Bound]:
    """What they have to keep."""
    runs = rows.runs
    ours, constant, peer = ([cost.wall for cost in costs] for costs in (runs.ours, runs.constant, runs.peer))
    name = f"{runs.hosts} x {runs.tasks} lookups"
    wide = f"{rows.memory.hosts} hosts"
    more = statistics.median(rows.memory.ours.resident) - statistics.median(rows.memory.constant.resident)
    return [
        Bound(f"{name}: logins", Spread.of([cost.logins for cost in runs.ours]), 1, exactly=True),
        Bound(f"{name}: ours / peer", ratio(ours[: len(peer)], peer), OVER_PEER),
        Bound(f"{name}: ours / constant", ratio(ours, constant), OVER_CONSTANT),
        Bound("hit over a constant, ms", Spread.of(rows.hits.over_constant), HIT),
        Bound("hit over a bare lookup, ms", Spread.of(rows.hits.over_nothing), HIT),
        Bound(f"{race.PROCESSES} processes race: logins", Spread.of([rows.race.logins]), 1, exactly=True),
        Bound(f"{wide}: logins", Spread.of([rows.memory.ours.cost.logins]), 1, exactly=True),
        Bound(f"{wide}: MiB over a constant", Spread.of([more]), RESIDENT),
    ]


def show(rows: Rows) -> None:
    """Print what was measured."""
    runs = rows.runs
    print(f"\n{runs.hosts} hosts x {runs.tasks} lookup tasks, forks {fleet.FORKS}, seconds")
    print(f"  {'':<24} {'on the clock':<26} {'of a processor':<26} logins")
    for name, costs in (("ours, with the callback", runs.ours), ("peer", runs.peer), ("constant", runs.constant)):
        wall, processor = Spread.of([one.wall for one in costs]), Spread.of([one.processor for one in costs])
        logins = ", ".join(str(one.logins) for one in costs)
        print(f"  {name:<24} {wall.text():<26} {processor.text():<26} {logins}")
    print("\none hit in a fresh worker, milliseconds")
    print(f"  {'':<48} {'on the clock':<22} of a processor")
    hits = rows.hits
    for name, clock, processor_ms in (
        ("with the callback, over a constant", hits.over_constant, hits.over_constant_processor),
        ("without it, over a lookup that does nothing", hits.over_nothing, hits.over_nothing_processor),
    ):
        print(f"  {name:<48} {Spread.of(clock).text(1):<22} {Spread.of(processor_ms).text(1)}")
    print(
        f"\n{race.PROCESSES} processes race for the first token: {rows.race.logins} login,"
        f" {rows.race.tokens} token, {rows.race.seconds:.2f} s until the last one had it"
    )
    print(f"\n{rows.memory.hosts} hosts x 1 lookup, forks {memory.FORKS}: the most MiB resident of a worker")
    for name, workers in (("ours, with the callback", rows.memory.ours), ("constant", rows.memory.constant)):
        cost = workers.cost
        print(
            f"  {name:<24} {Spread.of(workers.resident).text(1):<22} {cost.wall:.1f} s, {cost.logins} logins"
            + (" (the highest is the worker that logs in)" if cost.logins else "")
        )
    print(f"\npeer's vault_kv2_get with our lookup as its token, 3 hosts: reads the secret, {rows.peer_reads} login")
