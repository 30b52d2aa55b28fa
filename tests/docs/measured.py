# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ``make bench`` and ``make soak`` measured, as the tables of a guide: read from docs/results."""

from __future__ import annotations

import functools
from collections.abc import Callable

from tests.bench import saved, soak_rows
from tests.bench.parts import KINDS, PARTS
from tests.bench.tables import Table, compared, judged
from tests.docs.blocks import PROJECT

RESULTS = PROJECT / "docs" / "results"
BENCH = RESULTS / "bench.json"
SOAK = RESULTS / "soak.json"


def machine() -> str:
    """What it was measured on."""
    about, _parts = saved.read(BENCH, KINDS)
    return _listed(about)


def side_by_side() -> str:
    """Ours beside the others, of all parts."""
    _about, parts = saved.read(BENCH, KINDS)
    return compared([one for name, rows in parts.items() for one in PARTS[name].comparisons(rows)]).rst()


def bounds() -> str:
    """What is to be kept, of all parts and of the soak."""
    _about, parts = saved.read(BENCH, KINDS)
    found = [one for name, rows in parts.items() for one in PARTS[name].bounds(rows)]
    return judged([*found, *soak_rows.bounds(_soak())]).rst()


def part(name: str) -> str:
    """The tables of one part of the bench."""
    _about, parts = saved.read(BENCH, KINDS)
    return _all(PARTS[name].tables(parts[name])) if name in parts else "*The last run left this out.*"


def week() -> str:
    """The tables of the soak, and what it ran on."""
    about, _parts = saved.read(SOAK, soak_rows.KINDS)
    return f"{_listed(about)}\n\n{_all(soak_rows.tables(_soak()))}"


def _listed(about: dict[str, str]) -> str:
    return "\n".join(f"* {name}: {value}" for name, value in about.items())


def _soak() -> soak_rows.Rows:
    _about, parts = saved.read(SOAK, soak_rows.KINDS)
    rows: soak_rows.Rows = parts["soak"]
    return rows


def _all(tables: list[Table]) -> str:
    return "\n\n".join(table.rst() for table in tables)


GENERATED: dict[str, Callable[[], str]] = {
    "measured_machine": machine,
    "measured_side_by_side": side_by_side,
    "measured_bounds": bounds,
    "measured_week": week,
    **{f"measured_{name}": functools.partial(part, name) for name in PARTS},
}
