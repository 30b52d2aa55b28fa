# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the guides show of the code itself and of the examples. ``make docs`` writes it anew.

In a guide it stands between the comments ``.. begin NAME`` and ``.. end NAME``.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

from tests.docs import (
    chaos,
    endpoints,
    findings,
    from_examples,
    fuzz,
    hint_table,
    key_table,
    leaks,
    measured,
    states,
)
from tests.docs.blocks import GUIDES

PARTS: dict[str, Callable[[], str]] = {
    "hints": hint_table.table,
    "findings": findings.table,
    "states": states.diagram,
    "refused": key_table.table,
    "endpoints": endpoints.table,
    "execution_environment": from_examples.execution_environment,
    "credential_inputs": from_examples.credential_inputs,
    "credential_injectors": from_examples.credential_injectors,
    **measured.GENERATED,
    **leaks.GENERATED,
    **fuzz.GENERATED,
    **chaos.GENERATED,
}


def fresh(text: str) -> str:
    """A guide's ``text`` with what is generated made anew."""

    def made(match: re.Match[str]) -> str:
        return f".. begin {match[1]}\n\n{PARTS[match[1]]().strip()}\n\n.. end {match[1]}\n"

    return re.sub(r"^\.\. begin (\w+)$.*?^\.\. end \1\n", made, text, flags=re.MULTILINE | re.DOTALL)


def guides() -> list[Path]:
    """The guides with something generated."""
    return [file for file in sorted(GUIDES.glob("*.rst")) if "\n.. begin " in file.read_text(encoding="utf-8")]


def main() -> int:
    """Write all of it anew; returns the exit code."""
    for file in guides():
        text = file.read_text(encoding="utf-8")
        if fresh(text) != text:
            file.write_text(fresh(text), encoding="utf-8")
            print(f"written: {file.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
