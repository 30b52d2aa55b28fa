# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One trial in a process of its own, which is ended with all that it started when its time is over.

Needs Linux: what a trial left behind is found because orphans become our children (PR_SET_CHILD_SUBREAPER, prctl(2)).
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import time
import traceback
import typing as t
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.chaos.trial import NOTHING_LEFT, TRIED, Finding, Ground, LeftOut, Trial
from tests.stack.cache import cache_root
from tests.stack.vault import tail
from tests.tools import commands
from tests.tools.private_stack import clean_environment

_PR_SET_CHILD_SUBREAPER = 36  # prctl(2)
_GRACE = 10.0  # seconds that a trial has to clean up when its time is over
_SETTLING = 2.0  # seconds that processes have to be gone after the end of their trial


@dataclass(frozen=True)
class Tried:
    """What came of a trial. left_out: why it was not done, or "". said: the end of what it printed."""

    findings: tuple[Finding, ...]
    seconds: float
    left_out: str = ""
    said: str = ""


def adopt_orphans(on: bool = True) -> None:
    """Make what trials leave behind children of this process, or no longer. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, int(on), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def limit(trial: Trial) -> float:
    """The hard limit of a trial, in seconds: far more than it takes, also on a machine that is busy."""
    return 30 + 4 * trial.seconds


def confined(trial: Trial, ground: Ground, spared: Callable[[], set[int]]) -> Tried:
    """Run ``trial``. spared: the sessions of the stack's servers, which trials may start anew."""
    began = time.monotonic()
    told = ground.folder.with_suffix(".json")
    child = os.fork()
    if child == 0:
        _run(trial, ground, told)
    try:
        in_time = _ended(child, limit(trial))
        if not in_time:
            _end(child)
    except BaseException:
        _end(child)
        _end_leftovers(spared)
        _unmount(ground.folder)
        raise
    seconds = time.monotonic() - began
    findings, left_out = _read(told)
    if not in_time:
        findings = [*findings, Finding(TRIED, False, f"not over after {limit(trial):.0f} s: ended", seconds)]
    elif not findings and not left_out:
        findings = [Finding(TRIED, False, "it ended without a word")]
    left = [f"process {name}" for name in _end_leftovers(spared)] + [f"mount {one}" for one in _unmount(ground.folder)]
    if left:
        findings = [*findings, Finding(NOTHING_LEFT, False, ", ".join(left)[:300], len(left))]
    return Tried(tuple(findings), seconds, left_out, tail(ground.folder.with_suffix(".said"), 15))


def _run(trial: Trial, ground: Ground, told: Path) -> t.NoReturn:
    """In the child: run the trial, and write what it found."""
    code = 0
    try:
        os.setsid()
        commands.raise_on_termination()
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is told, and ends us
        said = os.open(ground.folder.with_suffix(".said"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        for number in (1, 2):
            os.dup2(said, number)
        sys.stdout = sys.stderr = os.fdopen(said, "w", buffering=1)
        kept = {"XDG_CACHE_HOME": str(cache_root().parent)}  # what was built once is not built again for a new HOME
        clean = {**clean_environment(ground.folder.with_suffix(".home")), **kept}
        os.environ.clear()
        os.environ.update(clean, AWS_EC2_METADATA_DISABLED="true")
        result: dict[str, t.Any] = {}
        try:
            result["findings"] = [asdict(one) for one in trial.run(ground)]
        except LeftOut as exc:
            result["left_out"] = str(exc)
        except KeyboardInterrupt:
            result["findings"] = []
        except BaseException as exc:  # noqa: BLE001 - whatever it is, it is told
            traceback.print_exc()
            where = traceback.extract_tb(exc.__traceback__)[-1]
            saw = f"{type(exc).__name__} in {Path(where.filename).name}:{where.lineno}: {exc}"
            result["findings"] = [asdict(Finding(TRIED, False, " ".join(saw.split())[:1000]))]
        told.write_text(json.dumps(result), encoding="utf-8")
    except BaseException:  # noqa: BLE001 - nothing may get into the parent's code
        traceback.print_exc()
        code = 1
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _read(told: Path) -> tuple[list[Finding], str]:
    try:
        result = json.loads(told.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return [], ""
    return [Finding(**one) for one in result.get("findings", [])], str(result.get("left_out", ""))


def _ended(child: int, seconds: float) -> bool:
    """Wait for the end of ``child``; whether it came in time."""
    deadline = time.monotonic() + seconds
    while not _reaped(child):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _reaped(child: int) -> bool:
    try:
        return os.waitpid(child, os.WNOHANG)[0] == child
    except ChildProcessError:
        return True


def _end(child: int) -> None:
    """End it gently, so that it cleans up, then for good."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, number)
        if _ended(child, _GRACE):
            return


def _end_leftovers(spared: Callable[[], set[int]]) -> list[str]:
    """End what the trial started and did not end; the names of those processes."""
    deadline = time.monotonic() + _SETTLING
    names: list[str] = []
    while left := _leftovers(spared()):
        if time.monotonic() > deadline:
            names += list(left.values())
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)
    return names


def _leftovers(spared: set[int]) -> dict[int, str]:
    """Our children that live, and theirs, by id; those that are dead are collected."""
    parents: dict[int, int] = {}
    names: dict[int, str] = {}
    alive: set[int] = set()
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            text = (folder / "stat").read_text(encoding="ascii", errors="replace")
        except OSError:
            continue
        # proc_pid_stat(5): the name stands in brackets, and may hold anything.
        fields = text.rpartition(")")[2].split()
        pid = int(folder.name)
        parents[pid], names[pid] = int(fields[1]), text.partition("(")[2].rpartition(")")[0]
        if fields[0] in "ZX":
            if parents[pid] == os.getpid():
                _reaped(pid)
        elif int(fields[3]) not in spared:
            alive.add(pid)
    ours = {pid for pid, parent in parents.items() if parent == os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in ours} - ours:
        ours |= more
    return {pid: names[pid] for pid in ours & alive}


def _unmount(folder: Path) -> list[str]:
    """Take away the mounts in the folder of a trial; their last names. Those elsewhere may be somebody else's."""
    lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    points = [Path(line.split()[4]) for line in lines]  # proc_pid_mountinfo(5)
    left = [one for one in points if one.is_relative_to(folder)]
    for one in reversed(left):
        subprocess.run(["umount", "--lazy", str(one)], check=False, capture_output=True)
    return [one.name for one in left]
