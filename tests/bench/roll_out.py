# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rows of the role: roll-outs to more and more booted hosts, and runs there that have nothing to do.

Controller and hosts share the processors of one machine here, so that the clock tells of both. What a host costs the
controller is told by the processor time of ansible-playbook and of all that it starts: in the field that is what is
shared by all hosts, while each has a processor of its own for its part.
"""

from __future__ import annotations

import os
import sys
import time
import typing as t
from dataclasses import dataclass
from pathlib import Path

from tests.fleet.fleet import Wish, running
from tests.fleet.role import bundles
from tests.stack.handle import Stack
from tests.tools.project import ToolError

from .numbers import Bound, Comparison, Spread
from .tables import Table

if t.TYPE_CHECKING:
    from tests.fleet.role.runs import Runner

RELEASE = "trixie"
EXECUTIONS = 16  # modules per host, of a run that has nothing to do
GROWTH = 1.2  # what one more host costs among many, over what it costs among few
PAPER = 50  # hosts


@dataclass(frozen=True)
class Size:
    """How much is measured: so many hosts at once, from few to many."""

    hosts: tuple[int, ...] = (1, 3, 6, 12)


QUICK = Size(hosts=(1, 3))


@dataclass(frozen=True)
class Cost:
    """Of one run: seconds on the clock, seconds of the controller's processors, modules executed on each host."""

    wall: float
    processor: float
    executions: list[int]


@dataclass(frozen=True)
class Rows:
    """By number of hosts. boot: seconds until all of them were there."""

    boot: dict[int, float]
    first: dict[int, Cost]
    again: dict[int, Cost]


def possible() -> bool:
    """Whether this machine can boot hosts."""
    return sys.platform == "linux" and os.geteuid() == 0


def measure(stack: Stack, folder: Path, quick: bool) -> Rows:
    """Measure, on new hosts for each number of them. Raises FleetError, or ToolError if a run fails."""
    from tests.fleet.role.runs import Runner  # needs Ansible, which who only draws what was measured does not have

    size = QUICK if quick else Size()
    bundles.current()
    rows = Rows({}, {}, {})
    for number in size.hosts:
        place = folder / f"fleet-{number}"
        hosts, runs = place / "hosts", place / "runs"
        for made in (hosts, runs):
            made.mkdir(parents=True)
        names = [f"host{index}" for index in range(number)]
        wishes = {
            name: Wish(RELEASE, stack.instances[index % len(stack.instances)]) for index, name in enumerate(names)
        }
        start = time.monotonic()
        with running(stack, hosts, wishes) as fleet:
            rows.boot[number] = time.monotonic() - start
            runner = Runner(fleet, runs)
            runner.prepare()
            rows.first[number] = _run(runner, number)
            rows.again[number] = _run(runner, number, idle=True)
    return rows


def bounds(rows: Rows) -> list[Bound]:
    """What they have to keep."""
    executions = [number for cost in rows.again.values() for number in cost.executions]
    found = [Bound("role, nothing to do, modules a host", Spread.of([max(executions)]), EXECUTIONS)]
    if len(rows.first) > 2:
        for name, costs in (("first", rows.first), ("second", rows.again)):
            found.append(Bound(f"{name} run, one more host: many / few", Spread.of([_growth(costs)]), GROWTH))
    return found


def comparisons(rows: Rows) -> list[Comparison]:
    """A run with nothing to do beside the first one; there is no peer."""
    hosts = max(rows.first)
    first, again = ([costs[hosts].processor / hosts] for costs in (rows.first, rows.again))
    return [Comparison.of("role, nothing to do, a host: s of the controller", again, "the first run", first)]


def tables(rows: Rows) -> list[Table]:
    """What was measured."""
    runs = (("first run", rows.first), ("nothing to do", rows.again))
    costs_of_runs = [
        (f"{name}, {number} hosts", *(f"{value:.1f} ({value / number:.2f})" for value in (cost.wall, cost.processor)))
        for name, costs in runs
        for number, cost in costs.items()
    ]
    few, *_others, many = sorted(rows.first)
    more = []
    for name, costs in runs:
        each = _each(costs, few, many)
        more.append((name, f"{each:.2f}", f"{costs[many].processor + each * (PAPER - many):.0f}"))
    columns = ("", "on the clock", "of the controller's processors")
    booted = [(f"{number} hosts", f"{seconds:.1f}") for number, seconds in rows.boot.items()]
    return [
        Table("the role on booted hosts, a fork for each, seconds: all, and a host's part", columns, costs_of_runs),
        Table("the controller's processors, seconds", ("", "one more host", f"{PAPER} hosts, on paper"), more),
        Table("boot of so many hosts", ("", "seconds"), booted),
    ]


def _each(costs: dict[int, Cost], few: int, many: int) -> float:
    """What one more host costs the controller between two numbers of hosts, in seconds of a processor."""
    return (costs[many].processor - costs[few].processor) / (many - few)


def _growth(costs: dict[int, Cost]) -> float:
    few, *_others, more, many = sorted(costs)
    return _each(costs, more, many) / _each(costs, few, more)


def _run(runner: Runner, forks: int, idle: bool = False) -> Cost:
    done = runner.role("--forks", str(forks))
    if done.rc != 0:
        raise ToolError(f"a roll-out failed:\n{done.shown}")
    if idle and any(done.changed.values()):
        raise ToolError(f"there was something to do in the second run:\n{done.shown}")
    return Cost(done.wall, done.processor, [len(modules) for modules in done.executed.values()])
