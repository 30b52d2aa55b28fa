# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Small file systems that fill up and become read-only, in a mount namespace of a trial's own.

The trial's process, which has moved there, all that it starts, and nobody else, sees the mounts; they go with the last
of them, whatever kills the campaign.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import subprocess
from pathlib import Path

from tests.chaos.trial import LeftOut

_CLONE_NEWNS = 0x00020000


def move_away() -> None:
    """Move this process, which is a trial's own, to a mount namespace of its own. Raises LeftOut without rights."""
    if os.geteuid() != 0:
        raise LeftOut("mounts take root's rights")
    # Python has this from 3.12 on.
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNS) != 0:
        raise LeftOut(f"no mount namespace can be had: {os.strerror(ctypes.get_errno())}")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)


def mount(place: Path, *options: str) -> Path:
    """Mount a file system in memory at ``place``, which is made; ``place``."""
    place.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", ",".join((*options, "mode=0700")), "none", str(place)], check=True)
    return place


def remount(place: Path, mode: str) -> None:
    """Make it read-only (ro), or not (rw)."""
    subprocess.run(["mount", "-o", f"remount,{mode}", str(place)], check=True)


def fill(place: Path) -> None:
    """Write until nothing more goes in."""
    with contextlib.suppress(OSError), (place / "ballast").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def fill_inodes(place: Path) -> None:
    """Make files until there can be no more."""
    with contextlib.suppress(OSError):
        for number in range(100_000):
            (place / f"ballast-{number}").touch()


def empty(place: Path) -> None:
    """What ``fill`` and ``fill_inodes`` have put there goes."""
    for file in place.glob("ballast*"):
        file.unlink()
