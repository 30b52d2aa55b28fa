# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the module of the same name, and keeps a result that carries a secret off every screen and out of every log.

A module cannot do that itself: Ansible strips ``_ansible_no_log`` from what modules return. The registered variable is
not touched. For the controller itself, the module's work is done in this process.
"""

from __future__ import annotations

import contextlib
import sys
import typing as t

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.vaultfleet.aws.plugins.module_utils._secret_options import ALIASES


class ActionModule(ActionBase):
    """The action plugin; Ansible finds it by this name."""

    _supports_check_mode = True
    _supports_async = True  # so that our own message comes through

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Return the module's result. Raises AnsibleActionFail under ``async``."""
        if self._task.async_val:
            raise AnsibleActionFail(
                "aws_vault_login cannot run with async: Ansible would leave the token in a file on the managed host."
                " Remove async and poll from the task."
            )
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        result.update(self._in_place(task_vars or {}) or self._as_module(task_vars))
        if _carries_secret(result):
            result["_ansible_no_log"] = True
        return result

    def _in_place(self, task_vars: dict[str, t.Any]) -> dict[str, t.Any] | None:
        """The result, if it can be had here: on this machine, as this user, with this Python and its environment."""
        there = self._task.delegate_to
        variables = task_vars.get("ansible_delegated_vars", {}).get(there, {}) if there else task_vars
        if (
            self._connection.transport != "local"
            or self._connection.become
            or any(self._task.environment or ())
            or self._templar.template(variables.get("ansible_python_interpreter")) != sys.executable
        ):
            return None
        from ansible_collections.vaultfleet.aws.plugins.plugin_utils import _in_place

        return _in_place.run(self._task.args, self._task.check_mode)

    def _as_module(self, task_vars: dict[str, t.Any] | None) -> dict[str, t.Any]:
        """The result of the module on the managed host."""
        if _gives_secret(self._task.args):
            self._keep_off_disk()
        with self._unshown():
            result: dict[str, t.Any] = self._execute_module(task_vars=task_vars)
        return result

    @contextlib.contextmanager
    def _unshown(self) -> t.Iterator[None]:
        """Have the connection not show what the module prints: from -vvv on, ssh does, before there is a result."""
        context = self._connection._play_context  # a copy of the task's own
        before = context.no_log
        context.no_log = True
        try:
            yield
        finally:
            context.no_log = before

    def _keep_off_disk(self) -> None:
        """Hand the module to the host's Python through a pipe; else Ansible puts it, secrets included, into a file.

        Where the connection or become method cannot do that (``su``), Ansible goes on with a file.
        """
        with contextlib.suppress(KeyError, AnsibleError):
            self._connection.set_option("pipelining", True)


def _gives_secret(arguments: dict[str, t.Any]) -> bool:
    return any(arguments.get(name) for group in ALIASES.items() for name in (group[0], *group[1]))


def _carries_secret(result: dict[str, t.Any]) -> bool:
    login = result.get("login") or {}
    auth = login.get("auth") or {}
    secrets = (
        auth.get("client_token"),
        (auth.get("metadata") or {}).get("nonce"),
        (login.get("wrap_info") or {}).get("token"),
        result.get("nonce"),
    )
    return any(secrets)
