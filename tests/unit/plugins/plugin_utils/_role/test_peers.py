# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Several hosts, and several agents on one: what they may not share."""

from __future__ import annotations

import typing as t

import pytest
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from ansible.vars.hostvars import HostVars
from ansible.vars.manager import VariableManager

from ansible_collections.vaultfleet.aws.plugins.plugin_utils._role import peers
from ansible_collections.vaultfleet.aws.plugins.plugin_utils._role.plan import Plan

HOSTS = ["one", "two", "three"]
LOGIN = {"type": "ec2", "url": "https://vault.example.org:8200", "namespace": "", "mount_path": "aws"}


def refused(nonce: str, inventory: t.Mapping[str, t.Mapping[str, t.Any]], **play: t.Any) -> list[str]:
    """What the host ``one`` is told of its nonce; inventory: variables by host, play: those of play, role and task."""
    loader = DataLoader()
    manager = InventoryManager(loader=loader, sources=[f"{','.join(HOSTS)},"])
    for host, variables in inventory.items():
        for name, value in variables.items():
            manager.get_host(host).set_variable(name, value)
    variables = VariableManager(loader=loader, inventory=manager)
    hostvars = HostVars(inventory=manager, variable_manager=variables, loader=loader)
    task = {
        **hostvars.raw_get("one"),
        "hostvars": hostvars,
        "ansible_play_hosts_all": HOSTS,
        "ansible_play_batch": HOSTS,
        **play,
    }
    return peers.shared_nonce(nonce, task, Templar(loader=loader, variables=task))


def template(text: str) -> t.Any:
    """Text that stands in a playbook or an inventory."""
    return trust_as_template(text)


def test_a_constant_is_everybodys() -> None:
    for given in ({"vault_agent_nonce": "n1"}, {"vault_agent_nonce": template("{{ 'n' ~ 1 }}")}):
        (problem,) = refused("n1", {}, **given)
        assert problem.startswith("vault_agent_nonce: two, three of this play would have the same one -- give each")
        assert "n1" not in problem


def test_the_inventory_gives_each_its_own() -> None:
    nonces = {host: {"vault_agent_nonce": f"nonce-{host}"} for host in HOSTS}
    assert not refused("nonce-one", nonces)
    (problem,) = refused("nonce-one", {**nonces, "three": {"vault_agent_nonce": "nonce-one"}})
    assert problem.startswith("vault_agent_nonce: three of this play")
    assert not refused("nonce-one", {"one": nonces["one"]})


def test_the_first_of_a_batch_asks_all() -> None:
    nonces = {host: {"vault_agent_nonce": f"nonce-{host}"} for host in HOSTS}
    two_alike = {**nonces, "three": nonces["two"]}
    (problem,) = refused("nonce-one", two_alike)
    assert problem.startswith("vault_agent_nonce: two, three of this play would have the same one")


def test_others_ask_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a play costs as much for each of its hosts, however many there are."""
    monkeypatch.setattr(peers, "NEAR", 1)
    nonces = {host: {"vault_agent_nonce": f"nonce-{host}"} for host in HOSTS}
    batch = {"ansible_play_batch": ["three", "one"]}
    assert refused("nonce-one", {**nonces, "two": nonces["one"]}, **batch)
    assert not refused("nonce-one", {**nonces, "three": nonces["one"]}, **batch)


@pytest.mark.parametrize(
    ("text", "shared"),
    [
        ("{{ nonces[inventory_hostname] }}", False),
        ("{{ nonces['one'] }}", True),
        ("{{ own_nonce }}", False),
        ("{{ 'nonce-' ~ inventory_hostname }}", False),
        ("{{ 'nonce-' ~ inventory_hostname[:0] }}", True),
        ("{{ ansible_facts.nonce }}", False),
        ("{{ 'nonce-one' if inventory_hostname == 'one' else undefined_there }}", False),
        ("{{ 'nonce-one' if inventory_hostname != 'two' else omit }}", True),
    ],
)
def test_a_template_of_the_play_is_asked_for_each_host(text: str, shared: bool) -> None:
    inventory = {
        host: {"own_nonce": f"own-{host}", "ansible_facts": {"nonce": host}, "vault_agent_nonce": "of the inventory"}
        for host in HOSTS
    }
    nonces = {host: f"nonce-{host}" for host in HOSTS}
    play = {"vault_agent_nonce": template(text), "nonces": nonces}
    nonce = {
        "{{ own_nonce }}": "own-one",
        "{{ ansible_facts.nonce }}": "one",
        "{{ 'nonce-' ~ inventory_hostname[:0] }}": "nonce-",
    }
    assert bool(refused(nonce.get(text, "nonce-one"), inventory, **play)) == shared


def test_agents_of_one_run() -> None:
    first, second = Plan("first", "present", login=LOGIN), Plan("second", "present", login=dict(LOGIN))
    earlier = peers.planned(first, {})
    assert earlier == {"first": LOGIN}
    assert not peers.refused_for(first, earlier), "it is itself"
    (problem,) = peers.refused_for(second, earlier)
    assert problem.startswith("the agent first of this host logs in by ec2 to the same server")
    for other in ({**LOGIN, "type": "iam"}, {**LOGIN, "mount_path": "other"}, {**LOGIN, "namespace": "team"}):
        assert not peers.refused_for(Plan("second", "present", login=other), earlier)
    gone = peers.planned(Plan("first", "absent"), earlier)
    assert gone == {}
    assert not peers.refused_for(second, gone)
