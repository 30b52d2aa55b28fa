# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Python interpreters of this machine, and which ansible-core goes with which."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .project import ToolError

# Newest core first; for each the Pythons of its controller, the preferred one first. Preferring different ones lets
# "make test-all" cover all of them.
CORES = {
    "2.21": ("3.13", "3.12", "3.14"),
    "2.20": ("3.12", "3.13", "3.14"),
    "2.19": ("3.11", "3.12", "3.13"),
}

# The Pythons that managed hosts may have.
TARGETS = ("3.9", "3.10", "3.11", "3.12", "3.13", "3.14")

# Runs only in an interpreter that can make a virtual environment; the answer sees through wrappers and environments.
PROBE = (
    "import ensurepip, os, ssl, sys, venv\n"
    "print('%d.%d' % sys.version_info[:2], sys.version.split()[0], os.path.realpath(sys.executable), sep='\\t')\n"
)


@dataclass(frozen=True)
class Python:
    """An interpreter that was seen running: ``version`` is 3.13, ``full_version`` 3.13.0."""

    version: str
    full_version: str
    path: Path


@functools.cache
def find_python(version: str) -> Python | None:
    """The machine's interpreter of this version (``3.13``) or None; each candidate is judged by running it."""
    for candidate in _candidates(version):
        found = _probe(candidate)
        if found is not None and found.version == version:
            return found
    return None


def core_python(core: str) -> Python | None:
    """The preferred interpreter of this machine for an ansible-core (``2.21``), or None."""
    return next(filter(None, map(find_python, CORES[core])), None)


def newest_core() -> tuple[str, Python]:
    """The newest ansible-core that a Python of this machine can run, and that Python."""
    for core in CORES:
        python = core_python(core)
        if python is not None:
            return core, python
    raise ToolError(
        "No usable Python 3.11 or newer was found on PATH (it must be able to import venv, ensurepip and ssl). "
        "Install one; on Debian: apt-get install python3 python3-venv"
    )


def _candidates(version: str) -> list[str]:
    found = [shutil.which(name) for name in (f"python{version}", "python3")]
    # A version manager's shim runs only the versions that are switched on; the interpreters stand beside the shims.
    for folder in os.get_exec_path():
        if Path(folder).name == "shims":
            found += map(str, sorted((Path(folder).parent / "versions").glob(f"{version}.*/bin/python{version}")))
    return [path for path in found if path]


@functools.cache
def _probe(executable: str) -> Python | None:
    try:
        answer = subprocess.run(
            [executable, "-I", "-c", PROBE], capture_output=True, text=True, timeout=30, check=True
        ).stdout.strip()
        version, full_version, path = answer.split("\t")
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return Python(version, full_version, Path(path))
