# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that several runs share: under a lock, and written in one step."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import typing as t


@contextlib.contextmanager
def locked(folder: str) -> t.Iterator[None]:
    """Hold the folder's lock; the kernel frees it when the holder dies."""
    with open(os.path.join(folder, ".lock"), "a", encoding="ascii") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def remove_leftovers(folder: str) -> None:
    """Remove what a killed run was about to make. For the holder of the lock."""
    for name in os.listdir(folder):
        if name.startswith(".new."):
            path = os.path.join(folder, name)
            if os.path.isdir(path):
                shutil.rmtree(path, ignore_errors=True)
            else:
                os.unlink(path)


def write(path: str, content: bytes) -> None:
    """Put a file there in one step, for everybody to read. For the holder of the folder's lock."""
    folder, name = os.path.split(path)
    fresh = os.path.join(folder, f".new.{name}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
    with open(descriptor, "wb") as stream:
        stream.write(content)
    os.replace(fresh, path)


def sha256_of(path: str) -> str:
    """The hash of a file's content, in hex."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
