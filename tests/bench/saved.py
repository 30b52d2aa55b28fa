# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was measured, as a file of JSON, and from there again."""

from __future__ import annotations

import dataclasses
import json
import typing as t
from collections.abc import Mapping
from pathlib import Path


def write(file: Path, about: Mapping[str, str], parts: Mapping[str, t.Any]) -> None:
    """Write what the machine is, and a dataclass for each part."""
    values = {"about": dict(about), **{name: dataclasses.asdict(rows) for name, rows in parts.items()}}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


def read(file: Path, kinds: Mapping[str, type[t.Any]]) -> tuple[dict[str, str], dict[str, t.Any]]:
    """What ``write`` wrote: the machine, and each part that was measured. kinds: the dataclass of each part."""
    values = json.loads(file.read_text(encoding="utf-8"))
    return values["about"], {name: revived(kind, values[name]) for name, kind in kinds.items() if name in values}


def revived(kind: t.Any, value: t.Any) -> t.Any:
    """``value`` of JSON as ``kind``: a dataclass, a list, tuple or dict of some kind, or a plain type."""
    if dataclasses.is_dataclass(kind):
        hints = t.get_type_hints(kind)
        return kind(**{field.name: revived(hints[field.name], value[field.name]) for field in dataclasses.fields(kind)})  # type: ignore[operator]
    origin, inner = t.get_origin(kind), t.get_args(kind)
    if origin is list:
        return [revived(inner[0], one) for one in value]
    if origin is tuple:
        kinds = [inner[0]] * len(value) if inner[-1] is Ellipsis else inner
        return tuple(revived(one, each) for one, each in zip(kinds, value, strict=True))
    if origin is dict:
        return {revived(inner[0], name): revived(inner[1], one) for name, one in value.items()}
    return kind(value)
