# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes the locks with hashes anew, from the .in files beside them.

A line ``# python: 3.12`` in an .in file is the oldest Python that the lock is for (3.11 without such a line);
``# python: 3.9 only`` the only one.
Extra arguments are package names: only these are raised, the others stay as they are.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from .project import ROOT, ToolError
from .pythons import newest_core
from .venv import ensure_venv

OPTIONS = ["--generate-hashes", "--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links"]


def main(packages: list[str]) -> int:
    """Compile every .in file of the tests; returns the exit code."""
    try:
        uv = ensure_venv("uv", newest_core()[1]) / "bin" / "uv"
        for source in sorted((ROOT / "tests").glob("*/*.in")):
            match = re.search(r"^# python: (\S+)( only)?$", source.read_text(), re.MULTILINE)
            python, only = match.groups() if match is not None else ("3.11", None)
            _compile(uv, source, python, only is not None, packages)
    except (ToolError, OSError) as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 1
    return 0


def _compile(uv: Path, source: Path, python: str, only: bool, packages: list[str]) -> None:
    print(f"locks: {source.relative_to(ROOT)}", flush=True)
    command = [str(uv), "pip", "compile", "--quiet", *OPTIONS, "--python-version", python]
    command += [] if only else ["--universal"]
    command += [f"--upgrade-package={name}" for name in packages] or ["--upgrade"]
    command += ["--output-file", source.with_suffix(".txt").name, source.name]
    if subprocess.run(command, cwd=source.parent, check=False).returncode != 0:
        raise ToolError(f"Compiling {source.name} failed: see the lines above. Is the package index in reach?")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
