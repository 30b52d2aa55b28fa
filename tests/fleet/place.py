# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a fleet for people keeps its files, how it is, and how it is taken up and down."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.stack import processes
from tests.stack.cache import locked
from tests.stack.control import healthy as stack_healthy
from tests.stack.layout import layout
from tests.stack.vault import tail

from . import leftovers, packages
from .errors import FleetError
from .progress import say

PROJECT = Path(__file__).parents[2]
PATIENCE = 600.0  # seconds; trees may have to be built
# Says that the folder is a fleet's, so that no other is ever emptied.
MARK = ".vaultfleet-fleet"


@dataclass(frozen=True)
class Place:
    """The folder of one fleet; ``root`` is absolute."""

    root: Path

    @property
    def stack(self) -> Path:
        """The stack's folder."""
        return self.root / "stack"

    @property
    def hosts(self) -> Path:
        """Inventory, ssh's configuration and keys."""
        return self.root / "hosts"

    @property
    def inventory(self) -> Path:
        """Written last, so that it is only there when all hosts were ready."""
        return self.hosts / "inventory.ini"

    @property
    def run(self) -> Path:
        """The record of the process that has the hosts."""
        return self.root / "run"

    @property
    def log(self) -> Path:
        """What that process says."""
        return self.root / "fleet.log"


def up(place: Place) -> None:
    """Bring up the stack and the hosts, if they are not up. Raises FleetError, and leaves nothing then."""
    packages.ensure()
    if place.root.exists() and not (place.root / MARK).exists() and any(place.root.iterdir()):
        raise FleetError(f"{place.root} holds files that are not a fleet's; choose another --dir")
    place.root.mkdir(mode=0o700, parents=True, exist_ok=True)
    (place.root / MARK).touch()
    with locked(place.root / "lock"):
        if _healthy(place):
            say(f"already up: {place.inventory}")
            return
        _take_down(place)
        start = time.monotonic()
        try:
            _start(place)
        except BaseException:
            _take_down(place)
            raise
        say(f"ready after {time.monotonic() - start:.1f} s")
        say(f"for Ansible: -i {place.inventory}; for ssh: -F {place.hosts / 'ssh-config'} NAME")


def down(place: Place) -> None:
    """Take down hosts and stack, and remove their files; nothing to do if they are not there."""
    if not (place.root / MARK).exists():
        say(f"no fleet in {place.root}")
        return
    with locked(place.root / "lock"):
        _take_down(place)
    say("down")


def _healthy(place: Place) -> bool:
    return (
        place.inventory.exists()
        and any(processes.running(process) for process in _recorded(place))
        and stack_healthy(layout(str(place.stack)))
    )


def _recorded(place: Place) -> list[processes.Process]:
    return processes.recorded(place.run) if place.run.is_dir() else []


def _start(place: Place) -> None:
    for folder in (place.hosts, place.run):
        folder.mkdir(mode=0o700)
    _stack("up", place)
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "XDG_CACHE_HOME") if name in os.environ}
    command = [sys.executable, "-m", "tests.fleet.serve", "--dir", str(place.root)]
    variables = {**environment, "LANG": "C.UTF-8", "PYTHONPATH": str(PROJECT), "PYTHONUNBUFFERED": "1"}
    process = processes.spawn(place.run, "fleet", command, place.log, variables)
    deadline = time.monotonic() + PATIENCE
    while not place.inventory.exists():
        if not processes.running(process):
            raise FleetError(f"the hosts did not come up:\n{tail(place.log, 30)}")
        if time.monotonic() > deadline:
            raise FleetError(f"the hosts were not up after {PATIENCE:.0f} s:\n{tail(place.log, 30)}")
        time.sleep(0.05)


def _take_down(place: Place) -> None:
    for process in _recorded(place):
        processes.stop(place.run, process)
    leftovers.clear_orphans()
    if place.stack.exists():
        _stack("down", place)
    for folder in (place.hosts, place.run, place.stack):
        shutil.rmtree(folder, ignore_errors=True)
    place.log.unlink(missing_ok=True)


def _stack(command: str, place: Place) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.stack", command, "--dir", str(place.stack)],
        check=False,
        cwd=PROJECT,
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
    )
    if done.returncode != 0:
        raise FleetError(f"the stack did not go {command}; see above")
