# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The packages of a bundle: one lock for each line of Python that hosts have, with hashes."""

from __future__ import annotations

import dataclasses
import os
import re
import typing as t

from ansible_collections.vaultfleet.aws.plugins.plugin_utils._bundle.errors import BundleError, explained

FOLDER = os.path.join(os.path.dirname(__file__), "locks")
_NAME = re.compile(r"py(3\.\d+)\.txt")
_PIN = re.compile(r"([a-z0-9][a-z0-9.-]*)==(\S+) --hash=sha256:([0-9a-f]{64})")


@dataclasses.dataclass(frozen=True)
class Pin:
    """One wheel."""

    name: str
    version: str
    sha256: str

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


@dataclasses.dataclass(frozen=True)
class Lock:
    """What hosts with Python ``line`` (``3.9``) or newer get. compiled: some wheels have parts that are compiled, which
    a bundle leaves out.
    """

    line: str
    path: str
    text: str
    pins: tuple[Pin, ...]
    compiled: bool = False


def lines() -> list[str]:
    """The lines of Python that have a lock, oldest first."""
    found = [match.group(1) for match in map(_NAME.fullmatch, os.listdir(FOLDER)) if match]
    return sorted(found, key=lambda line: int(line.partition(".")[2]))


def read(line: str) -> Lock:
    """The lock of a line. Raises BundleError if there is none, or if it is damaged."""
    known = lines()
    if line not in known:
        hint = f"give some of {', '.join(known)}, as they are on the hosts"
        if line == "3.1":
            hint = 'put quotes around it: without them YAML makes the number 3.1 of "3.10"'
        raise BundleError(f"pythons: {line[:40]!r} is no line of Python that there is a bundle for", hint)
    return _read(line, f"py{line}.txt", compiled=False)


def read_of_templates(line: str) -> Lock:
    """What a bundle of that line holds beside, for an agent with templates. Raises BundleError, as ``read``."""
    return _read(read(line).line, f"templates-py{line}.txt", compiled=True)


def joined(locks: t.Sequence[Lock]) -> Lock:
    """All of these as one."""
    pins = tuple(pin for lock in locks for pin in lock.pins)
    return dataclasses.replace(locks[0], text="".join(lock.text for lock in locks), pins=pins)


def _read(line: str, name: str, *, compiled: bool) -> Lock:
    path = os.path.join(FOLDER, name)
    again = "install the collection again"
    with explained(f"the lock {path} cannot be read", again), open(path, encoding="utf-8") as stream:
        text = stream.read()
    entries = [entry for entry in text.replace("\\\n", "").splitlines() if entry and not entry.startswith("#")]
    matches = [_PIN.fullmatch(" ".join(entry.split())) for entry in entries]
    pins = tuple(Pin(*match.groups()) for match in matches if match)
    if len(pins) != len(matches) or not pins:
        raise BundleError(f"the lock {path} is damaged", again)
    return Lock(line, path, text, pins, compiled)
