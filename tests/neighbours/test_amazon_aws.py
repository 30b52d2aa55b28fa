# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""amazon.aws and this collection share the names of options, and one YAML anchor serves both."""

from __future__ import annotations

import json

import yaml
from ansible_collections.amazon.aws.plugins.module_utils import modules

from tests.stack.handle import Stack
from tests.tools.project import ROOT

from .conftest import User

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
    """The example, with one addition: where the stack's AWS is."""
    [play] = yaml.safe_load((ROOT / "examples" / "amazon_aws.yml").read_text(encoding="utf-8"))
    play["module_defaults"]["group/amazon.aws.aws"]["endpoint_url"] = stack.env["STACK_AWS_ENDPOINT"]
    (user.folder / "play.json").write_text(json.dumps([play]), encoding="utf-8")
    keys = user.environment["AWS_SHARED_CREDENTIALS_FILE"]
    environment = {name: value for name, value in user.environment.items() if not name.startswith("AWS_")}
    given = {
        "vault_url": stack.env["VAULT_ADDR"],
        "vault_ca_cert": stack.env["VAULT_CACERT"],
        "vault_server_id": stack.env["STACK_HEADER_VALUE"],
        "aws_access_key": "{{ lookup('ansible.builtin.ini', 'aws_access_key_id section=default file=" + keys + "') }}",
        "aws_secret_key": "{{ lookup('ansible.builtin.ini', 'aws_secret_access_key section=default file="
        + keys
        + "') }}",
    }
    shown = user.run("ansible-playbook", "play.json", "-e", json.dumps(given), environment=environment)
    assert "ok=3" in shown
