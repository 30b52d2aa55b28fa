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

from . import agent_floor, agents
from .agents import Agent, Memory, Running
from .numbers import Bound, Comparison, Spread
from .tables import Table

RESIDENT = 0.4  # our resident memory over theirs
START = 4.0  # our seconds to a token over theirs
PROCESSOR = 1.5  # our seconds of a processor over theirs
_LOOKS = 5  # at memory and processor, on the way


@dataclass(frozen=True)
class Size:
    """How much is measured. seconds: of renewals."""

    starts: int = 9
    seconds: int = 240


QUICK = Size(starts=3, seconds=30)


@dataclass(frozen=True)
class Look:
    """Both agents at one moment. processor: seconds since the first token, of ours and of theirs."""

    after: float
    ours: Memory
    theirs: Memory
    processor: tuple[float, float]


@dataclass(frozen=True)
class Rows:
    """All of it. floor: KiB. starts: seconds to the token, of ours and of theirs. renewals: of both in the end."""

    version: str
    floor: dict[str, int]
    starts: list[tuple[float, float]]
    looks: list[Look]
    renewals: tuple[int, int]

    @property
    def memories(self) -> tuple[list[Memory], list[Memory]]:
        """Of ours and of theirs, one for each look."""
        return [look.ours for look in self.looks], [look.theirs for look in self.looks]


def measure(stack: Stack, folder: Path, quick: bool) -> Rows:
    """Measure; the two agents run beside each other. Raises ToolError if one of them fails."""
    size = QUICK if quick else Size()
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
    resident, start, processor, _floor = comparisons(rows)
    return [
        Bound("resident: ours / bao agent", resident.ratio, RESIDENT),
        Bound("start to token: ours / bao agent", start.ratio, START),
        Bound(f"processor, {rows.looks[-1].after:.0f} s: ours / bao agent", processor.ratio, PROCESSOR),
    ]


def comparisons(rows: Rows) -> list[Comparison]:
    """Ours beside theirs: memory, start, processor."""
    last = rows.looks[-1]
    resident = ([memory.resident / 1024 for memory in each] for each in rows.memories)
    pairs = (
        ("agent: resident, MiB", resident),
        ("agent: start to the token in the sink, s", zip(*rows.starts, strict=True)),
        (f"agent: of a processor in {last.after:.0f} s, s", ([seconds] for seconds in last.processor)),
    )
    found = []
    for what, (ours, theirs) in pairs:
        found.append(Comparison.of(what, list(ours), "bao agent", list(theirs)))
    python = [rows.floor["python"] / 1024]
    mine = [memory.resident / 1024 for memory in rows.memories[0]]
    return [*found, Comparison.of("agent: resident, MiB", mine, "an empty Python", python * len(mine))]


def tables(rows: Rows) -> list[Table]:
    """What was measured."""
    lines = []
    for name, field in (
        ("resident, MiB", "resident"),
        ("its share where pages are shared (PSS), MiB", "share"),
        ("in no file (anonymous), MiB", "anonymous"),
    ):
        both = ([getattr(memory, field) / 1024 for memory in each] for each in rows.memories)
        lines.append((name, *(Spread.of(values).text(1) for values in both)))
    starts = [Spread.of([one * 1000 for one in values]).text(0) for values in zip(*rows.starts, strict=True)]
    last = rows.looks[-1]
    lines += [
        ("start to the token in the sink, ms", *starts),
        (f"of a processor in {last.after:.0f} s, ms", *(f"{one * 1000:.0f}" for one in last.processor)),
        ("renewals meanwhile", *(str(one) for one in rows.renewals)),
    ]
    floor = [(name, f"{kib / 1024:.1f}") for name, kib in rows.floor.items()]
    return [
        Table(
            f"our agent (iam) beside {rows.version} (approle), token TTL {agents.TTL} s", ("", "ours", "theirs"), lines
        ),
        Table("what our agent's memory is made of", ("", "MiB resident"), floor),
    ]
