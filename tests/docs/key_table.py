# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The keys of Vault Agent that the agent refuses, and why, from its own tables."""

from __future__ import annotations

from itertools import groupby

from ansible_collections.vaultfleet.aws.plugins.module_utils._agent import keys
from tests.docs.hint_table import escaped

TABLES = [table for table in vars(keys).values() if isinstance(table, keys.Table)]


def table() -> str:
    """A list-table with a row for each reason."""
    lines = [
        ".. list-table::",
        "   :header-rows: 1",
        "   :widths: 40 60",
        "",
        "   * - Key",
        "     - Why, and what to do",
    ]
    for one in TABLES:
        place = f"{one.place}." if one.place else ""
        for why, names in groupby(one.refused, key=one.refused.__getitem__):
            shown = ", ".join(f"``{place}{name}``" for name in names)
            lines += [f"   * - {shown}", f"     - {escaped(why[0].upper() + why[1:])}"]
    return "\n".join(lines)
