# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Variables -> plan -> result, on the controller: the host is not touched."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.vaultfleet.aws.plugins.plugin_utils._role import peers, sources, templates
from ansible_collections.vaultfleet.aws.plugins.plugin_utils._role.plan import PREFIX, Plan, PlanError, plan, problem

ARGUMENT_SPEC: dict[str, dict[str, t.Any]] = {
    "variables": {"type": "dict", "required": True},
    "earlier": {"type": "dict", "default": {}},
}


class ActionModule(ActionBase):
    """The action plugin; Ansible finds it by this name."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Return the plan. Raises AnsibleActionFail with all that is wrong."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        _validated, options = self.validate_argument_spec(ARGUMENT_SPEC)
        earlier = options["earlier"]
        try:
            made = self._with_sources(plan(self._with_templates(options["variables"])))
            problems = peers.refused_for(made, earlier)
            if made.nonce:
                problems += peers.shared_nonce(made.nonce, task_vars or {}, self._templar)
            if problems:
                raise PlanError(problems)
        except PlanError as e:
            raise AnsibleActionFail(str(e)) from None
        result.update(changed=False, plan=dataclasses.asdict(made), agents=peers.planned(made, earlier))
        if made.secret:
            result["_ansible_no_log"] = True  # hidden, and still registered
        return result

    def _with_sources(self, made: Plan) -> Plan:
        """The plan with what the controller's own files are found to be. Raises PlanError."""
        return dataclasses.replace(made, bundle=sources.found(made.bundle, self._file, self._loader.path_dwim))

    def _with_templates(self, variables: dict[str, t.Any]) -> dict[str, t.Any]:
        """The variables with what the templates' sources hold. Raises PlanError."""
        name = f"{PREFIX}templates"
        if variables.get(name) is None or variables.get(f"{PREFIX}state") == "absent":
            return variables
        found, problems = templates.with_contents(variables[name], self._text, problem)
        if problems:
            raise PlanError(problems)
        return {**variables, name: found}

    def _text(self, name: str) -> str | None:
        """The text of a template as Ansible finds it on the controller."""
        try:
            path = self._loader.get_real_file(self._find_needle("templates", name))
            with open(path, encoding="utf-8") as stream:
                return stream.read()
        except (AnsibleError, OSError, UnicodeDecodeError):
            return None

    def _file(self, name: str) -> str | None:
        """A file as Ansible takes them on the controller: beside the playbook, or in its folder ``files``."""
        try:
            return str(self._find_needle("files", name))
        except AnsibleError:
            return None
