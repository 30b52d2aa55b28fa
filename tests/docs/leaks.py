# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ``make leaks`` found, as the tables of a guide: read from docs/results."""

from __future__ import annotations

import json
import typing as t
from collections.abc import Callable

from tests.docs.blocks import PROJECT
from tests.docs.list_table import list_table

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
    rows: list[tuple[t.Any, ...]] = [("Path", "Place", "Bytes searched", "Leaks", "Asked for", "Found when planted")]
    for row in _read()["rows"]:
        planted = "cannot be here" if row["planted"] is None else f"{row['planted_found']} of {row['planted']}"
        cells = (row["path"], row["place"], f"{row['bytes']:,}", row["hits"], row["asked_for"], planted)
        rows.append(cells)
    return list_table(rows)


def asked_for() -> str:
    """What may hold a secret, and why."""
    rows: list[tuple[t.Any, ...]] = [("Path", "Place", "Where", "What", "Why")]
    for one in _read()["allowed"]:
        kinds = "any" if len(one["kinds"]) > 5 else ", ".join(one["kinds"])
        rows.append((one["path"], one["place"], f"``{one['where']}``", kinds, one["reason"]))
    return list_table(rows)


def _read() -> Json:
    found: Json = json.loads(RESULTS.read_text(encoding="utf-8"))
    return found


GENERATED: dict[str, Callable[[], str]] = {
    "leaks_about": about,
    "leaks_table": table,
    "leaks_asked_for": asked_for,
}
