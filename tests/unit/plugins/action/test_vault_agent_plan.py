# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action plugin of the plan: what comes back, what is hidden, and that all refusals are Ansible's own errors."""

from __future__ import annotations

import hashlib
import types
import typing as t
from pathlib import Path

import pytest
from ansible.errors import AnsibleActionFail
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.action import ActionBase
from ansible.template import Templar

from ansible_collections.vaultfleet.aws.plugins.action import vault_agent_plan

NEEDED = {
    "name": "agent",
    "state": "present",
    "service_state": "started",
    "type": "ec2",
    "role": "node",
    "url": "https://vault.example.org:8200/",
    "sinks": [{"path": "/run/agent/token"}],
}
LOGIN = {"type": "ec2", "url": "https://vault.example.org:8200", "namespace": "", "mount_path": "aws"}


class NoHosts:
    """A play of one host."""

    def raw_get(self, host: str) -> dict[str, t.Any]:
        return {"inventory_hostname": host}


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> t.Callable[..., dict[str, t.Any]]:
    """Runs the plugin in a play whose folder is ``tmp_path``; variables stand without their prefix."""
    monkeypatch.setattr(ActionBase, "run", lambda *_args: {})

    def running(earlier: dict[str, t.Any] | None = None, **more: t.Any) -> dict[str, t.Any]:
        plugin = vault_agent_plan.ActionModule.__new__(vault_agent_plan.ActionModule)
        variables = {f"vault_agent_{name}": value for name, value in {**NEEDED, **more}.items()}
        plugin._task = types.SimpleNamespace(
            args={"variables": variables, "earlier": earlier or {}},
            action="x",
            async_val=0,
            get_search_path=lambda: [str(tmp_path)],
        )
        plugin._loader = DataLoader()
        plugin._loader.set_basedir(str(tmp_path))
        everybody = {"ansible_play_hosts_all": ["one"], "ansible_play_batch": ["one"]}
        task_vars = {"inventory_hostname": "one", "hostvars": NoHosts(), **everybody}
        plugin._templar = Templar(loader=plugin._loader, variables=task_vars)
        return dict(plugin.run(task_vars=task_vars))

    return running


def test_the_plan_and_what_the_run_has_planned_so_far(run: t.Callable[..., dict[str, t.Any]]) -> None:
    result = run(earlier={"other": {**LOGIN, "mount_path": "elsewhere"}})
    assert result["changed"] is False
    assert result["plan"]["name"] == "agent"
    assert result["agents"] == {"other": {**LOGIN, "mount_path": "elsewhere"}, "agent": LOGIN}
    assert "_ansible_no_log" not in result
    assert run(earlier=result["agents"], state="absent")["agents"] == {"other": {**LOGIN, "mount_path": "elsewhere"}}


def test_a_secret_is_hidden_and_there_nevertheless(run: t.Callable[..., dict[str, t.Any]]) -> None:
    result = run(nonce="n0nc3")
    assert result["_ansible_no_log"] is True
    assert result["plan"]["nonce"] == "n0nc3"


def test_a_file_of_the_play(run: t.Callable[..., dict[str, t.Any]], tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    archive = tmp_path / "files" / "agent.tar.gz"
    archive.write_bytes(b"a bundle")
    sha256 = hashlib.sha256(b"a bundle").hexdigest()
    assert run(bundle_src="agent.tar.gz", bundle_sha256=sha256)["plan"]["bundle"]["src"] == str(archive)
    with pytest.raises(AnsibleActionFail, match=r"^vault_agent_bundle_src: there is no file other\.tar\.gz"):
        run(bundle_src="other.tar.gz", bundle_sha256=sha256)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"earlier": {"other": LOGIN}}, "^the agent other of this host logs in by ec2"),
        ({"rolle": "x", "url": None}, r"^vault_agent_rolle: .*\nvault_agent_url: is missing"),
        ({"bundle_src": "x", "bundle_sha256": "0" * 64}, "^vault_agent_bundle_src: there is no file x"),
        ({"wheelhouse": "none"}, "^vault_agent_wheelhouse: there is no folder none"),
    ],
)
def test_refusals(run: t.Callable[..., dict[str, t.Any]], given: dict[str, t.Any], words: str) -> None:
    with pytest.raises(AnsibleActionFail, match=words):
        run(**given)
