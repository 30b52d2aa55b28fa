# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An option of a login is the same wherever it can be given: module, role, and the agent's configuration.

That the lookup and the command say what the module says is tested by test_agreement and test_options_of_command.
"""

from __future__ import annotations

import dataclasses
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.vaultfleet.aws.plugins.module_utils import _options
from ansible_collections.vaultfleet.aws.plugins.module_utils._agent import keys
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.config import LoginConfig, VaultConnection
from ansible_collections.vaultfleet.aws.plugins.plugin_utils._role import plan

SPECS = Path(__file__).parents[5] / "roles" / "vault_agent" / "meta" / "argument_specs.yml"
MODULE: dict[str, dict[str, t.Any]] = {**_options.LOGIN_SPEC, **_options.CONNECTION_SPEC}
LOGIN = sorted(field.name for field in dataclasses.fields(LoginConfig))
CONNECTION = sorted(field.name for field in dataclasses.fields(VaultConnection))
# One operation's limits, and a proxy: the agent has deadlines of its own, never gives up, and is given a way to Vault.
NOT_THE_AGENTS = {"timeout", "retries", "proxies"}
# What Vault Agent's configuration has in other blocks than method.config, or calls otherwise.
ELSEWHERE = {"mount_path": keys.METHOD, "wrap_ttl": keys.METHOD}
RENAMED = {"url": "address", "validate_certs": "tls_skip_verify"}


def variables() -> dict[str, dict[str, t.Any]]:
    """The role's documented variables, without their prefix."""
    options = yaml.safe_load(SPECS.read_text(encoding="utf-8"))["argument_specs"]["main"]["options"]
    return {name[len(plan.PREFIX) :]: option for name, option in options.items()}


def test_the_role_has_each() -> None:
    assert {*MODULE} - {*variables()} == NOT_THE_AGENTS


@pytest.mark.parametrize("name", sorted({*MODULE} - NOT_THE_AGENTS))
def test_the_role_says_the_same(name: str) -> None:
    """Values that are allowed; a default of the role's own, where it has one, is the module's."""
    ours, theirs = variables()[name], MODULE[name]
    assert ours.get("choices") == theirs.get("choices")
    assert ours.get("default", theirs.get("default")) == theirs.get("default")
    # Durations and such are any scalar, there, since inventories have numbers.
    assert ours["type"] in (theirs["type"], "raw")
    assert bool(ours.get("no_log")) == bool(theirs.get("no_log"))


@pytest.mark.parametrize("name", LOGIN)
def test_the_agent_has_each_of_a_login(name: str) -> None:
    assert name in ELSEWHERE.get(name, keys.AWS).kinds


@pytest.mark.parametrize("name", sorted({*CONNECTION} - NOT_THE_AGENTS))
def test_the_agent_has_each_of_a_connection(name: str) -> None:
    assert RENAMED.get(name, name) in keys.VAULT.kinds


def test_the_agent_has_no_other() -> None:
    """What method.config may hold beside them is how often keys are looked at again."""
    assert {*keys.AWS.kinds} - {*LOGIN} == {"credential_poll_interval"}
