# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Trees of files for hosts, built once and kept in the cache."""

from __future__ import annotations

import subprocess
import typing as t
from pathlib import Path

from tests.stack.cache import cache_root, cached

from .errors import FleetError
from .progress import step


def kept(place: str, what: str, build: t.Callable[[Path], None]) -> Path:
    """The tree ``place`` of the cache. Where it is not there, ``build`` fills a new folder, and ``what`` is shown."""
    if (cache_root() / f"{place}.ok").exists():
        return cache_root() / place

    def fill(folder: Path) -> None:
        folder.chmod(0o755)
        build(folder)

    with step(f"{what}, once, in the cache"):
        return cached(place, fill)


def run(command: t.Sequence[str], failure: str) -> None:
    """Run a step of a build, which ends with this process. Raises FleetError, which begins with ``failure``."""
    done = subprocess.run(
        ["setpriv", "--pdeathsig", "KILL", *command],
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        umask=0o022,  # users of the host read it
    )
    if done.returncode != 0:
        raise FleetError(f"{failure}:\n{done.stdout.strip()[-2000:]}")
