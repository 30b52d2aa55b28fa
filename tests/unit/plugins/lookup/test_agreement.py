# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module, fragments and lookup agree on every option that they share."""

from __future__ import annotations

import typing as t

import pytest
import yaml

from ansible_collections.vaultfleet.aws.plugins.doc_fragments import connection, login, unwrap
from ansible_collections.vaultfleet.aws.plugins.lookup import vault_aws_token
from ansible_collections.vaultfleet.aws.plugins.module_utils._options import CONNECTION_SPEC, LOGIN_SPEC, UNWRAP_SPEC
from ansible_collections.vaultfleet.aws.tests.unit.plugins.lookup.lookups import definitions, options_of

PARTS: dict[str, tuple[dict[str, t.Any], t.Any]] = {
    "login": (LOGIN_SPEC, login.ModuleDocFragment),
    "unwrap": (UNWRAP_SPEC, unwrap.ModuleDocFragment),
    "connection": (CONNECTION_SPEC, connection.ModuleDocFragment),
}
SHARED = {**LOGIN_SPEC, **UNWRAP_SPEC, **CONNECTION_SPEC}
# Where community.hashi_vault's variable means the same; its mount point and role id are those of other methods too,
# and its retries can be a dictionary.
THEIRS = {
    "url": ["ansible_hashi_vault_url", "ansible_hashi_vault_addr"],
    **{
        name: [f"ansible_hashi_vault_{name}"]
        for name in ("namespace", "ca_cert", "validate_certs", "timeout", "proxies")
    },
}


@pytest.mark.parametrize("part", PARTS)
def test_each_option_is_in_both(part: str) -> None:
    spec, fragment = PARTS[part]
    assert set(options_of(fragment.DOCUMENTATION)) == set(spec)
    assert set(options_of(fragment.PLUGINS)) == set(spec)


@pytest.mark.parametrize("name", SHARED)
def test_type_default_choices_aliases(name: str) -> None:
    documented = definitions()[name]
    spec = SHARED[name]
    for aspect in ("type", "default", "choices", "aliases"):
        assert documented.get(aspect) == spec.get(aspect), aspect
    assert not documented.get("required")


@pytest.mark.parametrize("name", [name for name in definitions() if name != "_terms"])
def test_sources(name: str) -> None:
    definition = definitions()[name]
    names = {source: [one["name"] for one in definition[source]] for source in ("vars", "env")}
    # Ansible takes the last one that is set, so ours stands last.
    assert names["vars"] == [*THEIRS.get(name, []), f"vaultfleet_aws_{name}"]
    assert names["env"][-1] == f"VAULTFLEET_AWS_{name.upper()}"
    assert definition["ini"] == [{"section": "vaultfleet_aws", "key": name}]


@pytest.mark.parametrize("name", [name for name in SHARED if name != "validate_certs"])
def test_the_same_environment_in_the_same_order(name: str) -> None:
    _fallback, variables = SHARED[name]["fallback"]
    assert [one["name"] for one in reversed(definitions()[name]["env"])] == list(variables)


def test_no_option_is_named_twice() -> None:
    taken: list[t.Any] = []
    for name, definition in definitions().items():
        taken += [name, *definition.get("aliases", [])]
    assert len(taken) == len(set(taken))


def test_the_lookup_documents_what_is_its_own() -> None:
    own = set(yaml.safe_load(vault_aws_token.DOCUMENTATION)["options"])
    assert own == {"_terms", "cache", "cache_timeout", "check_interval", "min_ttl", "return", "revoke", "sink"}
