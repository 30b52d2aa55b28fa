# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the agent's own state goes: the status file, the metrics file, the service manager's STATUS line."""

from __future__ import annotations

import json
import os
import time
import typing as t

from .._auth import sink
from .._auth.errors import LoginError, SinkError
from .._auth.sink import Sink
from . import status
from .systemd import Notifier

STATUS_FILE = "status.json"
METRICS_EVERY = 15.0  # seconds; Prometheus asks about as often


def runtime_directory(name: str, environ: t.Mapping[str, str]) -> str | None:
    """Return the directory of the status file of the agent ``name``: systemd's RUNTIME_DIRECTORY, else ``/run/<name>``
    if that is there, else ``<name>`` in XDG_RUNTIME_DIR. None if there is none.
    """
    given = environ.get("RUNTIME_DIRECTORY", "").split(":")[0]
    user = environ.get("XDG_RUNTIME_DIR", "")
    for place in (given, f"/run/{name}", os.path.join(user, name) if user else ""):
        if place and os.path.isdir(place):
            return place
    return None


def read(name: str, environ: t.Mapping[str, str]) -> dict[str, t.Any]:
    """Return what the agent ``name`` told last. Raises LoginError."""
    directory = runtime_directory(name, environ)
    if directory is None:
        raise LoginError(f"there is no agent {name!r} here", hint=f"give its --name: /run/{name} does not exist")
    path = os.path.join(directory, STATUS_FILE)
    text = sink.read(path)
    if text is None:
        raise LoginError(f"the agent {name!r} has told nothing yet", hint=f"it writes {path} when it runs")
    try:
        seen = json.loads(text)
        if isinstance(seen, dict) and isinstance(seen.get("pid"), int) and isinstance(seen.get("state"), str):
            return seen
    except (ValueError, RecursionError):
        pass
    raise LoginError(f"{path} is no status of an agent", hint="remove it, and restart the agent")


def is_running(seen: t.Mapping[str, t.Any]) -> bool:
    """Whether the process that told ``seen`` is still there."""
    started = started_at(seen["pid"])
    return started is not None and started == seen.get("pid_started")


def started_at(pid: int) -> int | None:
    """Return when process ``pid`` started, in the kernel's ticks since the boot (proc(5)); None if there is none."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return int(file.read().rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return None


class Publisher:
    """Tells of the agent whenever ``stale`` was set. problems: why something could not be written, for the log."""

    def __init__(self, runtime: str | None, notifier: Notifier) -> None:
        self.stale = True
        self.problems: list[str] = []
        self._runtime = runtime
        self._notifier = notifier
        self._metrics_at = 0.0

    def publish(self, look: t.Callable[[], status.Snapshot], metrics_file: str | None) -> None:
        """Write what changed. look: returns the snapshot, and is called only if somebody is to be told."""
        due = metrics_file is not None and (self.stale or time.monotonic() - self._metrics_at >= METRICS_EVERY)
        if not self.stale and not due:
            return
        seen = look()
        if self.stale:
            self._notifier.status(status.line(seen))
            if self._runtime:
                self._write(Sink(os.path.join(self._runtime, STATUS_FILE), 0o640), json.dumps(seen) + "\n")
        if metrics_file is not None:
            self._write(Sink(metrics_file, 0o644), status.metrics(seen, time.time()))
            self._metrics_at = time.monotonic()
        self.stale = False

    def _write(self, place: Sink, text: str) -> None:
        try:
            sink.write(place, text)
        except SinkError as e:
            if str(e) not in self.problems:
                self.problems.append(str(e))
