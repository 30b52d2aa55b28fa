# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""amazon.aws and this collection share the names of options, and one YAML anchor serves both."""

from __future__ import annotations

import configparser
import json

import yaml
from ansible_collections.amazon.aws.plugins.module_utils import modules

from tests.docs.blocks import GUIDES, blocks
from tests.stack.handle import Stack

from .conftest import User

NAMES = {"access": "access_key_id", "secret": "secret_access_key"}
SHARED = ("access_key", "secret_key", "session_token", "profile", "region")


def test_names(user: User) -> None:
    """Each name that amazon.aws takes for an AWS setting is taken here, for the same."""
    shown = json.loads(user.run("ansible-doc", "--json", "vaultfleet.aws.aws_vault_login"))
    ours = shown["vaultfleet.aws.aws_vault_login"]["doc"]["options"]
    theirs = modules.aws_argument_spec()
    for name in SHARED:
        said = {name, *theirs[name].get("aliases", [])} - {"ec2_region", "aws_endpoint_url"}
        assert said <= {name, *ours[name].get("aliases", [])}, name


def test_one_anchor(user: User, stack: Stack) -> None:
    """The guide's play; where the stack's Vault and AWS are is put in beside what is written."""
    [text] = [block.text for block in blocks([GUIDES / "guide_neighbours.rst"]) if "amazon.aws" in block.text]
    [play] = yaml.safe_load(text)
    ours = play["module_defaults"]["group/vaultfleet.aws.vault"]
    assert {"access_key", "secret_key", "region"} < set(ours)
    ours |= {"url": stack.env["VAULT_ADDR"], "header_value": stack.env["STACK_HEADER_VALUE"]}
    play["module_defaults"]["group/amazon.aws.aws"]["endpoint_url"] = stack.env["STACK_AWS_ENDPOINT"]
    (user.folder / "play.json").write_text(json.dumps([play]), encoding="utf-8")
    profiles = configparser.RawConfigParser()
    profiles.read(user.environment["AWS_SHARED_CREDENTIALS_FILE"])
    keys = {f"aws_{name}_key": profiles["default"][f"aws_{full}"] for name, full in NAMES.items()}
    (user.folder / "keys.json").write_text(json.dumps(keys), encoding="utf-8")
    environment = {name: value for name, value in user.environment.items() if not name.startswith("AWS_")}
    shown = user.run("ansible-playbook", "play.json", "-e", "@keys.json", environment=environment)
    assert "ok=3" in shown
