# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host has outside of itself: a folder and a control group, both named for the process that owns the host.

The name tells whether the owner still lives, so that no record can be out of date.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import shutil
import time
from pathlib import Path

from .errors import FleetError

FOLDERS = Path("/run/vaultfleet-fleet")
PREFIX = "vaultfleet"
_numbers = itertools.count(1)


def new_name() -> str:
    """A name for a host of this process: its id, its start time, a number."""
    pid = os.getpid()
    return f"{PREFIX}-{pid}-{_started(pid)}-{next(_numbers)}"


def control_group(name: str) -> Path:
    """Where the control group of a host is. Raises FleetError if this machine cannot have one."""
    return _hierarchy() / name


def folder(name: str) -> Path:
    """Where the folder of a host is."""
    return FOLDERS / name


def clear_orphans() -> None:
    """End and remove the hosts whose owner is gone."""
    names = {path.name for place in (_hierarchy(), FOLDERS) if place.is_dir() for path in place.glob(f"{PREFIX}-*")}
    for name in sorted(names):
        match = re.fullmatch(rf"{PREFIX}-(\d+)-(\d+)-\d+", name)
        if match is not None and _started(int(match[1])) != int(match[2]):
            clear(name)


def clear(name: str) -> None:
    """End all processes of a host and remove its control group and its folder, as far as they are there."""
    group = control_group(name)
    with contextlib.suppress(FileNotFoundError):
        (group / "cgroup.kill").write_text("1", encoding="ascii")
    deadline = time.monotonic() + 10
    while group.is_dir():
        _remove_groups(group)
        if time.monotonic() > deadline:
            raise FleetError(f"processes of the host {name} do not end: see {group}")
        time.sleep(0.01)
    shutil.rmtree(folder(name), ignore_errors=True)


def _remove_groups(group: Path) -> None:
    for path, _folders, _files in os.walk(group, topdown=False):
        # Busy while a process in it is still ending.
        with contextlib.suppress(OSError):
            Path(path).rmdir()


def _hierarchy() -> Path:
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        mount, _separator, kind = line.partition(" - ")
        if kind.startswith("cgroup2 "):
            return Path(mount.split()[4])
    raise FleetError("systemd hosts need the unified hierarchy of control groups: mount cgroup2")


def _started(pid: int) -> int | None:
    """When a process started, in clock ticks since the machine's boot; None if it does not run."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The second field is the program's name in brackets, and may hold anything: count from the last bracket.
    return int(text.rpartition(")")[2].split()[19])
