# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a campaign came to, as a table, and as JSON without paths of this machine."""

from __future__ import annotations

import datetime
import os
import platform
import typing as t
from collections.abc import Sequence

from tests.fuzz import corpus
from tests.fuzz.campaign import Failure, Result

_LONGEST = 3000  # characters of an example


def line_of(result: Result) -> str:
    """One line for a target that was tried."""
    ends = ", ".join(f"{count} {kind}" for kind, count in result.ends.items())
    times = f"{result.seconds:6.1f} s, longest {result.longest:5.2f} s"
    return f"{result.name:<28} {result.examples:>6} examples in {times}: {ends}"


def table(results: Sequence[Result]) -> str:
    """All targets and their sums."""
    lines = [f"{'target':<28} {'examples':>8} {'seconds':>8} {'longest':>8} {'failures':>8}  ends"]
    for one in results:
        ends = ", ".join(f"{count} {kind}" for kind, count in one.ends.items())
        numbers = f"{one.examples:>8} {one.seconds:>8.1f} {one.longest:>8.2f} {len(one.failures):>8}"
        lines.append(f"{one.name:<28} {numbers}  {ends}")
    total = sum(one.examples for one in results)
    failures = sum(len(one.failures) for one in results)
    seconds, longest = sum(one.seconds for one in results), max((one.longest for one in results), default=0.0)
    lines.append(f"{'together':<28} {total:>8} {seconds:>8.1f} {longest:>8.2f} {failures:>8}")
    return "\n".join(lines)


def told(failure: Failure, number: int, examples: int) -> str:
    """A failure, and how to see it again."""
    kept = corpus.text(failure.target, failure.why, failure.example)
    shown = kept if len(kept) <= _LONGEST else f"{kept[:_LONGEST]} ...\n"
    again = f"make fuzz ARGS=\"--seed {number} --examples {examples} --only '{failure.target}'\""
    keep = "to keep it, once it is mended, write this to tests/fuzz/corpus/NAME.json:"
    return f"FAILED {failure.target}: {failure.why}\n  again: {again}\n  {keep}\n{shown}"


def document(results: Sequence[Result], kept: int, broken: Sequence[Failure], number: int) -> dict[str, t.Any]:
    """The campaign as JSON. kept: how many cases of the corpus were tried; broken: those that fail again."""
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors",
        "python": platform.python_version(),
        "seed": number,
        "corpus": {"cases": kept, "failures": len(broken)},
        "targets": [
            {
                "name": one.name,
                "text": one.text,
                "examples": one.examples,
                "seconds": round(one.seconds, 1),
                "longest": round(one.longest, 3),
                "ends": one.ends,
                "failures": [corpus.packed({"why": bad.why, "example": bad.example}) for bad in one.failures],
            }
            for one in results
        ],
    }
