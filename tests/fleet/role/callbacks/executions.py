# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Callback: every module that a run executes, as a line of host and module in the working folder's ``executions``."""

from __future__ import annotations

import functools
import typing as t
from pathlib import Path

from ansible.plugins.action import ActionBase
from ansible.plugins.callback import CallbackBase

DOCUMENTATION = r"""
name: executions
type: aggregate
short_description: Keeps what modules a run executes
description: Several for one task, where its action needs several.
"""
FILE = "executions"


class CallbackModule(CallbackBase):  # type: ignore[misc]  # Ansible has no types
    """The callback; Ansible finds it by this name."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "executions"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *arguments: t.Any, **options: t.Any) -> None:
        super().__init__(*arguments, **options)
        # Tasks run in forks of this process, which inherit it.
        ActionBase._execute_module = _noted(ActionBase._execute_module, Path(FILE).resolve())


def _noted(execute: t.Callable[..., t.Any], path: Path) -> t.Callable[..., t.Any]:
    @functools.wraps(execute)
    def noting(action: t.Any, module_name: str | None = None, *arguments: t.Any, **options: t.Any) -> t.Any:
        host = (options.get("task_vars") or {}).get("inventory_hostname", "unknown")
        with path.open("a", encoding="utf-8") as file:
            file.write(f"{host} {module_name or action._task.action}\n")
        return execute(action, module_name, *arguments, **options)

    return noting
