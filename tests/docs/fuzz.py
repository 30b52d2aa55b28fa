# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ``make fuzz`` tried, as the tables of a guide: read from docs/results."""

from __future__ import annotations

import json
import typing as t

from tests.docs.blocks import PROJECT
from tests.docs.list_table import list_table
from tests.fuzz import corpus

RESULTS = PROJECT / "docs" / "results" / "fuzz.json"


def about() -> str:
    """The run: what it ran on, and its sums."""
    found = _read()
    targets = found["targets"]
    failures = sum(len(one["failures"]) for one in targets)
    again = found["corpus"]
    lines = [
        f"* seed: {found['seed']}",
        f"* date: {found['date']}",
        f"* machine: {found['machine']}, Python {found['python']}",
        f"* {sum(one['examples'] for one in targets):,} examples in {sum(one['seconds'] for one in targets):.0f} s",
        f"* {failures} that ended as they should not",
        f"* {again['cases']} cases kept from before, of which {again['failures']} failed",
    ]
    return "\n".join(lines)


def table() -> str:
    """Each target, and how its examples ended."""
    rows = [("What is given", "Examples", "Longest", "Ends", "Failures")]
    for one in _read()["targets"]:
        ends = ", ".join(f"{count} x {kind}" for kind, count in one["ends"].items())
        longest = f"{one['longest']:.2f} s"
        rows.append((one["text"], f"{one['examples']:,}", longest, ends, str(len(one["failures"]))))
    return list_table(rows, "34 10 10 36 10")


def cases() -> str:
    """What is kept, by target."""
    rows = [("Target", "Cases", "What they must not end in")]
    kept = corpus.cases()
    for target in sorted({case.target for case in kept}):
        mine = [case.why for case in kept if case.target == target]
        rows.append((target, str(len(mine)), "; ".join(dict.fromkeys(mine))))
    return list_table(rows, "22 8 70")


def _read() -> dict[str, t.Any]:
    found: dict[str, t.Any] = json.loads(RESULTS.read_text(encoding="utf-8"))
    return found


GENERATED = {"fuzz_about": about, "fuzz_table": table, "fuzz_cases": cases}
