# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Execution environments, ansible-navigator, and AWX: what they read of this collection and its examples."""

from __future__ import annotations

import shutil

import yaml
from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from tests.stack.handle import Stack
from tests.tools.project import COLLECTIONS, ROOT

from .conftest import User

EXAMPLES = ROOT / "examples"


def test_builder_creates(user: User) -> None:
    """The example becomes what a container engine builds from."""
    definition = user.folder / "execution-environment.yml"
    shutil.copy(EXAMPLES / "execution-environment.yml", definition)
    user.run("ansible-builder", "create", "--output-filename", "Containerfile")
    context = user.folder / "context"
    assert "ansible-galaxy collection install" in (context / "Containerfile").read_text(encoding="utf-8")
    wanted = yaml.safe_load((context / "_build" / "requirements.yml").read_text(encoding="utf-8"))
    assert wanted["collections"] == [{"name": "vaultfleet.aws"}]


def test_builder_introspects(user: User) -> None:
    """It finds what the collection needs, as it does while it builds."""
    found = yaml.safe_load(user.run("ansible-builder", "introspect", str(COLLECTIONS)).partition("---")[2])
    packages = {line.partition(">=")[0] for line in found["python"]}
    assert {"boto3", "hvac"} <= packages


def test_navigator(user: User, stack: Stack) -> None:
    """It takes the settings, and runs a playbook with the lookup; here without a container engine."""
    settings = user.folder / "ansible-navigator.yml"
    shutil.copy(EXAMPLES / "ansible-navigator.yml", settings)
    shutil.copy(EXAMPLES / "lookup.yml", user.folder / "site.yml")
    variables = [f"vault_url={stack.env['VAULT_ADDR']}", f"vault_ca_cert={stack.env['VAULT_CACERT']}"]
    variables.append(f"vault_server_id={stack.env['STACK_HEADER_VALUE']}")
    before = stack.logins()
    shown = user.run(
        *("ansible-navigator", "run", "site.yml", "--execution-environment", "false"),
        *(argument for variable in variables for argument in ("-e", variable)),
    )
    assert "failed=0" in shown
    assert stack.logins() == before + 1


def test_credential_type(user: User, stack: Stack) -> None:
    """What AWX would put into a job's environment is all that the lookup needs beside an AWS identity."""
    kind = yaml.safe_load((EXAMPLES / "awx" / "credential-type.yml").read_text(encoding="utf-8"))
    fields = {field["id"] for field in kind["inputs"]["fields"]}
    filled = {
        "url": stack.env["VAULT_ADDR"],
        "ca_cert": stack.env["VAULT_CACERT"],
        "role": "web",
        "header_value": stack.env["STACK_HEADER_VALUE"],
    }
    assert fields == {*filled}
    given = injected(kind, filled)
    kept = ("PATH", "HOME", "ANSIBLE_CONFIG", "ANSIBLE_COLLECTIONS_PATH", "AWS_SHARED_CREDENTIALS_FILE")
    environment = {**{name: user.environment[name] for name in kept}, **given}
    call = "msg={{ lookup('vaultfleet.aws.vault_aws_token') | length }}"
    before = stack.logins()
    user.run("ansible", "localhost", "-m", "ansible.builtin.debug", "-a", call, environment=environment)
    assert stack.logins() == before + 1


def test_credential_type_without_the_optional(user: User, stack: Stack) -> None:
    """An empty variable is as good as none."""
    kind = yaml.safe_load((EXAMPLES / "awx" / "credential-type.yml").read_text(encoding="utf-8"))
    filled = {name: str(name) for name in kind["inputs"]["required"]}
    given = injected(kind, {**filled, "url": stack.env["VAULT_ADDR"], "role": "web"})
    assert {name for name, value in given.items() if not value} == {
        "VAULTFLEET_AWS_CA_CERT",
        "VAULTFLEET_AWS_HEADER_VALUE",
    }
    kept = ("PATH", "HOME", "ANSIBLE_CONFIG", "ANSIBLE_COLLECTIONS_PATH", "AWS_SHARED_CREDENTIALS_FILE", "VAULT_CACERT")
    environment = {**{name: user.environment[name] for name in kept}, **given, "VAULTFLEET_AWS_MOUNT_PATH": "aws-open"}
    call = "msg={{ lookup('vaultfleet.aws.vault_aws_token') | length }}"
    user.run("ansible", "localhost", "-m", "ansible.builtin.debug", "-a", call, environment=environment)


def injected(kind: dict[str, dict[str, dict[str, str]]], filled: dict[str, str]) -> dict[str, str]:
    """Render the injector as AWX does."""
    engine = ImmutableSandboxedEnvironment(undefined=StrictUndefined)
    return {name: engine.from_string(text).render(**filled) for name, text in kind["injectors"]["env"].items()}
