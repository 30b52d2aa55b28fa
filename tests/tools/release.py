# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Prepares a release: writes the version where it stands, and makes the changelog of its fragments.

The version stands in galaxy.yml, and in the plugins, which see no galaxy.yml; a unit test keeps the two equal.
Preparing a version once more adds the fragments that came since then to its changelog.
"""

from __future__ import annotations

import os
import re
import sys

from . import commands
from .project import ROOT, ToolError

PLACES = {
    ROOT / "galaxy.yml": r"(?m)^(version: )\S+$",
    ROOT / "plugins" / "module_utils" / "_auth" / "version.py": r'(?m)^(VERSION = ")[^"]+',
}


def main(arguments: list[str]) -> int:
    """The command line: the version, as 1.2.3. Returns the exit code."""
    try:
        if len(arguments) != 1 or not re.fullmatch(r"\d+\.\d+\.\d+", arguments[0]):
            raise ToolError("Name the version that is to be released, such as 1.2.3: make release VERSION=1.2.3")
        prepare(arguments[0])
    except (ToolError, OSError) as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 1
    print(f"Prepared {arguments[0]}: look at CHANGELOG.rst, commit, and tag that commit {arguments[0]}.")
    return 0


def prepare(version: str) -> None:
    """Write version and changelog into the work tree. Raises ToolError."""
    for file, pattern in PLACES.items():
        text, found = re.subn(pattern, rf"\g<1>{version}", file.read_text(encoding="utf-8"))
        if found != 1:
            raise ToolError(f"{file.relative_to(ROOT)} must hold the version exactly once")
        file.write_text(text, encoding="utf-8")
    command = ["antsibull-changelog", "release", "--version", version, "--reload-plugins", "--update-existing"]
    if commands.run(command, ROOT, os.environ) != 0:
        raise ToolError("the changelog was not made: see the lines above")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
