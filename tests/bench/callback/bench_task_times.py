# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Notes when each task of a run starts, and what of a processor was used until then."""

from __future__ import annotations

import json
import os
import resource
import time
import typing as t
from pathlib import Path

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    """The callback; Ansible finds it by this name. A line of JSON for each task goes to the file BENCH_TASK_TIMES."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "bench_task_times"
    CALLBACK_NEEDS_ENABLED = True

    def v2_playbook_on_task_start(self, task: t.Any, is_conditional: bool) -> None:
        """A task is about to run on the first host; all before it is over."""
        self._note(task.get_name())

    def v2_playbook_on_stats(self, stats: t.Any) -> None:
        """The last task is over."""
        self._note("")

    def _note(self, name: str) -> None:
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        processor = sum(one.ru_utime + one.ru_stime for one in used)
        with Path(os.environ["BENCH_TASK_TIMES"]).open("a", encoding="utf-8") as file:
            file.write(json.dumps([name, time.monotonic(), processor]) + "\n")
