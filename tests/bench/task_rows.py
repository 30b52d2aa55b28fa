# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rows of one cold task: measured, judged and put into words."""

from __future__ import annotations

import configparser
from dataclasses import dataclass
from pathlib import Path

from tests.stack.handle import Stack

from . import tasks
from .numbers import Bound, Comparison, Spread, ratio
from .tables import Table

WALL = 1.0  # our task over the peer's
ROUNDS = 9
QUICK = 2


@dataclass(frozen=True)
class Rows:
    """The costs of each variant, one for each round."""

    costs: dict[str, list[tasks.Cost]]

    def walls(self, name: str) -> list[float]:
        """Seconds on the clock of one variant."""
        return [cost.wall for cost in self.costs[name]]


def measure(stack: Stack, folder: Path, quick: bool) -> Rows:
    """Measure. Raises ToolError if a run fails."""
    return Rows(tasks.measure(stack, folder, QUICK if quick else ROUNDS, _keys(stack)))


def _keys(stack: Stack) -> dict[str, str]:
    parser = configparser.ConfigParser(default_section="", interpolation=None)
    parser.read(stack.env["AWS_SHARED_CREDENTIALS_FILE"])
    found = parser["default"]
    return {"access_key": found["aws_access_key_id"], "secret_key": found["aws_secret_access_key"]}


def bounds(rows: Rows) -> list[Bound]:
    """What they have to keep."""
    quotient = ratio(rows.walls("ours, keys given"), rows.walls("peer, keys given"))
    return [Bound("task, keys given: ours / peer", quotient, WALL)]


def comparisons(rows: Rows) -> list[Comparison]:
    """Ours beside the others."""
    pairs = (
        ("ours, keys given", "peer, keys given"),
        ("ours, keys found", "peer, keys found"),
        ("ours, as a module", "peer, keys given"),
        ("ours, as a module", "bare module, keys given"),
        ("ours, keys given", "ping"),
    )
    return [
        Comparison.of(f"cold task, {these.partition(', ')[2]}: s", rows.walls(these), those, rows.walls(those))
        for these, those in pairs
    ]


def tables(rows: Rows) -> list[Table]:
    """What was measured."""
    lines = []
    for name, costs in rows.costs.items():
        over = [one - other for one, other in zip(rows.walls(name), rows.walls("ping"), strict=True)]
        measured = (rows.walls(name), over, [cost.processor for cost in costs])
        lines.append((name, *(Spread.of(values).text() for values in measured)))
    columns = ("", "on the clock", "over ping", "of a processor")
    return [Table("ansible-playbook with one task, seconds", columns, lines)]
