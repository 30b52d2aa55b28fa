# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which run of Ansible this process belongs to, and whether another one is still there.

Private to this collection. A run is the process that the user started; its workers are forked anew for each task.
"""

from __future__ import annotations

import dataclasses
import os
import typing as t

from ansible_collections.vaultfleet.aws.plugins.plugin_utils._hit import pid_of_run, run_name
from ansible_collections.vaultfleet.aws.plugins.plugin_utils._hit import started as _started

_BOOT_ID = "/proc/sys/kernel/random/boot_id"


@dataclasses.dataclass(frozen=True)
class Run:
    """A run, by its first process. started: clock ticks since boot, so that a recycled pid is told apart."""

    pid: int
    started: int
    boot_id: str
    pid_namespace: str

    @property
    def name(self) -> str:
        """A file name for it."""
        return run_name(self.pid, self.started)

    def is_dead(self) -> bool:
        """True only if the process is known to be gone; in doubt it lives."""
        here = _place()
        if here is None or (self.boot_id, self.pid_namespace) != here:
            return False
        try:
            return _started(self.pid) != self.started
        except OSError:
            return False


def this_run() -> Run | None:
    """Return the run that this process is of, or None where /proc cannot tell (not Linux)."""
    pid = pid_of_run()
    try:
        started = _started(pid)
    except OSError:
        return None
    place = _place()
    return None if started is None or place is None else Run(pid, started, *place)


def run_of(fields: t.Mapping[str, t.Any]) -> Run | None:
    """Return the run that ``fields`` describe (a Run's, as JSON has them), or None if they are garbled."""
    try:
        run = Run(**fields)
    except TypeError:
        return None
    numbers, texts = (run.pid, run.started), (run.boot_id, run.pid_namespace)
    sound = all(isinstance(one, int) for one in numbers) and all(isinstance(one, str) for one in texts)
    return run if sound else None


def _place() -> tuple[str, str] | None:
    try:
        with open(_BOOT_ID, encoding="ascii") as file:
            return file.read().strip(), os.readlink("/proc/self/ns/pid")
    except OSError:
        return None
