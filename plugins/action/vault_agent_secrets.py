# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the module of the same name, whose options are secrets, through a pipe instead of a file on the host."""

from __future__ import annotations

import contextlib
import typing as t

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    """The action plugin; Ansible finds it by this name."""

    _supports_check_mode = True
    _supports_async = True  # so that our own message comes through

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Return the module's result. Raises AnsibleActionFail under ``async``."""
        if self._task.async_val:
            raise AnsibleActionFail("vault_agent_secrets cannot run with async: the secrets would be in a file")
        with contextlib.suppress(KeyError, AnsibleError):  # su, for one, cannot do that
            self._connection.set_option("pipelining", True)
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        result.update(self._execute_module(task_vars=task_vars))
        return result
