# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Virtual environments of pinned, hashed packages, kept in the cache."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

from .cache import cache_root, cached, digest
from .errors import StackError
from .progress import say, step

HERE = Path(__file__).parent


def environment(requirements: str, what: str) -> Path:
    """The venv that holds ``requirements`` (a lock file of this folder), made if needed; returns its folder.

    Raises StackError when the packages cannot be installed.
    """
    lock = HERE / requirements
    name = f"{lock.stem}-py{platform.python_version()}-{digest(lock.read_bytes(), sys.base_prefix)}"
    if (cache_root() / f"{name}.ok").exists():
        return cache_root() / name
    say(f"{what}: not in the cache; installing")

    def build(folder: Path) -> None:
        with step(f"{what}: installed into the cache"):
            _run(
                [sys.executable, "-I", "-m", "venv", "--clear", str(folder)],
                "make a virtual environment (is venv installed?)",
            )
            pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            pip += ["--no-input", "--no-deps", "--require-hashes", "--only-binary", ":all:", "-r", str(lock)]
            _run(pip, f"install {requirements} (is the package index reachable?)")

    return cached(name, build, movable=False)


def _run(command: list[str], what: str) -> None:
    done = subprocess.run(
        command, check=False, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode != 0:
        raise StackError(f"could not {what}:\n{done.stdout.strip()[-2000:]}")
