# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Virtual environments made from the locks, kept in the user's cache, and commands run in them.

``venv.py make`` prints the folder of the default one; ``venv.py run COMMAND...`` runs a command in it.
``--lock NAME`` takes another lock of tests/requirements than that of the newest ansible-core.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from .project import COLLECTIONS, DEV, REQUIREMENTS, ROOT, ToolError, cache_dir, link_collection, relink
from .pythons import Python, newest_core


def ensure_venv(lock: str, python: Python) -> Path:
    """The environment for a lock of tests/requirements, made on first use.

    A marker, written last, tells a whole environment from one that a killed run left behind (scripts in an environment
    name its path, so that it can't be built elsewhere and moved).
    """
    lock_file = REQUIREMENTS / f"{lock}.txt"
    identity = b"\0".join([lock_file.read_bytes(), python.full_version.encode(), bytes(python.path)])
    folder = cache_dir() / "venv" / hashlib.sha256(identity).hexdigest()[:16]
    marker = folder / ".complete"
    if marker.exists():
        return folder
    folder.parent.mkdir(exist_ok=True)
    with folder.with_suffix(".lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not marker.exists():
            _build(folder, lock_file, python)
            marker.touch()
    return folder


def venv_environment(folder: Path) -> dict[str, str]:
    """The environment variables for a command in a virtual environment, with the collection in reach."""
    environment = dict(os.environ)
    environment.pop("PYTHONHOME", None)
    environment["VIRTUAL_ENV"] = str(folder)
    environment["PATH"] = f"{folder / 'bin'}{os.pathsep}{environment.get('PATH', os.defpath)}"
    environment["ANSIBLE_COLLECTIONS_PATH"] = str(COLLECTIONS)
    environment["PYTHONPATH"] = str(COLLECTIONS)
    return environment


def _build(folder: Path, lock_file: Path, python: Python) -> None:
    start = time.monotonic()
    name = lock_file.relative_to(ROOT)
    print(f"venv: Python {python.full_version} with {name} ...", file=sys.stderr, flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    _step([str(python.path), "-m", "venv", str(folder)], f"Python {python.full_version} can't make an environment")
    pip = [str(folder / "bin" / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
    _step([*pip, "--require-hashes", "--requirement", str(lock_file)], f"Installing {name} failed")
    print(f"venv: made in {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)


def _step(command: list[str], failure: str) -> None:
    # Our standard output belongs to the caller, so that pip's goes where its errors go.
    if subprocess.run(command, stdout=sys.stderr, check=False).returncode != 0:
        raise ToolError(f"{failure}: see the lines above. Is the package index in reach?")


def main() -> int:
    """The command line; returns the exit code, that of the command if one was run."""
    parser = argparse.ArgumentParser(description="Make or use the project's virtual environment.")
    parser.add_argument("--lock", help="a lock of tests/requirements, without .txt (default: of the newest core)")
    parser.add_argument("action", choices=["make", "run"])
    parser.add_argument("command", nargs=argparse.REMAINDER)
    arguments = parser.parse_args()
    try:
        core, python = newest_core()
        folder = ensure_venv(arguments.lock or f"core-{core}", python)
        link_collection()
        if arguments.lock is None:
            relink(DEV / "venv", folder)
        if arguments.action == "make":
            print(folder)
        else:
            _become(arguments.command, venv_environment(folder))
    except (ToolError, OSError) as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 1
    return 0


def _become(command: list[str], environment: dict[str, str]) -> None:
    program = shutil.which(command[0], path=environment["PATH"])
    if program is None:
        raise ToolError(f"{command[0]} is not in the environment {environment['VIRTUAL_ENV']}")
    os.execve(program, command, environment)  # noqa: S606 (signals and the terminal go straight to the command)


if __name__ == "__main__":
    sys.exit(main())
