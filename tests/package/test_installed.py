# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was installed from the tarball works, and is what was built."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml

from tests.stack.handle import Stack

from .conftest import PROJECT, Place

NAME = "vaultfleet.aws"
VERIFY = ("ansible-galaxy", "collection", "verify", NAME, "--offline")


def test_verify(place: Place) -> None:
    assert NAME in place.run(*VERIFY)


@pytest.mark.parametrize("change", ["altered", "removed"])
def test_verify_sees_changes(place: Place, tmp_path: Path, change: str) -> None:
    """A test of the test before: it does look at the files."""
    copy = tmp_path / "collections" / "ansible_collections" / "vaultfleet" / "aws"
    shutil.copytree(place.collection, copy)
    file = copy / "plugins" / "modules" / "aws_vault_login.py"
    if change == "altered":
        file.write_text(file.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    else:
        file.unlink()
    shown = place.run(*VERIFY, "--collections-path", str(tmp_path / "collections"), good=False)
    assert "plugins/modules/aws_vault_login.py" in shown


def test_documentation(place: Place) -> None:
    """Each plugin and the role explain themselves, from the tarball alone."""
    dumped = json.loads(place.run("ansible-doc", "--metadata-dump", "--no-fail-on-errors", NAME))["all"]
    found = {kind: set(plugins) for kind, plugins in dumped.items() if plugins}
    modules = {file.stem for file in (PROJECT / "plugins" / "modules").glob("*.py")}
    assert found["module"] == {f"{NAME}.{name}" for name in modules}
    assert found["lookup"] == {f"{NAME}.vault_aws_token"}
    assert found["callback"] == {f"{NAME}.vault_aws_tokens"}
    assert found["role"] == {f"{NAME}.vault_agent"}
    errors = [plugin for plugins in dumped.values() for plugin, said in plugins.items() if "error" in said]
    assert errors == []


def test_agent(place: Place, version: str) -> None:
    """The agent runs from the installed collection."""
    module = "ansible_collections.vaultfleet.aws.plugins.module_utils._agent.cli"
    environment = {**place.environment, "PYTHONPATH": str(place.folder / "collections")}
    assert version in Place(place.folder, environment).run("python", "-m", module, "--version")


def test_demo(place: Place, stack: Stack, tmp_path: Path) -> None:
    """The demo from the tarball: logins and a secret, and nothing to do at a second run."""
    stack.delete_accesslist(stack.instances[0])
    variables = tmp_path / "variables.json"
    app = tmp_path / "app"
    app.mkdir()
    given = {
        "vault_url": stack.env["VAULT_ADDR"],
        "vault_ca_cert": stack.env["VAULT_CACERT"],
        "vault_server_id": stack.env["STACK_HEADER_VALUE"],
        "demo_folder": str(app),
    }
    variables.write_text(json.dumps(given), encoding="utf-8")
    names = ("AWS_SHARED_CREDENTIALS_FILE", "AWS_EC2_METADATA_SERVICE_ENDPOINT")
    user = Place(place.folder, {**place.environment, **{name: stack.env[name] for name in names}})
    command = ("ansible-playbook", str(place.collection / "examples" / "demo.yml"), "--extra-vars", f"@{variables}")
    before = stack.logins()
    assert "changed=3" in user.run(*command)
    assert "changed=0" in user.run(*command)
    assert stack.logins() == before + 4  # two that hold, and in each run one that is meant to fail
    secret = stack.root("GET", stack.env["STACK_DEMO_SECRET_PATH"])["data"]["data"]["password"]
    assert secret in (app / "app.ini").read_text(encoding="utf-8")


def test_example_for_fleets(place: Place) -> None:
    """The role is found by the example that uses it."""
    place.run("ansible-playbook", "--syntax-check", str(place.collection / "examples" / "fleet.yml"))


def test_versions(version: str) -> None:
    """What is documented as new in a version is so in one that is there, or in the one to come."""
    changelog = PROJECT / "changelogs" / "changelog.yaml"
    released = yaml.safe_load(changelog.read_text(encoding="utf-8"))["releases"] if changelog.exists() else {}
    found = {}
    for file in (*(PROJECT / "plugins").rglob("*.py"), *(PROJECT / "roles").glob("*/meta/argument_specs.yml")):
        for line in file.read_text(encoding="utf-8").splitlines():
            key, _colon, value = line.strip().partition(": ")
            if key == "version_added":
                found[f"{file.name}: {value}"] = value
    assert found
    assert {where for where, value in found.items() if value not in {*released, version}} == set()
