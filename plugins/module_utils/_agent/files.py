# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Configuration files: found, read and parsed as strict JSON. What the keys mean is none of its business."""

from __future__ import annotations

import collections
import dataclasses
import hashlib
import json
import os
import stat
import typing as t

from .problems import Problem

_LARGEST = 1024 * 1024  # bytes
_CONVERT = "convert it to JSON: the keys stay the same"


class Object(t.Dict[str, t.Any]):  # noqa: UP006 (Python 3.9 knows the subscript, its type checkers want this)
    """A JSON object that remembers which of its keys stood there more than once."""

    repeated: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Document:
    """A file's object. shared: others than its owner can read it. sha256: of the whole file, in hex."""

    file: str
    values: Object
    shared: bool
    mode: int
    sha256: str


def read_all(paths: t.Sequence[str], problems: list[Problem]) -> list[Document]:
    """Return the objects of all files, in order, a directory's by name; ``problems`` gets what cannot be used."""
    documents = []
    for path in paths:
        for file in _files(path, problems):
            document = _read(file, problems)
            if document:
                documents.append(document)
    return documents


def from_text(text: str, problems: list[Problem]) -> list[Document]:
    """Return the object that ``text`` is, as if it were in a file without a name; ``problems`` as ``read_all``."""
    content = text.encode("utf-8", "surrogatepass")
    values = _parse("", content, problems)
    return [] if values is None else [Document("", values, False, 0o600, hashlib.sha256(content).hexdigest())]


def _files(path: str, problems: list[Problem]) -> list[str]:
    """The files that a --config means: itself, or what a directory holds, without what editors leave there."""
    try:
        if not stat.S_ISDIR(os.stat(path).st_mode):
            return [path]
        names = sorted(name for name in os.listdir(path) if not name.startswith(".#"))
    except (OSError, ValueError) as e:
        problems.append(_unreadable(path, e))
        return []
    files = [os.path.join(path, name) for name in names if name.endswith((".json", ".hcl"))]
    files = [file for file in files if not os.path.isdir(file)]
    if not files:
        problems.append(Problem(path, "", "this directory holds no *.json file", "put the configuration there"))
    return files


def _read(file: str, problems: list[Problem]) -> Document | None:
    if file.endswith(".hcl"):
        problems.append(Problem(file, "", "HCL is not read", _CONVERT))
        return None
    try:
        # O_NONBLOCK: a FIFO is refused, not waited for.
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as stream:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                problems.append(Problem(file, "", "is not a regular file", "give a JSON file, or a directory of them"))
                return None
            content = stream.read(_LARGEST + 1)
    except (OSError, ValueError) as e:
        problems.append(_unreadable(file, e))
        return None
    if len(content) > _LARGEST:
        problems.append(Problem(file, "", "is larger than 1 MiB, so it is no configuration", "check the path"))
        return None
    values = _parse(file, content, problems)
    mode = stat.S_IMODE(found.st_mode)
    if values is None:
        return None
    return Document(file, values, bool(mode & 0o044), mode, hashlib.sha256(content).hexdigest())


def _parse(file: str, content: bytes, problems: list[Problem]) -> Object | None:
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as e:
        problems.append(Problem(file, "", f"byte {e.start} is not UTF-8", "save it as UTF-8"))
        return None
    try:
        values = json.loads(text, object_pairs_hook=_object, parse_constant=_refuse_constant)
    except json.JSONDecodeError as e:
        hint = (
            "give a JSON object" if text.lstrip().startswith("{") else f"give a JSON object; if this is HCL, {_CONVERT}"
        )
        problems.append(Problem(file, "", f"is not JSON: {e.msg}", hint, f":{e.lineno}:{e.colno}"))
        return None
    except ValueError:  # NaN and the like, or an integer of thousands of digits
        problems.append(Problem(file, "", "holds a number that is none", "use plain integers"))
        return None
    except RecursionError:
        problems.append(Problem(file, "", "is nested too deeply", "check how it was made"))
        return None
    if not isinstance(values, Object):
        problems.append(Problem(file, "", "is not a JSON object", 'start it with {"auto_auth": ...'))
        return None
    _report_repeated(file, values, problems)
    return values


def _object(pairs: list[tuple[str, t.Any]]) -> Object:
    values = Object(pairs)
    if len(values) != len(pairs):
        counts = collections.Counter(name for name, _value in pairs)
        values.repeated = tuple(name for name in values if counts[name] > 1)
    return values


def _refuse_constant(name: str) -> t.NoReturn:
    raise ValueError(name)


def _report_repeated(file: str, values: Object, problems: list[Problem]) -> None:
    """Of two equal keys a parser drops one in silence. No recursion: the parser allows more depth than we have."""
    stack: list[tuple[str, t.Any]] = [("", values)]
    while stack:
        key, value = stack.pop()
        if isinstance(value, list):
            stack += reversed(
                [(f"{key}[{number}]" if len(value) > 1 else key, item) for number, item in enumerate(value)]
            )
        elif isinstance(value, Object):
            for name in value.repeated:
                problems.append(Problem(file, below(key, name), "is given more than once", "keep one of them"))
            stack += reversed([(below(key, name), item) for name, item in value.items()])


def below(key: str, name: str) -> str:
    """The path of ``name`` in the object at ``key``."""
    name = name[:80] or '""'
    return f"{key}.{name}" if key else name


def _unreadable(path: str, error: Exception) -> Problem:
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return Problem(path, "", f"cannot be read: {reason}", "give a JSON file that this user can read")
