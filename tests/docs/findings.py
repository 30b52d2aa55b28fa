# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ``check --connect`` may find wrong, read from its source."""

from __future__ import annotations

import ast

from tests.docs.blocks import PROJECT
from tests.docs.hint_table import escaped

AGENT = PROJECT / "plugins" / "module_utils" / "_agent"
SHOWN = ("wrong", "note")


def table() -> str:
    """A list-table with a row for each."""
    lines = [
        ".. list-table::",
        "   :header-rows: 1",
        "   :widths: 10 15 75",
        "",
        "   * - State",
        "     - About",
        "     - Text",
    ]
    for name in ("reach.py", "probe.py"):
        for state, about, text in made_in((AGENT / name).read_text(encoding="utf-8")):
            lines += [f"   * - ``{state}``", f"     - {about}", f"     - {escaped(text)}"]
    return "\n".join(lines)


def made_in(source: str) -> list[tuple[str, str, str]]:
    """State, subject and text of each finding that is written out in ``source``."""
    found = []
    for function in ast.walk(ast.parse(source)):
        if not isinstance(function, ast.FunctionDef):
            continue
        known = {
            target.id: node.value
            for node in ast.walk(function)
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(function):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Finding":
                state, about, text = (_text(argument, known) for argument in node.args[:3])
                if state in SHOWN and text.strip(". ") and (state, about, text) not in found:
                    found.append((state, about, text))
    return found


def _text(node: ast.expr, known: dict[str, ast.expr]) -> str:
    """What an expression says, with dots for what is only known when it runs."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part, known) for part in node.values)
    if isinstance(node, ast.FormattedValue):
        return _text(node.value, known)
    if isinstance(node, ast.Name) and isinstance(known.get(node.id), (ast.Constant, ast.JoinedStr)):
        return _text(known[node.id], {})
    return "..."
