# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Variables -> plan -> result, on the controller: the host is not touched."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.vaultfleet.aws.plugins.plugin_utils._role.plan import PlanError, plan


class ActionModule(ActionBase):
    """The action plugin; Ansible finds it by this name."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Return the plan. Raises AnsibleActionFail with all that is wrong."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        _validated, options = self.validate_argument_spec({"variables": {"type": "dict", "required": True}})
        try:
            made = plan(options["variables"])
        except PlanError as e:
            raise AnsibleActionFail(str(e)) from None
        result.update(changed=False, plan=dataclasses.asdict(made))
        if made.secret:
            result["_ansible_no_log"] = True  # hidden, and still registered
        return result
