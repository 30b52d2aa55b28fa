# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rows of the agent: measured, judged and put into words."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.stack.handle import Stack

from . import agent_endurance, agent_floor, agents
from .agents import Agent, Memory, Running
from .numbers import Bound, Spread, ratio

RESIDENT = 0.4  # our resident memory over theirs
START = 4.0  # our seconds to a token over theirs
PROCESSOR = 1.5  # our seconds of a processor over theirs
GROWTH = 1.0  # MiB
_LOOKS = 5  # at memory and processor, on the way


@dataclass(frozen=True)
class Size:
    """How much is measured. seconds: of renewals."""

    starts: int = 9
    seconds: int = 600
    renewals: int = 10_000


QUICK = Size(starts=3, seconds=60, renewals=1000)


@dataclass(frozen=True)
class Look:
    """Both agents at one moment. processor: seconds since the first token, of ours and of theirs."""

    after: float
    ours: Memory
    theirs: Memory
    processor: tuple[float, float]


@dataclass(frozen=True)
class Rows:
    """All of it. floor: KiB. renewals: of ours and of theirs while they ran beside each other."""

    version: str
    floor: dict[str, int]
    starts: list[tuple[float, float]]
    looks: list[Look]
    renewals: tuple[int, int]
    endurance: agent_endurance.Endurance


def measure(stack: Stack, folder: Path, size: Size) -> Rows:
    """Measure; the two agents run beside each other. Raises ToolError if one of them fails."""
    with tempfile.TemporaryDirectory(prefix="vaultfleet-bench-", dir="/dev/shm") as memory:
        ours, theirs = (make(stack, folder, Path(memory)) for make in (agents.ours, agents.theirs))
        starts = [(_start(ours), _start(theirs)) for _round in range(size.starts + 1)]
        with ours.running() as mine, theirs.running() as other:
            looks = list(_looks(mine, other, size.seconds))
        return Rows(
            version=agents.version(stack),
            floor=agent_floor.measure(ours),
            starts=starts[1:],  # the first round fills caches, of bytecode above all
            looks=looks,
            renewals=(_renewals(ours), _renewals(theirs)),
            endurance=agent_endurance.measure(ours, size.renewals),
        )


def _start(agent: Agent) -> float:
    with agent.running() as running:
        return running.seconds


def _looks(ours: Running, theirs: Running, seconds: int) -> list[Look]:
    """Look at both while they renew."""
    time.sleep(1)  # what follows the first token: a lookup, a status file
    begun, before = time.monotonic(), (ours.processor(), theirs.processor())
    looks = []
    for number in range(1, _LOOKS + 1):
        time.sleep(max(0.0, begun + seconds * number / _LOOKS - time.monotonic()))
        used = (ours.processor() - before[0], theirs.processor() - before[1])
        looks.append(Look(time.monotonic() - begun, ours.memory(), theirs.memory(), used))
    return looks


def _renewals(agent: Agent) -> int:
    return agent.log.read_text(encoding="utf-8").count(": renewed ")


def bounds(rows: Rows) -> list[Bound]:
    """What they have to keep."""
    endurance, last = rows.endurance, rows.looks[-1]
    name = f"{endurance.samples[-1].renewals} renewals"
    resident = ratio(*([memory.resident for memory in each] for each in _memories(rows)))
    start = ratio([one for one, _other in rows.starts], [other for _one, other in rows.starts])
    rate = last.processor[0] / last.processor[1]
    return [
        Bound("resident: ours / bao agent", resident, RESIDENT),
        Bound("start to token: ours / bao agent", start, START),
        Bound(f"processor, {last.after:.0f} s: ours / bao agent", Spread.of([rate]), PROCESSOR),
        Bound(f"{name}: MiB grown", Spread.of([endurance.grown()]), GROWTH),
        *(
            Bound(f"{name}: {count} more", Spread.of([endurance.more(count)]), 0)
            for count in ("descriptors", "threads")
        ),
        Bound(f"{name}: logins", Spread.of([endurance.logins]), 1, exactly=True),
    ]


def show(rows: Rows) -> None:
    """Print what was measured."""
    last, endurance = rows.looks[-1], rows.endurance
    starts = [Spread.of([one * 1000 for one in values]).text(0) for values in zip(*rows.starts, strict=True)]
    print(f"\nour agent (iam, keys from a file) beside {rows.version} (agent, approle), token TTL {agents.TTL} s")
    _line("", "ours", "theirs")
    _line("start to the token in the sink, ms", *starts)
    for name, field in (
        ("resident, MiB", "resident"),
        ("its share where pages are shared (PSS), MiB", "share"),
        ("in no file (anonymous), MiB", "anonymous"),
    ):
        both = ([getattr(memory, field) / 1024 for memory in each] for each in _memories(rows))
        _line(name, *(Spread.of(values).text(1) for values in both))
    _line(f"of a processor in {last.after:.0f} s, ms", *(f"{one * 1000:.0f}" for one in last.processor))
    _line("renewals meanwhile", *(str(one) for one in rows.renewals))
    print("\nwhat our agent's memory is made of, MiB resident")
    for name, kib in rows.floor.items():
        print(f"  {name:<56} {kib / 1024:.1f}")
    hours = endurance.seconds / 3600
    print(f"\n{endurance.samples[-1].renewals} renewals, {hours:.1f} h of our agent's clock, idle time left out")
    for name, field, unit in (
        ("resident, MiB", "resident", 1024.0),
        ("descriptors", "descriptors", 1),
        ("threads", "threads", 1),
    ):
        values = [getattr(one, field) / unit for one in endurance.samples]
        print(f"  {name:<16} " + " ".join(f"{one:.{int(unit > 1)}f}" for one in values[1::2]))


def _line(name: str, ours: str, theirs: str) -> None:
    print(f"  {name:<44} {ours:<24} {theirs}".rstrip())


def _memories(rows: Rows) -> tuple[list[Memory], list[Memory]]:
    return [look.ours for look in rows.looks], [look.theirs for look in rows.looks]
