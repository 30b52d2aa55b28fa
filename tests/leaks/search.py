# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Looks for canaries in files, all of them in one reading: by GNU grep, whose speed allows whole disks."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
import os
import stat
import subprocess
import tarfile
import typing as t
import zipfile
from dataclasses import dataclass
from pathlib import Path

from tests.stack.layout import write_private

from .canaries import Canary


class SearchError(Exception):
    """The search itself failed."""


@dataclass(frozen=True)
class Hit:
    """A canary in a file. offset: in bytes, from its beginning."""

    file: Path
    offset: int
    canary: Canary
    form: str


@dataclass(frozen=True)
class Finder:
    """Looks for ``canaries``. folder: for what the search needs; it holds the canaries, and is the hunt's alone."""

    canaries: t.Sequence[Canary]
    folder: Path

    def search(self, files: t.Sequence[Path]) -> list[Hit]:
        """Where they are. Files that are gone, or that nobody can read, are passed over. Raises SearchError."""
        needles: dict[bytes, tuple[Canary, str]] = {}
        for canary in self.canaries:
            for needle, form in canary.forms().items():
                needles.setdefault(needle, (canary, form))
        if not needles or not files:
            return []
        patterns = self.folder / "patterns"
        write_private(patterns, b"".join(needle + b"\n" for needle in needles))
        try:
            return self._grep(patterns, needles, files)
        finally:
            patterns.unlink()

    def _grep(
        self, patterns: Path, needles: t.Mapping[bytes, tuple[Canary, str]], files: t.Sequence[Path]
    ) -> list[Hit]:
        command = ["xargs", "-0", "grep", "-F", "-a", "-o", "-b", "-H", "-Z", "-s", "-f", str(patterns), "--"]
        names = b"\0".join(os.fsencode(file) for file in files)
        done = subprocess.run(
            command, input=names, capture_output=True, check=False, env={"PATH": os.environ["PATH"], "LC_ALL": "C"}
        )
        # xargs says 123 where a grep found nothing, or could not read a file.
        if done.returncode not in (0, 123) or done.stderr:
            raise SearchError(f"grep failed with {done.returncode}: {done.stderr.decode(errors='replace')[:300]}")
        hits = []
        rest = done.stdout
        while rest:
            name, _nul, rest = rest.partition(b"\0")
            line, _newline, rest = rest.partition(b"\n")
            offset, _colon, needle = line.partition(b":")
            hits.append(Hit(Path(os.fsdecode(name)), int(offset), *needles[needle]))
        return hits


def regular(root: Path, one_file_system: bool = True) -> list[tuple[Path, int]]:
    """All regular files below ``root``, or itself, with their sizes; those of other file systems are left out."""
    found = []
    about = root.stat()  # the root of a host is a link
    if stat.S_ISREG(about.st_mode):
        return [(root, about.st_size)]
    for folder, folders, names in os.walk(root):
        if one_file_system:
            folders[:] = [name for name in folders if _device(f"{folder}/{name}") == about.st_dev]
        for name in names:
            with contextlib.suppress(OSError):
                file = os.lstat(f"{folder}/{name}")
                if stat.S_ISREG(file.st_mode):
                    found.append((Path(folder, name), file.st_size))
    return found


def unpacked(path: Path) -> bytes | None:
    """What a compressed file holds, None if it is none."""
    unpack = _UNPACKERS.get(path.suffix)
    if unpack is None:
        return None
    try:
        return unpack(path)
    except (OSError, EOFError, lzma.LZMAError, zipfile.BadZipFile, subprocess.CalledProcessError, tarfile.TarError):
        return None  # it is not what its name says


def _members(path: Path) -> bytes:
    with zipfile.ZipFile(path) as archive:
        return b"\n".join(archive.read(name) for name in archive.namelist())


_UNPACKERS: dict[str, t.Callable[[Path], bytes]] = {
    ".gz": lambda path: gzip.decompress(path.read_bytes()),
    ".tgz": lambda path: gzip.decompress(path.read_bytes()),
    ".xz": lambda path: lzma.decompress(path.read_bytes()),
    ".bz2": lambda path: bz2.decompress(path.read_bytes()),
    ".zip": _members,
    ".whl": _members,
    ".zst": lambda path: subprocess.run(["zstd", "-dc", str(path)], capture_output=True, check=True).stdout,
}


def _device(path: str) -> int:
    try:
        return os.lstat(path).st_dev
    except OSError:
        return -1
