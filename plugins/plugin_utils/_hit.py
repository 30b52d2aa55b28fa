# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The short way to a token that this run shares already.

Private to this collection. Ansible forks a process for each task of each host, and compiles the files of a collection
anew in each: what a hit needs is in this file alone. It judges no option. A lookup that was given exactly the same, in
the same environment, has judged them and left a note; whatever is unusual is left to the long way, in ``_lookup``.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import stat
import time
import typing as t

SHARED_MEMORY = "/dev/shm"  # noqa: S108 - the folder below it is checked
HITS = "hits"
VERSION = 1  # of records and notes
OPEN = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK  # a FIFO must not hold us up
_LARGEST = 4 * 1024 * 1024  # bytes of one of our files
_LARGEST_NUMBER = 10**15  # seconds
# What the AWS SDK reads to find credentials; a change of any of these may be another identity.
CREDENTIAL_FILES = {
    "AWS_CONFIG_FILE": "~/.aws/config",
    "AWS_SHARED_CREDENTIALS_FILE": "~/.aws/credentials",
    "AWS_WEB_IDENTITY_TOKEN_FILE": None,
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": None,
    "BOTO_CONFIG": "~/.boto",
}
_KINDS: dict[str, tuple[type, ...]] = {
    "token": (str,),
    "answer": (dict,),
    "ttl": (int, float),
    "renewable": (bool,),
    "ends": (int, float, type(None)),
    "checked": (int, float),
    "asks": (bool,),
    "version": (int,),
}


def name_of(terms: t.Sequence[t.Any], options: t.Mapping[str, t.Any], variables: t.Mapping[str, t.Any]) -> str | None:
    """Return the name of the note for what a lookup was given; None: there is more to it than plain values."""
    values = (*terms, *options.values(), *variables.values())
    if not all(isinstance(value, (str, int, float, type(None))) for value in values):
        return None
    parts = [list(terms), dict(options), dict(variables), dict(os.environ), os.geteuid(), credential_files()]
    return "given-" + hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def recall(name: str) -> list[t.Any] | None:
    """Return what the lookup that left the note would return now; None: that takes the long way."""
    try:
        pid = pid_of_run()
        run = run_name(pid, started(pid))
        for base in (os.environ.get("XDG_RUNTIME_DIR"), SHARED_MEMORY):
            if base and os.path.isabs(base) and os.path.isdir(base) and is_safe(base):
                folder = folder_in(base)
                store = os.path.join(folder, run)
                if is_own_folder(folder) and is_own_folder(store):
                    return _recall(store, name)
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        pass
    return None


def _recall(store: str, name: str) -> list[t.Any] | None:
    note = _read(os.path.join(store, name))
    found = []
    for one in note["tokens"]:
        record = _read(os.path.join(store, one["key"]))
        if (
            not is_sound(record)
            or not fits(record["ends"], record["ttl"], one["min_ttl"], _now())
            or (record["asks"] and is_check_due(record["checked"], one["check_interval"], _now()))
        ):
            return None
        found.append(record["answer"] if one["whole"] else record["token"])
    descriptor = os.open(os.path.join(store, HITS), os.O_WRONLY | os.O_CREAT | os.O_APPEND | OPEN, 0o600)
    try:
        if is_own_file(os.fstat(descriptor)):
            os.write(descriptor, b"." * len(found))
    finally:
        os.close(descriptor)
    return found


def _read(path: str) -> dict[str, t.Any]:
    descriptor = os.open(path, os.O_RDONLY | OPEN)
    try:
        content = os.read(descriptor, _LARGEST) if is_own_file(os.fstat(descriptor)) else b""
    finally:
        os.close(descriptor)
    record = json.loads(content)
    if not isinstance(record, dict) or record["version"] != VERSION:
        raise ValueError
    return record


def _now() -> float:
    """As ``_auth.clock.now``, which would be one more file to load; this one is for systems with /proc only."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def is_sound(fields: t.Mapping[str, t.Any]) -> bool:
    """Whether these are the fields of a record of a shared token (see ``_shared``)."""
    if fields.keys() != _KINDS.keys() or not all(isinstance(fields[name], kinds) for name, kinds in _KINDS.items()):
        return False
    # Of no larger number can time be taken, nor of NaN.
    if not all(abs(fields[name]) < _LARGEST_NUMBER for name in ("ttl", "ends", "checked") if fields[name] is not None):
        return False
    auth = fields["answer"].get("auth")
    return isinstance(auth, dict) and auth.get("client_token") == fields["token"] and fields["version"] == VERSION


def fits(ends: float | None, ttl: float, min_ttl: float, now: float) -> bool:
    """Whether a token has enough of its life left; of a short one, half is enough."""
    left = float("inf") if ends is None else ends - now
    return left >= min(min_ttl, ttl / 2 if ttl else min_ttl)


def is_check_due(checked: float, check_interval: float, now: float) -> bool:
    """Whether somebody should look if the token still lives."""
    return check_interval > 0 and now - checked >= check_interval


def credential_files() -> dict[str, list[object] | None]:
    """Which files the AWS SDK reads, and as what they are there; nothing of what they hold."""
    return {name: _file_identity(name, default) for name, default in CREDENTIAL_FILES.items()}


def _file_identity(variable: str, default: str | None) -> list[object] | None:
    path = os.environ.get(variable) or default
    if path is None:
        return None
    path = os.path.expanduser(path)
    try:
        found = os.stat(path)
    except OSError:
        return [path]
    return [path, found.st_dev, found.st_ino, found.st_mtime_ns]


def pid_of_run() -> int:
    """The process that the user started: the parent of a worker, which multiprocessing knows, or this one."""
    parent = multiprocessing.parent_process()
    return os.getpid() if parent is None or parent.pid is None else parent.pid


def started(pid: int) -> int | None:
    """Start time of a process, field 22 of proc_pid_stat(5), or None if it runs no more. Raises OSError: not known."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            state, *fields = file.read().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # One that is dead but not collected, as in a container whose first process does not collect, runs no more.
    return None if state in (b"Z", b"X") else int(fields[18])


def run_name(pid: int, since: int | None) -> str:
    """The name of a run's folder."""
    return f"run-{pid}-{since}"


def folder_in(base: str) -> str:
    """The user's folder, which holds those of runs."""
    return os.path.join(base, f"vaultfleet-aws-{os.geteuid()}")


def is_safe(base: str) -> bool:
    """Whether nobody else can swap our folder in ``base``: sudo, for one, may leave us another user's directory."""
    found = os.stat(base)
    others_write = bool(found.st_mode & 0o022)
    if found.st_uid == os.geteuid() and not others_write:
        return True
    return found.st_uid == 0 and (not others_write or bool(found.st_mode & stat.S_ISVTX))


def is_own_folder(path: str) -> bool:
    """Whether this is a folder of this user, and of nobody else."""
    try:
        found = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and _is_private(found)


def is_own_file(found: os.stat_result) -> bool:
    """Whether this is a plain file of this user alone, under one name."""
    return stat.S_ISREG(found.st_mode) and _is_private(found) and found.st_nlink == 1


def _is_private(found: os.stat_result) -> bool:
    return found.st_uid == os.geteuid() and not stat.S_IMODE(found.st_mode) & 0o077
