# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The shapes in which Vault Agent's blocks are written in JSON: an object, an array of them, or under a label.

HCL's blocks have no one form in JSON, and Vault Agent drops settings in some of those that its users write. Here
each has its obvious meaning.
"""

from __future__ import annotations

import typing as t

from .files import Object
from .keys import SINK, Block, Table
from .problems import Problem


def only(block: Block, name: str, problems: list[Problem]) -> Block | None:
    """Return the one block ``name`` (``{..}`` or ``[{..}]``), or None if there is none; two are a problem."""
    if name not in block.values:
        return None
    found = _objects(block.file, block.at(name), block.values[name], problems)
    if len(found) > 1:
        problems.append(Problem(block.file, block.at(name), "is given more than once", "keep one of them"))
    return found[0] if found else None


def typed(block: Block, name: str, table: Table, problems: list[Problem]) -> list[Block]:
    """Return the blocks ``name``, each with its ``type`` among its values where a label says it.

    ``{type: X, ..}``, ``{X: {..}}``, an array of these, and these once more below ``name`` (``{sink: {..}}``).
    """
    found = []
    for item in _objects(block.file, block.at(name), block.values.get(name, []), problems):
        inner = [item]
        if list(item.values) == [table.place.rpartition(".")[2]]:
            (key,) = item.values
            inner = _objects(item.file, item.at(key), item.values[key], problems)
        for each in inner:
            found += _labelled(each, table, problems)
    return found


def several(block: Block, name: str, problems: list[Problem]) -> list[Block]:
    """Return the blocks ``name``: an object, or an array of them."""
    return _objects(block.file, block.at(name), block.values.get(name, []), problems)


def sinks(auto_auth: Block, problems: list[Problem]) -> list[Block]:
    """Return the sinks of ``auto_auth``, under either of their two names."""
    if "sink" in auto_auth.values and "sinks" in auto_auth.values:
        problems.append(
            Problem(auto_auth.file, auto_auth.at("sinks"), "is given together with sink", "put all sinks into sink")
        )
    return [found for name in ("sink", "sinks") for found in typed(auto_auth, name, SINK, problems)]


def _labelled(block: Block, table: Table, problems: list[Problem]) -> list[Block]:
    """The blocks below labels; the block itself if it has any key of its own, or what cannot be one below a label."""
    values = block.values
    own = any(name in table.kinds for name in values)
    if own or not values or not all(_is_block(value) for value in values.values()):
        return [block]
    found = []
    for label in values:
        for below in _objects(block.file, block.at(label), values[label], problems):
            kind = below.values.get("type", label)
            if isinstance(kind, str) and kind.lower() != label.lower():
                text = f"is not {label[:40]!r}, under which it stands"
                problems.append(Problem(below.file, below.at("type"), text, "keep one of them"))
                kind = label
            found.append(Block(below.file, below.key, {**below.values, "type": kind}))
    return found


def _is_block(value: object) -> bool:
    return isinstance(value, Object) or (
        isinstance(value, list) and bool(value) and all(isinstance(item, Object) for item in value)
    )


def _objects(file: str, key: str, value: t.Any, problems: list[Problem]) -> list[Block]:
    items = value if isinstance(value, list) else [value]
    found = []
    for number, item in enumerate(items):
        place = f"{key}[{number}]" if len(items) > 1 else key
        if isinstance(item, Object):
            found.append(Block(file, place, item))
        else:
            problems.append(Problem(file, place, "is not an object", "give an object, {...}"))
    return found
