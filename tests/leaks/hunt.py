# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One path of the hunt from its begin to its end: it runs, is searched, and is searched again for what was planted."""

from __future__ import annotations

import contextlib
import time
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

from tests.stack.handle import Stack

from . import allowed
from .canaries import Book
from .evidence import CORES, Evidence, Found
from .ground import Ground, allow_cores, cores_are_files
from .plants import Plant
from .server import Raw
from .watch import Watch


@dataclass(frozen=True)
class Trail:
    """A path. run: takes it, and collects what it leaves. plant: leaks on it, place by place.

    around: what it needs beside the stack, given a folder of its own.
    """

    name: str
    text: str
    run: t.Callable[[Ground], None]
    plant: t.Callable[[Ground, list[str]], t.Mapping[str, Plant]]
    around: t.Callable[[Stack, Path], t.ContextManager[t.Any]] = lambda _stack, _folder: contextlib.nullcontext()


@dataclass
class Row:
    """One place of a path. planted: None where it cannot be planted on this machine."""

    path: str
    place: str
    size: int
    hits: int = 0
    asked_for: int = 0
    planted: int | None = None
    planted_found: int = 0

    @property
    def fine(self) -> bool:
        """No leak, and none would have been missed."""
        return not self.hits and (self.is_left_out or self.planted == self.planted_found)

    @property
    def is_left_out(self) -> bool:
        """Whether this machine has no such place."""
        return self.place == CORES and self.planted is None and not cores_are_files()


@dataclass
class Result:
    """What came of a path."""

    rows: list[Row] = field(default_factory=list)
    leaks: list[Found] = field(default_factory=list)
    counts: dict[allowed.Allowed, int] = field(default_factory=dict)
    canaries: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    looks: int = 0


def follow(trail: Trail, stack: Stack, raw: Raw, folder: Path, private: Path) -> Result:
    """Take a path, and look. folder: where it may work. private: in memory."""
    start = time.monotonic()
    place = folder / trail.name
    place.mkdir()
    allow_cores()
    result = Result()
    with trail.around(stack, place) as around:
        ground = _ground(stack, place / "work", private / trail.name, around)
        raw.skip()
        try:
            trail.run(ground)
        finally:
            ground.watch.close()
        raw.enter(ground.book)
        _look(trail, ground, private, result)
        _prove(trail, ground, private, result)
    result.looks = ground.watch.looks
    result.seconds = time.monotonic() - start
    return result


def _look(trail: Trail, ground: Ground, private: Path, result: Result) -> None:
    canaries = ground.book.all()
    for one in canaries:
        result.canaries[one.kind] = result.canaries.get(one.kind, 0) + 1
    found = ground.evidence.search(canaries, private)
    result.leaks, result.counts = allowed.sort(trail.name, found)
    for place in ground.evidence.places():
        row = Row(trail.name, place, ground.evidence.size(place))
        row.hits = sum(leak.place == place for leak in result.leaks)
        row.asked_for = sum(one.place == place for one in found) - row.hits
        result.rows.append(row)


def _prove(trail: Trail, before: Ground, private: Path, result: Result) -> None:
    """Plant, and look again."""
    ground = _ground(before.stack, before.folder, private / f"{trail.name}-planted", before.around)
    places = [row.place for row in result.rows]
    try:
        planted = trail.plant(ground, places)
    finally:
        ground.watch.close()
    for row in result.rows:
        if row.place == CORES and not cores_are_files():
            continue
        if plant := planted.get(row.place):
            found = ground.evidence.search(plant.canaries, private, [row.place])
            row.planted = len(plant.canaries)
            row.planted_found = len({one.canary for one in found})


def _ground(stack: Stack, folder: Path, private: Path, around: t.Any) -> Ground:
    private.mkdir(mode=0o700)
    evidence = Evidence(private / "evidence")
    for name in ("home", "tmp"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    watch = Watch(evidence, {"home": folder / "home", "tmp": folder / "tmp"})
    return Ground(stack, folder, private, Book(), evidence, watch, time.time(), around)
