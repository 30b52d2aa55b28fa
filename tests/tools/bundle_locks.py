# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes the locks of the agent's bundle anew: for each Python line of hosts, pure wheels by their one hash.

Where a package has no pure wheel, or a pin cannot be had as one, it fails and leaves that line's lock as it was. What
templates need is in locks of its own: MarkupSafe has compiled wheels alone, whose Python a bundle takes.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from .project import ROOT, ToolError
from .pythons import newest_core
from .venv import ensure_venv

LOCKS = ROOT / "plugins" / "plugin_utils" / "_bundle" / "locks"
LINES = ("3.9", "3.10", "3.11", "3.12", "3.13")
# What the agent imports; the rest is what these need.
NEEDS = ("botocore>=1.34", "hvac>=2.1")
OF_TEMPLATES = ("jinja2>=3.1",)
MACHINE = "manylinux2014_x86_64"  # any would do
PURE = ("--implementation", "py", "--abi", "none", "--platform", "any")
HEADER = """\
# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# What {what} on hosts with Python {line}: {wheels}, each by its only hash.
# Written by "python -m tests.tools.bundle_locks". Do so each month, and at once when one of these, or the certificates
# that certifi carries, has a security release; each change is a new bundle, which restarts the agents that get it.
"""


def main() -> int:
    """Write the lock of each line; returns the exit code."""
    try:
        uv = ensure_venv("uv", newest_core()[1]) / "bin" / "uv"
        LOCKS.mkdir(exist_ok=True)
        for line in LINES:
            print(f"bundle locks: Python {line}", flush=True)
            compiled = ("--implementation", "cp", "--abi", f"cp{line.replace('.', '')}", "--platform", MACHINE)
            for name, what, wheels, needs, tags in (
                ("py", "the agent's bundle holds", "pure Python wheels", NEEDS, PURE),
                (
                    "templates-py",
                    "the bundle of an agent with templates holds beside",
                    "wheels",
                    OF_TEMPLATES,
                    compiled,
                ),
            ):
                text = HEADER.format(line=line, what=what, wheels=wheels) + _lock(uv, line, needs, tags)
                (LOCKS / f"{name}{line}.txt").write_text(text, encoding="utf-8")
    except (ToolError, OSError) as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 1
    return 0


def _lock(uv: Path, line: str, needs: tuple[str, ...], tags: tuple[str, ...]) -> str:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "needs.in").write_text("\n".join(needs), encoding="utf-8")
        # uv, not pip, decides: pip judges "python_version < ..." by the Python that it runs on.
        plain = ["--quiet", "--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links", "--upgrade"]
        _run(
            [str(uv), "pip", "compile", *plain, "--python-version", line, "--output-file", "pins.txt", "needs.in"],
            folder,
        )
        pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "download", "--no-deps"]
        _run(
            [
                *pip,
                "--only-binary",
                ":all:",
                *tags,
                "--python-version",
                line,
                "--dest",
                "wheels",
                "--requirement",
                "pins.txt",
            ],
            folder,
        )
        pins = (folder / "pins.txt").read_text(encoding="utf-8").split()
        entries = []
        for pin, wheel in zip(pins, _wheels(folder / "wheels", pins), strict=True):
            digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
            entries.append(f"{pin} \\\n    --hash=sha256:{digest}\n")
    return "".join(entries)


def _wheels(folder: Path, pins: list[str]) -> list[Path]:
    """The wheel of each pin, in their order."""
    found = {}
    for path in folder.iterdir():
        name, version = path.name.split("-")[:2]
        found[f"{re.sub('[-_.]+', '-', name).lower()}=={version}"] = path
    missing = [pin for pin in pins if pin not in found]
    if missing:
        raise ToolError(f"There is no wheel for {', '.join(missing)} among {', '.join(found)}")
    return [found[pin] for pin in pins]


def _run(command: list[str], folder: Path) -> None:
    if subprocess.run(command, cwd=folder, check=False).returncode != 0:
        raise ToolError(f"{Path(command[0]).name} failed: see the lines above. Is the package index in reach?")


if __name__ == "__main__":
    sys.exit(main())
