# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Watches while something runs: arguments and environments of all processes, and files that come and go."""

from __future__ import annotations

import contextlib
import os
import stat
import threading
import typing as t
from pathlib import Path

from .evidence import ARGUMENTS, ENVIRONMENT, TEMPORARY, Evidence

_PAUSE = 0.02  # seconds
_LARGEST = 4 * 1024 * 1024  # bytes of a file that comes and goes


class Watch:
    """Looks again and again until ``close``. folders: label -> folder of temporary files. Bytes go to ``evidence``."""

    def __init__(self, evidence: Evidence, folders: t.Mapping[str, Path]) -> None:
        self._evidence = evidence
        self._folders = {label: (TEMPORARY, folder) for label, folder in folders.items()}
        self._over = threading.Event()
        self._processes: dict[str, tuple[bytes, bytes]] = {}
        self._files: set[tuple[int, ...]] = set()
        self._roots = {str(os.getpid())}
        self.looks = 0
        evidence.open(ARGUMENTS, ENVIRONMENT, TEMPORARY)
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Look once more, and stop."""
        self._over.set()
        self._thread.join()

    def add(self, label: str, folder: Path, place: str = TEMPORARY) -> None:
        """Watch one more folder."""
        self._evidence.open(place)
        self._folders[label] = (place, folder)

    def _watch(self) -> None:
        while True:
            over = self._over.wait(_PAUSE)
            self._look_at_processes()
            for label, (place, folder) in list(self._folders.items()):
                self._look_at_files(label, place, folder)
            self.looks += 1
            if over:
                return

    def _look_at_processes(self) -> None:
        for pid in os.listdir("/proc"):  # noqa: PTH208 - a hundred times a second
            if not pid.isdigit() or pid in self._roots:
                continue
            with contextlib.suppress(OSError):
                arguments = _read(f"/proc/{pid}/cmdline")
                known = self._processes.get(pid)
                # A kernel thread has none; a program that starts another one keeps its number.
                if not arguments or (known and known[0] == arguments):
                    continue
                environment = _read(f"/proc/{pid}/environ")
                self._processes[pid] = (arguments, environment)
                program = arguments.partition(b"\0")[0].rpartition(b"/")[2].decode(errors="replace")
                self._evidence.add(ARGUMENTS, program, arguments.replace(b"\0", b"\n"))
                self._evidence.add(ENVIRONMENT, program, environment.replace(b"\0", b"\n"))

    def _look_at_files(self, label: str, place: str, root: Path) -> None:
        for folder, _folders, names in os.walk(root):
            for name in names:
                path = f"{folder}/{name}"
                with contextlib.suppress(OSError):
                    about = os.lstat(path)
                    key = (about.st_dev, about.st_ino, about.st_mtime_ns, about.st_size)
                    if key in self._files or not stat.S_ISREG(about.st_mode) or not 0 < about.st_size < _LARGEST:
                        continue
                    data = _read(path)
                    self._files.add(key)
                    below = os.path.relpath(path, root)
                    self._evidence.add(place, f"{label}/{below}", data)


def _read(path: str) -> bytes:
    with open(path, "rb") as stream:  # noqa: PTH123 - as above
        return stream.read(_LARGEST)
