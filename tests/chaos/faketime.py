# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A clock that a trial sets while its victim runs, by libfaketime, which looks at a file whenever it is asked the time.

The library is of this machine's own distribution: installed, or downloaded once into the user's cache.
"""

from __future__ import annotations

import functools
import os
import platform
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.trial import LeftOut
from tests.live.agent.process import COLLECTIONS
from tests.stack.cache import cached, digest

_NAME = "faketime/libfaketime.so.1"
# Python sleeps until a moment of the clock that is not set, which libfaketime 0.9.10 takes for one of the other clock.
_SLEEP = """
import select, time
time.sleep = lambda seconds: select.select([], [], [], seconds) and None
"""


@dataclass(frozen=True)
class Clock:
    """The time of day of those who have ``environment``. It is right until it is set."""

    file: Path
    library: Path

    @classmethod
    def new(cls, folder: Path) -> Clock:
        """A clock whose file is in ``folder``. Raises LeftOut where there is no libfaketime."""
        clock = cls(folder / "clock", library())
        clock.set(0)
        place = folder / "sleep"
        place.mkdir()
        (place / "sitecustomize.py").write_text(_SLEEP, encoding="utf-8")
        return clock

    @property
    def environment(self) -> dict[str, str]:
        """The variables of those who see it. Timeouts are measured by the other clocks, which stay as they are."""
        return {
            "LD_PRELOAD": str(self.library),
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "PYTHONPATH": f"{self.file.with_name('sleep')}:{COLLECTIONS}",
        }

    def set(self, seconds: int) -> None:
        """Set it so many seconds ahead of the right one, or behind if negative, for all who see it, at once."""
        new = self.file.with_suffix(".new")
        new.write_text(f"{seconds:+d}\n", encoding="ascii")
        new.rename(self.file)


def sweep() -> None:
    """Remove what libfaketime leaves in shared memory of processes that were killed."""
    for file in [*Path("/dev/shm").glob("faketime_shm_*"), *Path("/dev/shm").glob("sem.faketime_sem_*")]:
        if not Path("/proc", file.name.rpartition("_")[2]).exists():
            file.unlink(missing_ok=True)


@functools.cache
def library() -> Path:
    """The library's path. Raises LeftOut."""
    installed = sorted(Path("/usr/lib").glob(f"*/{_NAME}"))
    if installed:
        return installed[0]
    if not all(map(shutil.which, ("apt-get", "dpkg-deb"))):
        raise LeftOut("libfaketime is not installed, and there is no apt-get to download it with")
    system = "-".join(platform.freedesktop_os_release().get(name, "") for name in ("ID", "VERSION_ID"))
    try:
        folder = cached(f"libfaketime-{digest(system, platform.machine())}", _download)
    except (OSError, subprocess.SubprocessError):
        raise LeftOut("libfaketime is not installed, and could not be downloaded") from None
    return next(folder.glob(f"usr/lib/*/{_NAME}"))


def _download(folder: Path) -> None:
    settings = {**os.environ, "APT_CONFIG": os.devnull}
    subprocess.run(
        ["apt-get", "download", "-qq", "libfaketime"], cwd=folder, env=settings, check=True, capture_output=True
    )
    [package] = folder.glob("*.deb")
    subprocess.run(["dpkg-deb", "--extract", str(package), str(folder)], check=True, capture_output=True)
    package.unlink()
