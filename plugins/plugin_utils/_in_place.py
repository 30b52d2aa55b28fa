# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module's work in the worker that runs the task, where the managed host is the controller itself.

There Ansible would pack the module, start the same Python once more, and load anew what is loaded already.
"""

from __future__ import annotations

import dataclasses
import json
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.parameters import remove_values

from ansible_collections.vaultfleet.aws.plugins.module_utils import _login_task
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.errors import LoginError, bug


@dataclasses.dataclass(frozen=True)
class _Task:
    """A task, as the work sees it."""

    params: t.Mapping[str, t.Any]
    check_mode: bool
    warnings: list[str] = dataclasses.field(default_factory=list)

    def warn(self, warning: str) -> None:
        """Keep a warning for the result."""
        self.warnings.append(warning)


def run(arguments: t.Mapping[str, t.Any], check_mode: bool) -> dict[str, t.Any] | None:
    """The result of a task with ``arguments``, as the module returns it.

    None where Ansible's own words are needed, of wrong arguments or a missing library: the module finds them.
    Raises AnsibleActionFail for a bug.
    """
    # As if they had gone to a module, that is, without what Ansible ties to them.
    plain = json.loads(json.dumps(dict(arguments), default=str))
    judged = ArgumentSpecValidator(_login_task.ARGUMENT_SPEC).validate(plain)
    params = judged.validated_parameters
    if judged.error_messages or _said_twice(plain) or _login_task.missing(params):
        return None
    task = _Task(params, check_mode)
    try:
        result = _login_task.run(task)
    except LoginError as e:
        result = {"failed": True, "msg": str(e)}
    except Exception as e:  # noqa: BLE001 - its message may hold a secret
        raise AnsibleActionFail(bug(e, "aws_vault_login")) from None
    if task.warnings:
        result["warnings"] = task.warnings
    shown: dict[str, t.Any] = remove_values(result, _secrets(params))
    return shown


def _said_twice(arguments: t.Mapping[str, t.Any]) -> bool:
    """Whether an option was given by more than one of its names, of which the module warns."""
    spec = _login_task.ARGUMENT_SPEC
    return any(sum(name in arguments for name in (option, *spec[option].get("aliases", ()))) > 1 for option in spec)


def _secrets(params: t.Mapping[str, t.Any]) -> set[str]:
    """What no result may show: the values of no_log options, or their parts."""
    values = [params[name] for name, spec in _login_task.ARGUMENT_SPEC.items() if spec.get("no_log") and params[name]]
    parts = [[value] if isinstance(value, str) else value.values() for value in values]
    return {str(text) for some in parts for text in some if text}
