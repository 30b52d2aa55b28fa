# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options -> builder -> result. It always runs on the controller: the collection's files and the wheels are there."""

from __future__ import annotations

import dataclasses
import os
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.vaultfleet.aws.plugins.plugin_utils._bundle import build
from ansible_collections.vaultfleet.aws.plugins.plugin_utils._bundle.errors import BundleError

ARGUMENT_SPEC: dict[str, dict[str, t.Any]] = {
    "pythons": {"type": "list", "elements": "str", "required": True},
    "dest": {"type": "path"},
    "wheelhouse": {"type": "path"},
    "templates": {"type": "bool", "default": False},
}


class ActionModule(ActionBase):
    """The action plugin; Ansible finds it by this name."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Return the bundles. Raises AnsibleActionFail with what is wrong."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        _validated, options = self.validate_argument_spec(ARGUMENT_SPEC)
        if not options["pythons"]:
            raise AnsibleActionFail("pythons: is empty -- give the lines of Python that the hosts have, such as '3.11'")
        wish = build.Wish(
            pythons=tuple(dict.fromkeys(options["pythons"])),
            dest=self._path(options["dest"]) or os.path.join(build.cache_folder(), "bundles"),
            wheelhouse=self._path(options["wheelhouse"]),
            templates=options["templates"],
            dry=self._task.check_mode,
        )
        try:
            bundles, changed = build.bundles(wish)
        except BundleError as e:
            raise AnsibleActionFail(str(e)) from None
        shown = {python: dataclasses.asdict(bundle) for python, bundle in bundles.items()}
        return {**result, "changed": changed, "bundles": shown}

    def _path(self, given: str | None) -> str | None:
        """A path as Ansible takes them on the controller: relative ones are relative to the playbook."""
        return os.path.abspath(self._loader.path_dwim(given)) if given else None
