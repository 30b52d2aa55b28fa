# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Cases that were found once, or have a guard, kept as JSON; a unit test and the start of each campaign try them."""

from __future__ import annotations

import dataclasses
import json
import typing as t
from pathlib import Path

FOLDER = Path(__file__).parent / "corpus"
_BYTES = "=bytes"  # of a mapping that stands for bytes, each as the character of its number


@dataclasses.dataclass(frozen=True)
class Case:
    """A case. why: what it must not end in."""

    name: str
    target: str
    why: str
    example: t.Any


def packed(value: t.Any) -> t.Any:
    """``value`` as JSON can have it."""
    if isinstance(value, bytes):
        return {_BYTES: value.decode("latin-1")}
    if isinstance(value, (list, tuple)):
        return [packed(one) for one in value]
    return {key: packed(one) for key, one in value.items()} if isinstance(value, dict) else value


def unpacked(value: t.Any) -> t.Any:
    """The opposite of ``packed``."""
    if isinstance(value, list):
        return [unpacked(one) for one in value]
    if isinstance(value, dict):
        if set(value) == {_BYTES}:
            return str(value[_BYTES]).encode("latin-1")
        return {key: unpacked(one) for key, one in value.items()}
    return value


def text(target: str, why: str, example: t.Any) -> str:
    """What a case's file holds."""
    return json.dumps({"target": target, "why": why, "example": packed(example)}, indent=1) + "\n"


def cases() -> list[Case]:
    """All that are kept."""
    found = []
    for file in sorted(FOLDER.glob("*.json")):
        fields = json.loads(file.read_text(encoding="utf-8"))
        found.append(Case(file.stem, fields["target"], fields["why"], unpacked(fields["example"])))
    return found
