# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hands what a play registered to the hunt, past all that Ansible writes."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    """The task ``hunt_keep: {path: FILE, values: ...}``."""

    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Write the values, as JSON, to a file of the hunt's own."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        path = Path(self._task.args["path"])  # in a folder that is the hunt's alone
        path.write_text(json.dumps(self._task.args["values"], default=str), encoding="utf-8")
        return {**result, "_ansible_no_log": True}
