# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is searched: files and pieces of output, by the place that they stand for."""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
import typing as t
from dataclasses import dataclass
from pathlib import Path

from .canaries import Canary
from .search import Finder, regular, unpacked

STDOUT, STDERR, LOG = "stdout", "stderr", "log file"
TREE, JUNIT, JSON, MINIMAL = "tree callback", "junit callback", "json callback", "minimal callback"
ARTIFACTS, FACTS, RETRY = "runner artifacts", "fact cache", "retry files"
JOURNAL, CORES = "journal", "core dumps"
ARGUMENTS, ENVIRONMENT = "process arguments", "process environments"
TEMPORARY, LEFT = "temporary files", "files left behind"
MEMORY = "memory of a run that ended"
STATUS, MESSAGES = "status and metrics", "messages to systemd"
HOST_TREE, HOST_MEMORY, HOST_DISK = "host: all files", "host: memory files", "host: raw disk"
HOST_OPEN = "host: deleted, open"


@dataclass(frozen=True)
class Found:
    """A canary somewhere. label: where, for people; no path of this machine."""

    place: str
    label: str
    canary: Canary
    form: str


class Evidence:
    """Collected for one path. folder: the hunt's own, in memory, as it may hold secrets."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._labels: dict[str, dict[Path, str]] = {}
        self._bytes: dict[str, int] = {}
        self._owners: dict[Path, t.Callable[[int], str]] = {}
        self._seen: set[tuple[str, str, bytes]] = set()
        self._turn = threading.Lock()
        self._number = 0
        folder.mkdir(mode=0o700, parents=True)

    def open(self, *places: str) -> None:
        """Say that these places are watched, though nothing may come."""
        for place in places:
            self._labels.setdefault(place, {})
            self._bytes.setdefault(place, 0)

    def add(self, place: str, label: str, data: bytes) -> None:
        """Add bytes; the same ones under one label count once."""
        with self._turn:
            self.open(place)
            key = (place, label, hashlib.sha256(data).digest())
            if key in self._seen or not data:
                return
            self._seen.add(key)
            self._number += 1
            file = self.folder / str(self._number)
            self._labels[place][file] = label
            self._bytes[place] += len(data)
        file.write_bytes(data)

    def add_tree(self, place: str, root: Path, label: str = "", since: float = 0.0, skip: t.Sequence[str] = ()) -> None:
        """Add all files below ``root``, and what compressed ones hold that changed after ``since``.

        label: stands for ``root``. skip: beginnings of paths below it.
        """
        self.open(place)
        if not root.exists():
            return
        for path, size in regular(root):
            below = "" if path == root else str(path.relative_to(root))
            if any(below.startswith(one) for one in skip):
                continue
            self._labels[place][path] = f"{label}/{below}".rstrip("/")
            self._bytes[place] += size
            with contextlib.suppress(OSError):
                if os.lstat(path).st_ctime >= since and (inner := unpacked(path)) is not None:
                    self.add(place, f"{label}/{below} (unpacked)", inner)

    def add_disk(self, place: str, disk: Path, owner: t.Callable[[int], str]) -> None:
        """Add the file of a disk; ``owner`` says whose the byte at an offset is."""
        self.open(place)
        self._labels[place][disk] = disk.name
        self._owners[disk] = owner
        self._bytes[place] += disk.stat().st_blocks * 512  # the rest is holes

    def places(self) -> list[str]:
        """Where anything was collected."""
        return list(self._labels)

    def size(self, place: str) -> int:
        """Bytes of a place."""
        return self._bytes.get(place, 0)

    def search(self, canaries: t.Sequence[Canary], scratch: Path, places: t.Sequence[str] | None = None) -> list[Found]:
        """Where ``canaries`` are."""
        finder = Finder(canaries, scratch)
        found = []
        for place in self.places() if places is None else places:
            labels = self._labels.get(place, {})
            for hit in finder.search(list(labels)):
                owner = self._owners.get(hit.file)
                label = owner(hit.offset) if owner else labels[hit.file]
                found.append(Found(place, label, hit.canary, hit.form))
        return found
