# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module's options: where each comes from, and that documentation and specification say the same."""

from __future__ import annotations

import dataclasses
import re
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible.module_utils.basic import AnsibleFallbackNotFound

from ansible_collections.vaultfleet.aws.plugins.doc_fragments import connection as connection_fragment
from ansible_collections.vaultfleet.aws.plugins.doc_fragments import login as login_fragment
from ansible_collections.vaultfleet.aws.plugins.doc_fragments import unwrap as unwrap_fragment
from ansible_collections.vaultfleet.aws.plugins.module_utils import _login_task, _options
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth import environment
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.config import LoginConfig, VaultConnection
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.errors import ConfigError
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.version import VERSION
from ansible_collections.vaultfleet.aws.plugins.modules import aws_vault_login

SPEC: dict[str, dict[str, t.Any]] = {**_options.LOGIN_SPEC, **_options.UNWRAP_SPEC, **_options.CONNECTION_SPEC}
ENVIRONMENT = [name for name in SPEC if name != "validate_certs"]


def documented() -> dict[str, dict[str, t.Any]]:
    """The options of the module and of its fragments."""
    found: dict[str, dict[str, t.Any]] = {}
    for text in (
        login_fragment.ModuleDocFragment.DOCUMENTATION,
        unwrap_fragment.ModuleDocFragment.DOCUMENTATION,
        connection_fragment.ModuleDocFragment.DOCUMENTATION,
        aws_vault_login.DOCUMENTATION,
    ):
        found.update(yaml.safe_load(text)["options"])
    return found


def agree(documentation: dict[str, t.Any], spec: dict[str, t.Any], where: str) -> None:
    """Each option is in both, with the same properties."""
    assert documentation.keys() == spec.keys(), where
    for name, said in documentation.items():
        done = spec[name]
        for aspect, default in (("type", "str"), ("default", None), ("choices", None), ("required", False)):
            assert said.get(aspect, default) == done.get(aspect, default), f"{where}{name}: {aspect}"
        assert sorted(said.get("aliases", [])) == sorted(done.get("aliases", [])), f"{where}{name}: aliases"
        agree(said.get("suboptions") or {}, done.get("options") or {}, f"{where}{name}.")


def test_documentation() -> None:
    """Names, types, defaults, choices, aliases, and what is inside ``sink``."""
    agree(documented(), _login_task.ARGUMENT_SPEC, "")


def also_from(name: str) -> set[str]:
    """The variables that an option's documentation says it also comes from."""
    lines = documented()[name]["description"]
    return set(re.findall(r"E\((\w+)\)", " ".join(line for line in lines if line.startswith("Also from"))))


@pytest.mark.parametrize("name", ENVIRONMENT)
def test_documented_variables(name: str) -> None:
    """Each variable beside our own (documented once, by its rule) is in the option's text, and the other way round."""
    own, *others = SPEC[name]["fallback"][1]
    assert own == f"VAULTFLEET_AWS_{name.upper()}"
    assert also_from(name) == set(others)


def test_fields() -> None:
    """Each field of the two judged boxes is an option, and nothing else is."""
    assert _options.LOGIN_SPEC.keys() == {field.name for field in dataclasses.fields(LoginConfig)}
    assert _options.CONNECTION_SPEC.keys() == {field.name for field in dataclasses.fields(VaultConnection)}


def test_secrets_are_masked() -> None:
    """Ansible masks what no_log says, and warns of names that look secret but say nothing."""
    masked = {name for name, spec in SPEC.items() if spec.get("no_log")}
    assert masked == {"secret_key", "session_token", "nonce", "wrapping_token", "proxies"}


def fallback(name: str) -> object:
    """What the environment gives for an option."""
    function, variables = SPEC[name]["fallback"]
    return function(*variables)


