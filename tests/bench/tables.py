# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tables for a terminal and for a guide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .numbers import Bound, Comparison


@dataclass(frozen=True)
class Table:
    """columns: their headings, the first one that of the rows' names."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]

    def text(self) -> str:
        """For a terminal."""
        lines = [("", *self.columns[1:]), *self.rows]
        widths = [max(len(line[column]) for line in lines) for column in range(len(self.columns))]
        shown = (
            "  " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines
        )
        return "\n".join([self.title, *(line.rstrip() for line in shown)])

    def rst(self) -> str:
        """For a guide."""
        lines = [f".. list-table:: {self.title}", "   :header-rows: 1", ""]
        for row in (self.columns, *self.rows):
            for number, cell in enumerate(row):
                lines.append(f"   {'* -' if number == 0 else '  -'} {_escaped(cell)}".rstrip())
        return "\n".join(lines)


def compared(comparisons: Sequence[Comparison]) -> Table:
    """Ours and the others, side by side."""
    columns = ("", "ours", "the other", "", "ours / the other")
    rows = [(one.what, one.ours.text(), one.theirs.text(), one.other, one.ratio.text()) for one in comparisons]
    return Table("side by side: median (lowest .. highest; how many)", columns, rows)


def judged(bounds: Sequence[Bound]) -> Table:
    """What has to be kept, and whether it is."""
    rows = [
        (
            bound.what,
            bound.value.text(),
            f"{'=' if bound.exactly else 'at most'} {bound.limit:g}",
            "kept" if bound.kept else "MISSED",
        )
        for bound in bounds
    ]
    return Table("bounds", ("", "median (lowest .. highest; how many)", "bound", ""), rows)


def _escaped(text: str) -> str:
    for sign in "\\*`|_":
        text = text.replace(sign, f"\\{sign}")
    return text
