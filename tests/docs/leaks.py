# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ``make leaks`` found, as the tables of a guide: read from docs/results."""

from __future__ import annotations

import json
import typing as t
from collections.abc import Callable

from tests.docs.blocks import PROJECT

Json = dict[str, t.Any]
RESULTS = PROJECT / "docs" / "results" / "leaks.json"


def about() -> str:
    """What was hunted, and where."""
    found = _read()
    kinds: dict[str, int] = {}
    for counts in found["canaries"].values():
        for kind, count in counts.items():
            kinds[kind] = kinds.get(kind, 0) + count
    searched = sum(row["bytes"] for row in found["rows"])
    lines = [
        f"* system: {found['machine']['system']}, {found['machine']['processors']} processors",
        *(f"* {name}: {value}" for name, value in found["versions"].items()),
        f"* took: {found['seconds'] // 60} minutes",
        f"* hunted: {', '.join(f'{count} x {kind}' for kind, count in sorted(kinds.items()))}",
        f"* searched: {searched / 1e6:,.0f} MB",
        *(f"* left out: {one}" for one in found["left_out"]),
    ]
    return "\n".join(lines)


def table() -> str:
    """Each place of each path."""
    lines = _head("list-table", ("Path", "Place", "Bytes searched", "Leaks", "Asked for", "Found when planted"))
    for row in _read()["rows"]:
        planted = "cannot be here" if row["planted"] is None else f"{row['planted_found']} of {row['planted']}"
        cells = (row["path"], row["place"], f"{row['bytes']:,}", row["hits"], row["asked_for"], planted)
        lines += _row(cells)
    return "\n".join(lines)


def asked_for() -> str:
    """What may hold a secret, and why."""
    lines = _head("list-table", ("Path", "Place", "Where", "What", "Why"))
    for one in _read()["allowed"]:
        kinds = "any" if len(one["kinds"]) > 5 else ", ".join(one["kinds"])
        lines += _row((one["path"], one["place"], f"``{one['where']}``", kinds, one["reason"]))
    return "\n".join(lines)


def _read() -> Json:
    found: Json = json.loads(RESULTS.read_text(encoding="utf-8"))
    return found


def _head(directive: str, names: tuple[str, ...]) -> list[str]:
    return [f".. {directive}::", "   :header-rows: 1", "", *_row(names)]


def _row(cells: tuple[t.Any, ...]) -> list[str]:
    return [f"   {'* -' if number == 0 else '  -'} {cell}" for number, cell in enumerate(cells)]


GENERATED: dict[str, Callable[[], str]] = {
    "leaks_about": about,
    "leaks_table": table,
    "leaks_asked_for": asked_for,
}