@pytest.mark.parametrize("name", ENVIRONMENT)
def test_order_of_the_environment(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Ours, OpenBao's, Vault's, community.hashi_vault's; an empty one does not count; without any there is none."""
    variables = SPEC[name]["fallback"][1]
    ranks = [("VAULTFLEET_AWS_", "BAO_", "VAULT_", "ANSIBLE_HASHI_VAULT_").index(prefix(v)) for v in variables]
    assert ranks == sorted(ranks)
    with pytest.raises(AnsibleFallbackNotFound):
        fallback(name)
    for variable in variables:
        monkeypatch.setenv(variable, f"of {variable}")
    for position, variable in enumerate(variables):
        assert fallback(name) == f"of {variable}"
        if position % 2:
            monkeypatch.setenv(variable, "")
        else:
            monkeypatch.delenv(variable)
    with pytest.raises(AnsibleFallbackNotFound):
        fallback(name)


def prefix(variable: str) -> str:
    """Whose variable it is."""
    return next(p for p in ("VAULTFLEET_AWS_", "BAO_", "VAULT_", "ANSIBLE_HASHI_VAULT_") if variable.startswith(p))


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"VAULT_SKIP_VERIFY": "true"}, False),
        ({"VAULT_SKIP_VERIFY": "1"}, False),
        ({"VAULT_SKIP_VERIFY": "false"}, True),
        ({"VAULT_SKIP_VERIFY": "perhaps"}, True),
        ({"BAO_SKIP_VERIFY": "false", "VAULT_SKIP_VERIFY": "true"}, True),
        ({"BAO_SKIP_VERIFY": "", "VAULT_SKIP_VERIFY": "true"}, False),
        ({"ANSIBLE_HASHI_VAULT_VALIDATE_CERTS": "no", "VAULT_SKIP_VERIFY": "false"}, False),
        ({"VAULTFLEET_AWS_VALIDATE_CERTS": "yes", "ANSIBLE_HASHI_VAULT_VALIDATE_CERTS": "no"}, True),
        ({"VAULTFLEET_AWS_VALIDATE_CERTS": "perhaps"}, True),
    ],
)
def test_validate_certs(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: bool) -> None:
    """A word that is neither yes nor no keeps the checks on; switching them off by environment warns."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert fallback("validate_certs") is expected
    connection = VaultConnection.from_options({"url": "https://vault.test", "validate_certs": expected})
    warnings = environment.warnings(connection)
    assert len(warnings) == (0 if expected else 1)
    assert all("https://vault.test" in warning and "ca_cert" in warning for warning in warnings)


def test_validate_certs_without_environment() -> None:
    """Nothing said; and a user who says it in the task knows it, and is not warned."""
    with pytest.raises(AnsibleFallbackNotFound):
        fallback("validate_certs")
    off = VaultConnection.from_options({"url": "https://vault.test", "validate_certs": False})
    assert environment.warnings(off) == []


@pytest.mark.parametrize("name", ["secret_key", "session_token", "nonce"])
def test_short_secrets(name: str) -> None:
    """Ansible would mask them inside the token. The secret itself is not repeated."""
    params = {"type": "ec2" if name == "nonce" else "iam", "role": "web"}
    if name != "nonce":
        params.update(access_key="AKIAEXAMPLE", secret_key="s" * 16)
    with pytest.raises(ConfigError, match="shorter than 16 characters") as caught:
        _options.login_config({**params, name: "canary-is-short"})
    assert caught.value.option == name
    assert "canary" not in str(caught.value)
    assert _options.login_config({**params, name: "canary-is-longer"})


def test_parts() -> None:
    """Other options of the module, and those that are not given, do not reach the boxes."""
    params = {
        "type": "iam",
        "role": "web",
        "url": "https://vault.test",
        "state": "present",
        "region": None,
        "sink": None,
    }
    assert _options.login_config(params).region is None
    assert _options.vault_connection(params).url == "https://vault.test"


def test_version() -> None:
    """The version that audit logs see is that of the collection."""
    galaxy = Path(__file__).parents[4] / "galaxy.yml"
    assert yaml.safe_load(galaxy.read_text(encoding="utf-8"))["version"] == VERSION
