# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is measured: the one list of it."""

from __future__ import annotations

import typing as t
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.stack.handle import Stack

from . import agent_rows, bundle, imports, lookup_rows, profiles, roll_out, storm, task_rows
from .numbers import Bound, Comparison
from .tables import Table


@dataclass(frozen=True)
class Part:
    """A part of the bench. rows: the dataclass that ``measure(stack, folder, quick)`` makes, and the others take."""

    text: str
    rows: type[t.Any]
    measure: Callable[[Stack, Path, bool], t.Any]
    tables: Callable[[t.Any], list[Table]]
    comparisons: Callable[[t.Any], list[Comparison]]
    bounds: Callable[[t.Any], list[Bound]]


def _part(text: str, module: t.Any, rows: type[t.Any]) -> Part:
    return Part(text, rows, module.measure, module.tables, module.comparisons, module.bounds)


PARTS = {
    "task": _part("a cold task, beside the peer's", task_rows, task_rows.Rows),
    "core": _part("the auth core, beside its libraries", imports, imports.Imports),
    "lookup": _part("lookups, beside the peer's and a constant", lookup_rows, lookup_rows.Rows),
    "agent": _part("the agent, beside bao agent", agent_rows, agent_rows.Rows),
    "bundle": _part("the agent's bundle", bundle, bundle.Rows),
    "fleet": _part("the role, on booted hosts", roll_out, roll_out.Rows),
    "storm": _part("ten thousand agents after an outage, beside Vault Agent's algorithm", storm, storm.Rows),
    "profile": _part("where our own time goes", profiles, profiles.Rows),
}
KINDS = {name: part.rows for name, part in PARTS.items()}
