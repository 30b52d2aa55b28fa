# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What systemd and the agent itself tell of a service, as root sees it."""

from __future__ import annotations

import json
import os
import stat
import typing as t

# Runs a command: its exit code, output and errors.
Run = t.Callable[[t.List[str]], t.Tuple[int, str, str]]  # noqa: UP006 (Python 3.8 has to read this, to be refused)

_LARGEST = 1024 * 1024  # bytes


def properties(run: Run, unit: str, names: t.Sequence[str]) -> dict[str, str]:
    """Return what ``systemctl show`` tells; a property that it does not know is missing."""
    _code, output, _errors = run(["systemctl", "show", f"--property={','.join(names)}", unit])
    return {name: value for name, _equals, value in (line.partition("=") for line in output.splitlines())}


def status(name: str, pid: int) -> dict[str, t.Any] | None:
    """Return what the agent told last, if it was process ``pid`` that told, and it is still there."""
    text = read(f"/run/{name}/status.json")
    try:
        seen = json.loads(text or "")
    except (ValueError, RecursionError):
        return None
    if not isinstance(seen, dict) or seen.get("pid") != pid or seen.get("pid_started") != _started(pid):
        return None
    return seen


def read(path: str) -> str | None:
    """Return the text of a file, or None if there is none. It may be in a directory of the agent's user."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return None
            return file.read(_LARGEST).decode("utf-8", "replace")
    except OSError:
        return None


def last_words(run: Run, unit: str, invocations: t.Collection[str]) -> str:
    """Return the last lines that the service itself wrote into the journal in ``invocations``; "" if there are none."""
    # Not --unit: systemd's own lines say no more than that the service failed.
    matches = [f"_SYSTEMD_UNIT={unit}", *(f"_SYSTEMD_INVOCATION_ID={one}" for one in sorted(invocations) if one)]
    command = ["journalctl", *matches, "--output=cat", "--lines=5", "--no-pager", "--quiet"]
    _code, output, _errors = run(command)
    return output.strip()


def _started(pid: int) -> int | None:
    text = read(f"/proc/{pid}/stat")
    try:
        return int((text or "").rpartition(")")[2].split()[19])
    except (ValueError, IndexError):
        return None
