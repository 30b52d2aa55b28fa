# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a hunt came to, for people and for programs."""

from __future__ import annotations

import os
import platform
import typing as t
from collections.abc import Mapping, Sequence
from importlib.metadata import version

from . import allowed
from .hunt import Result, Row

Json = dict[str, t.Any]


def document(results: Mapping[str, Result], left_out: Sequence[str], seconds: float) -> Json:
    """All of it, for a file. It holds no secret, and no path of this machine."""
    rows = [row for result in results.values() for row in result.rows]
    return {
        "machine": {"processors": os.cpu_count(), "system": f"{platform.system()} {platform.release()}"},
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("ansible-core", "botocore", "hvac")},
        },
        "seconds": round(seconds),
        "canaries": {name: dict(sorted(result.canaries.items())) for name, result in results.items()},
        "looks": {name: result.looks for name, result in results.items()},
        "rows": [
            {
                "path": row.path,
                "place": row.place,
                "bytes": row.size,
                "hits": row.hits,
                "asked_for": row.asked_for,
                "planted": row.planted,
                "planted_found": row.planted_found,
            }
            for row in rows
        ],
        "leaks": [
            {"path": name, "place": leak.place, "where": leak.label, "kind": leak.canary.kind, "form": leak.form}
            for name, result in results.items()
            for leak in result.leaks
        ],
        "allowed": [
            {
                "path": entry.path,
                "place": entry.place,
                "where": entry.label,
                "kinds": list(entry.kinds),
                "reason": entry.reason,
                "matched": count,
            }
            for entry, count in _counts(results).items()
        ],
        "left_out": list(left_out),
    }


def lines(results: Mapping[str, Result], left_out: Sequence[str]) -> list[str]:
    """The table, and what is behind it."""
    shown = [f"{'path':<12}{'place':<24}{'searched':>12}{'hits':>6}{'asked for':>11}{'found when planted':>20}"]
    for result in results.values():
        shown += [_line(row) for row in result.rows]
    shown.append("")
    shown.append("Secrets that somebody asked for, and what they were found by:")
    for entry, count in _counts(results).items():
        told = f"{count} times" if count else "NEVER MATCHED: remove the entry, or mend the hunt"
        shown.append(f"  {entry.path}, {entry.place}, {entry.label}: {entry.reason}: {told}")
    for name, result in results.items():
        seen: dict[tuple[str, ...], int] = {}
        for leak in result.leaks:
            key = (leak.place, leak.label, leak.canary.kind, leak.form)
            seen[key] = seen.get(key, 0) + 1
        for (place, label, kind, form), count in seen.items():
            shown.append(f"LEAK: {name}: a {kind} ({form}) in {place}: {label}, {count} times")
    shown += [f"left out: {one}" for one in left_out]
    return shown


def fine(results: Mapping[str, Result]) -> bool:
    """Nothing leaked, everything planted was found, and each entry of the list of what is allowed was needed."""
    return all(row.fine for result in results.values() for row in result.rows) and all(_counts(results).values())


def _counts(results: Mapping[str, Result]) -> dict[allowed.Allowed, int]:
    return {entry: count for result in results.values() for entry, count in result.counts.items()}


def _line(row: Row) -> str:
    planted = "cannot be here" if row.planted is None else f"{row.planted_found} of {row.planted}"
    return f"{row.path:<12}{row.place:<24}{row.size:>12,}{row.hits:>6}{row.asked_for:>11}{planted:>20}"
