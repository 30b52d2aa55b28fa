# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""SIGKILL at a chosen step: between two random moments, a write is too short to be met by chance.

A ``sitecustomize`` in the victim counts what it does with a file of one name and with the service manager, by Python's
audit events, and kills the process right before step number so and so. The code under trial is as users have it.
"""

from __future__ import annotations

from pathlib import Path

_CODE = """
import os, signal, sys

def _watch(left=[int(os.environ["VAULTFLEET_CHAOS_STEP"])], name=os.environ["VAULTFLEET_CHAOS_NAME"]):
    def look(event, arguments):
        files = event in ("open", "os.rename", "os.remove") and isinstance(arguments[0], str) and name in arguments[0]
        # What is told to the service manager: on a connected socket, without an address.
        told = event == "socket.sendmsg" or (event == "socket.connect" and isinstance(arguments[1], str))
        if files or told:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(look)

if os.environ.get("VAULTFLEET_CHAOS_STEP"):
    _watch()
"""


def environment(folder: Path, name: str, step: int, *path: Path) -> dict[str, str]:
    """The variables of a process that dies right before step ``step`` (from 1 on) of what it does with files whose name
    has ``name``. folder: for the code. path: what else PYTHONPATH is to have.
    """
    place = folder / "sitecustomize"
    place.mkdir(exist_ok=True)
    (place / "sitecustomize.py").write_text(_CODE, encoding="utf-8")
    return {
        "PYTHONPATH": ":".join(map(str, (place, *path))),
        "VAULTFLEET_CHAOS_STEP": str(step),
        "VAULTFLEET_CHAOS_NAME": name,
    }
