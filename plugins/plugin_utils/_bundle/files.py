# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that several runs share: under a lock, and written in one step."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import shutil
import stat
import typing as t

_AS_IT_IS = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # no link leads elsewhere, no FIFO holds us up


@contextlib.contextmanager
def locked(folder: str) -> t.Iterator[None]:
    """Hold the folder's lock; the kernel frees it when the holder dies."""
    descriptor = os.open(os.path.join(folder, ".lock"), os.O_WRONLY | os.O_CREAT | _AS_IT_IS, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


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


def opened(path: str) -> t.BinaryIO:
    """Open a file to read. Raises OSError, also for what is no file."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    stream = open(descriptor, "rb")  # noqa: SIM115 - the caller closes it
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        stream.close()
        raise OSError(errno.EINVAL, "it is not a file")
    return stream


def sha256_of(path: str) -> str:
    """The hash of a file's content, in hex. Raises OSError."""
    digest = hashlib.sha256()
    with opened(path) as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
