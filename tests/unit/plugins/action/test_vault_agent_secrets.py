# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action plugin: through a pipe where that can be, and never in the background."""

from __future__ import annotations

import types
import typing as t

import pytest
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.vaultfleet.aws.plugins.action import vault_agent_secrets


@pytest.mark.parametrize("refuses", [False, True])
def test_pipelining(monkeypatch: pytest.MonkeyPatch, refuses: bool) -> None:
    options: dict[str, t.Any] = {}

    def set_option(name: str, value: object) -> None:
        if refuses:
            raise KeyError(name)
        options[name] = value

    plugin = vault_agent_secrets.ActionModule.__new__(vault_agent_secrets.ActionModule)
    plugin._task = types.SimpleNamespace(async_val=0)
    plugin._connection = types.SimpleNamespace(set_option=set_option)
    monkeypatch.setattr(ActionBase, "run", lambda *_args: {})
    monkeypatch.setattr(plugin, "_execute_module", lambda task_vars: {"changed": True}, raising=False)
    assert plugin.run(task_vars={}) == {"changed": True}
    assert options == ({} if refuses else {"pipelining": True})


def test_async_is_refused() -> None:
    plugin = vault_agent_secrets.ActionModule.__new__(vault_agent_secrets.ActionModule)
    plugin._task = types.SimpleNamespace(async_val=5)
    with pytest.raises(AnsibleActionFail, match="async"):
        plugin.run(task_vars={})
