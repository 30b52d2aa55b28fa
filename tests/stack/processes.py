# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Servers in the background: started in a session of their own, recorded, and stopped without ever hitting a stranger.

A record holds the process id and the kernel's start time of that process; both must fit before anything is killed,
so that a process id that was given to somebody else since then is left alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
import typing as t
from dataclasses import asdict, dataclass
from pathlib import Path

from .errors import StackError
from .layout import write_private


@dataclass(frozen=True)
class Process:
    """A server of the stack: its process id, its start time in clock ticks since boot, and how it was started."""

    name: str
    pid: int
    start: int
    command: list[str]


@dataclass(frozen=True)
class _Stat:
    state: str
    session: int
    start: int


def spawn(run: Path, name: str, command: list[str], log: Path, env: t.Mapping[str, str]) -> Process:
    """Start ``command`` as a daemon with its output appended to ``log``, and record it in the folder ``run``."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "ab") as stream:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, env=dict(env), start_new_session=True
        )
    # The record takes over from here: nobody waits for this object, and it must not complain about that.
    child.returncode = 0
    stat = _stat(child.pid)
    if stat is None:
        raise StackError(f"{name} ended at once; see {log}")
    process = Process(name, child.pid, stat.start, command)
    write_private(run / f"{name}.json", json.dumps(asdict(process)))
    return process


def recorded(run: Path) -> list[Process]:
    """Every process that the stack started and did not take down, running or not."""
    found = []
    for path in sorted(run.glob("*.json")):
        try:
            found.append(Process(**json.loads(path.read_text(encoding="utf-8"))))
        except (ValueError, TypeError) as exc:
            raise StackError(
                f"the process record {path} is damaged ({exc}); remove it once that process is gone"
            ) from None
    return found


def running(process: Process) -> bool:
    """Whether this very process still runs; a dead one that nobody has waited for does not."""
    stat = _stat(process.pid)
    return stat is not None and stat.start == process.start and stat.state not in "ZX"


def stop(run: Path, process: Process, patience: float = 5.0) -> None:
    """End ``process`` and all of its session, gently for ``patience`` seconds, and drop its record."""
    for number, wait in ((signal.SIGTERM, patience), (signal.SIGKILL, 5.0)):
        _send(_family(process) if number == signal.SIGKILL else _leader(process), number)
        deadline = time.monotonic() + wait
        while _family(process) and time.monotonic() < deadline:
            time.sleep(0.02)
            _reap(process.pid)
        if not _family(process):
            (run / f"{process.name}.json").unlink(missing_ok=True)
            return
    raise StackError(f"{process.name} (process {process.pid}) does not end; stop it by hand")


def _leader(process: Process) -> list[int]:
    return [process.pid] if running(process) else _family(process)


def _family(process: Process) -> list[int]:
    """The living processes of the session that ``process`` leads: itself, and what it started.

    While any of them lives, the kernel gives the leader's id to nobody else. So a process with that id and
    another start time means that the session is gone.
    """
    leader = _stat(process.pid)
    if leader is not None and leader.start != process.start:
        return []
    found = []
    for name in (path.name for path in Path("/proc").iterdir()):
        stat = _stat(int(name)) if name.isdigit() else None
        if stat is not None and stat.session == process.pid and stat.start >= process.start and stat.state not in "ZX":
            found.append(int(name))
    return found


def _send(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _reap(pid: int) -> None:
    # Where this very process started the server, it is the one that has to collect it.
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def _stat(pid: int) -> _Stat | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The second field is the program's name in brackets, and may hold anything: count from the last bracket.
    fields = text.rpartition(")")[2].split()
    return _Stat(state=fields[0], session=int(fields[3]), start=int(fields[19]))
