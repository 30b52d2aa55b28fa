# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Things made once for each content: built beside their place and moved there whole, under a lock."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
import typing as t
from contextlib import contextmanager
from pathlib import Path

Builder = t.Callable[[Path], None]


def cache_root() -> Path:
    """The user's cache folder for this project, made if it is not there."""
    base = os.environ.get("XDG_CACHE_HOME")
    root = (Path(base) if base else Path.home() / ".cache") / "vaultfleet-aws"
    root.mkdir(parents=True, exist_ok=True)
    return root


def digest(*parts: str | bytes) -> str:
    """A short key over all parts; each part's length counts, so that neighbours cannot run into each other."""
    sha = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        sha.update(f"{len(data)}:".encode())
        sha.update(data)
    return sha.hexdigest()[:20]


@contextmanager
def locked(path: Path) -> t.Iterator[None]:
    """Hold an exclusive lock on ``path``; the kernel drops it when the process dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def cached(name: str, build: Builder, movable: bool = True) -> Path:
    """The folder ``name`` in the cache, built by ``build(folder)`` if it is not there whole.

    A folder with ``movable`` off is built in its final place, because what it holds knows its own path, and counts only
    once its mark is written. Either way a killed run leaves nothing that a later run would take for whole.
    """
    root = cache_root()
    place, mark = root / name, root / f"{name}.ok"
    if mark.exists() and place.is_dir():
        return place
    with locked(root / f"{name}.lock"):
        if mark.exists() and place.is_dir():
            return place
        for leftover in (place, *root.glob(f".{name}.*")):
            shutil.rmtree(leftover, ignore_errors=True)
        if movable:
            with tempfile.TemporaryDirectory(prefix=f".{name}.", dir=root) as temporary:
                made = Path(temporary) / "made"
                made.mkdir()
                build(made)
                made.rename(place)
        else:
            place.mkdir()
            build(place)
        mark.touch()
    return place
