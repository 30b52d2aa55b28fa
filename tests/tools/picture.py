# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The picture of the demo in the README: what ``make demo`` prints on a terminal, run for it, as SVG.

Left out are the blank lines of plays, Ansible's report of the failure whose hint is shown, and the second run's tasks.
"""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

from .project import ROOT, ToolError

PICTURE = ROOT / "docs" / "images" / "demo.svg"
WIDTH = 120  # columns
_PAUSE = "    ..."


def main() -> int:
    """The command line: 0 if the demo came out as it should, and the picture is written."""
    try:
        lines = chosen(record())
    except ToolError as exc:
        print(f"picture: error: {exc}", file=sys.stderr)
        return 1
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    PICTURE.write_text(draw(lines), encoding="utf-8")
    print(f"picture: {len(lines)} lines of the demo are in {PICTURE.relative_to(ROOT)}")
    return 0


def record() -> list[str]:
    """What the demo prints on a terminal, colours included, in lines. Raises ToolError if it fails."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "tests.tools.demo"]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = b""
    while piece := _read(ours):
        sys.stdout.buffer.write(piece)
        sys.stdout.flush()
        shown += piece
    os.close(ours)
    if process.wait() != 0:
        raise ToolError("the demo failed: see the lines above")
    return shown.decode().replace(f"{ROOT}{os.sep}", "").splitlines()


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # Linux's way to say that the other end is closed
        return b""


def chosen(lines: list[str]) -> list[str]:
    """The lines of the picture. Raises ToolError if the demo prints other things than it did."""
    kept: list[str] = []
    run, inside, skipping = "", False, False
    for line in lines:
        plain = Text.from_ansi(line).plain
        if plain.startswith("== "):
            run, inside, skipping = plain.partition(" run")[0], "done" not in plain, False
            line = re.sub(r"@\S+/", "@", line)  # a folder of that run alone
        elif plain.startswith("[ERROR]" if run == "== first" else "PLAY ["):
            kept.append(_PAUSE)
            skipping = True
        elif plain.startswith("TASK [Show" if run == "== first" else "PLAY RECAP"):
            skipping = False
        if run and not skipping and (plain or not inside):
            kept.append(line)
    if kept.count(_PAUSE) != 2 or not any("Show the hint" in line for line in kept):
        raise ToolError("the demo's output has changed: see which lines the picture should have")
    return kept


def draw(lines: list[str]) -> str:
    """The picture; nothing in it is loaded from elsewhere."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, highlight=False)
    for line in lines:
        console.print(Text.from_ansi(line), soft_wrap=False, overflow="fold")
    frame = re.sub(r"@font-face \{\{.*?\}\}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    picture = console.export_svg(title="make demo", code_format=frame, unique_id="demo")
    return "".join(f"{line.rstrip()}\n" for line in picture.splitlines())


if __name__ == "__main__":
    sys.exit(main())
