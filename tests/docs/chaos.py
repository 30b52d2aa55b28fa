# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ``make chaos`` found, as the tables of a guide: read from docs/results."""

from __future__ import annotations

import json
import typing as t

from tests.chaos.trial import MESSAGE
from tests.docs.blocks import PROJECT
from tests.docs.list_table import list_table

RESULTS = PROJECT / "docs" / "results" / "chaos.json"
_LONGEST = 240  # characters of a message

Run = dict[str, t.Any]


def summary() -> str:
    """The run: what it ran on, and its sums."""
    found = json.loads(RESULTS.read_text(encoding="utf-8"))
    done = [run for run in found["runs"] if not run["left_out"]]
    findings = [one for run in done for one in run["findings"]]
    broken = [one for one in findings if not one["kept"]]
    impossible = {run["name"] for run in found["runs"] if run["left_out"]}
    late = len(found["not_begun"])
    lines = [
        f"* seed: {found['seed']}",
        f"* date: {found['date']}, {found['minutes']:g} minutes",
        f"* machine: {found['machine']}, Python {found['python']}{', as root' if found['root'] else ''}",
        f"* side by side: {found['lanes']}",
        f"* {len(done)} runs of {len({run['name'] for run in done})} trials",
        f"* {len(findings)} promises looked at, {len(broken)} not kept",
        f"* left out: {late} trials for want of time, {len(impossible)} that the machine could not do",
    ]
    return "\n".join(lines)


def promises() -> str:
    """By promise: how often it was looked at, and kept."""
    findings = [one for run in _runs() for one in run["findings"]]
    rows = [("Promise", "Looked at", "Kept")]
    for promise in sorted({one["promise"] for one in findings}):
        mine = [one for one in findings if one["promise"] == promise]
        rows.append((promise, str(len(mine)), str(sum(one["kept"] for one in mine))))
    return list_table(rows, "60 20 20")


def trials() -> str:
    """By group: each trial, its promises, and the last message that its victim gave."""
    parts = []
    for group in sorted({run["group"] for run in _runs()}):
        rows: list[tuple[str, ...]] = [("Trial", "Runs", "Kept", "Longest", "Last message")]
        for name in sorted({run["name"] for run in _runs() if run["group"] == group}):
            mine = [run for run in _runs() if run["name"] == name]
            findings = [one for run in mine for one in run["findings"]]
            kept = sum(one["kept"] for one in findings)
            longest = max(run["seconds"] for run in mine)
            told = [one["saw"] for one in findings if one["promise"] == MESSAGE]
            rows.append((name, str(len(mine)), f"{kept} of {len(findings)}", f"{longest:.1f} s", _literal(told)))
        parts.append(f"{group}\n{'~' * len(group)}\n\n{list_table(rows, '24 6 10 10 50')}")
    return "\n\n".join(parts)


def _runs() -> list[Run]:
    runs: list[Run] = json.loads(RESULTS.read_text(encoding="utf-8"))["runs"]
    return [run for run in runs if not run["left_out"]]


def _literal(told: list[str]) -> str:
    if not told:
        return ""
    text = " ".join(told[-1].replace("`", "'").split())
    return f"``{text if len(text) <= _LONGEST else text[: _LONGEST - 4].rstrip() + ' ...'}``"


GENERATED = {"chaos_run": summary, "chaos_promises": promises, "chaos_trials": trials}
