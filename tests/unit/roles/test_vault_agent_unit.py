# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role's unit as it is on hosts that cannot be had here, such as those with SELinux."""

from __future__ import annotations

import dataclasses
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

from ansible_collections.vaultfleet.aws.plugins.plugin_utils._role.plan import plan

ROLE = Path(__file__).parents[3] / "roles" / "vault_agent"


def unit(selinux: bool = False, systemd: int = 257, **given: t.Any) -> list[str]:
    """The lines of the unit for these variables, which stand here without their prefix."""
    defaults = {
        "name": "agent",
        "state": "present",
        "service_state": "started",
        "sinks": [{"path": "/run/agent/token"}],
        "type": "iam",
        "role": "web",
        "url": "https://vault.example.org:8200",
    }
    made = plan({f"vault_agent_{name}": value for name, value in {**defaults, **given}.items()})
    known = yaml.safe_load((ROLE / "vars" / "main.yml").read_text(encoding="utf-8"))
    variables = {
        **{name: _trusted(value) for name, value in known.items()},
        "__vault_agent": {"plan": dataclasses.asdict(made)},
        "__vault_agent_host": {
            "systemd": {"version": systemd},
            "selinux": selinux,
            "python": {"path": "/usr/bin/python3"},
        },
    }
    text = (ROLE / "templates" / "agent.service.j2").read_text(encoding="utf-8")
    templar = Templar(loader=DataLoader(), variables=variables)
    return str(templar.template(trust_as_template(text), escape_backslashes=False)).splitlines()


def _trusted(value: t.Any) -> t.Any:
    if isinstance(value, dict):
        return {name: _trusted(below) for name, below in value.items()}
    return trust_as_template(value) if isinstance(value, str) else value


def starting(lines: t.Sequence[str], word: str) -> list[str]:
    return [line for line in lines if line.startswith(word)]


def test_the_type_of_selinux_is_given_to_the_folders_before_each_start() -> None:
    sinks = [{"path": "/run/agent/token"}, {"path": "/srv/app/a"}, {"path": "/srv/app/b"}]
    lines = unit(selinux=True, sinks=sinks, sink_setype="vault_token_t")
    (command,) = starting(lines, "ExecStartPre=")
    assert command == (
        "ExecStartPre=+/bin/sh -c '[ ! -e /sys/fs/selinux/enforce ] ||"
        ' exec chcon --no-dereference --type="$$0" -- "$$@"\' vault_token_t "/run/agent" "/srv/app"'
    )
    assert lines.index(command) < lines.index(starting(lines, "ExecStart=")[0])


@pytest.mark.parametrize("given", [{"selinux": False, "sink_setype": "vault_token_t"}, {"selinux": True}])
def test_no_type_where_it_has_no_effect_or_none_is_wished_for(given: dict[str, t.Any]) -> None:
    assert not starting(unit(**given), "ExecStartPre=")


def test_odd_paths_are_one_word_to_systemd() -> None:
    sinks = [{"path": '/srv/my app/100%/$HOME/"x"/token'}, {"path": "/srv/\\n/token"}]
    lines = unit(selinux=True, sinks=sinks, sink_setype="x_t")
    assert starting(lines, "ReadWritePaths=") == [
        'ReadWritePaths="/srv/\\\\n" "/srv/my app/100%%/$HOME/\\"x\\""',
    ]
    assert starting(lines, "ExecStartPre=")[0].endswith(' x_t "/srv/my app/100%%/$$HOME/\\"x\\"" "/srv/\\\\n"')
    assert starting(lines, "ProtectHome=") == ["ProtectHome=yes"], "the next line is one of its own"


@pytest.mark.parametrize(("systemd", "store", "ipc"), [(247, [], []), (253, [], ["PrivateIPC=yes"])])
def test_older_systemd_gets_what_it_knows(systemd: int, store: list[str], ipc: list[str]) -> None:
    lines = unit(systemd=systemd)
    assert starting(lines, "FileDescriptorStorePreserve=") == store
    assert starting(lines, "PrivateIPC=") == ipc
    assert starting(unit(), "FileDescriptorStorePreserve=") == ["FileDescriptorStorePreserve=yes"]


def test_secrets_are_handed_over_by_systemd_only() -> None:
    keys: dict[str, t.Any] = {
        "access_key": "AKIAEXAMPLE",
        "secret_key": "s3cr3t-s3cr3t",
        "session_token": "t0k3n-t0k3n",
    }
    nonce: dict[str, t.Any] = {"type": "ec2", "nonce": "n0nc3-n0nc3"}
    for given, name in ((keys, "aws-credentials"), (nonce, "nonce")):
        lines = unit(**given)
        (line,) = starting(lines, "LoadCredential=")
        assert line == f"LoadCredential={name}:/etc/vault-agent/agent.credentials/{name}"
        assert not any(value in text for text in lines for value in given.values() if value != "ec2")
        assert not starting(lines, "Environment=")


def test_capabilities_only_for_sinks_of_others() -> None:
    for sink, most in (
        ({}, []),
        ({"group": "app"}, []),
        ({"owner": "app"}, ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER"]),
    ):
        lines = unit(sinks=[{"path": "/run/agent/token", **sink}])
        for setting in ("CapabilityBoundingSet=", "AmbientCapabilities="):
            (line,) = starting(lines, setting)
            assert line.removeprefix(setting).split() == most


def test_rendered_files_count_as_sinks_do() -> None:
    """Where they are, it may write; whose they are, decides on its capabilities."""
    template = {"contents": "x", "destination": "/srv/app/app.conf"}
    lines = unit(sinks=[], templates=[template])
    assert starting(lines, "ReadWritePaths=") == ['ReadWritePaths="/srv/app"']
    assert starting(lines, "CapabilityBoundingSet=") == ["CapabilityBoundingSet="]
    lines = unit(templates=[{**template, "group": "www-data"}])
    assert starting(lines, "SupplementaryGroups=") == ["SupplementaryGroups=www-data"]
    lines = unit(templates=[{**template, "user": "app"}])
    assert starting(lines, "CapabilityBoundingSet=") == ["CapabilityBoundingSet=CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER"]
