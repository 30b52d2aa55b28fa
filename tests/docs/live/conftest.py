# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The world of the documentation, made once: what the server guide tells an operator to do is done."""

from __future__ import annotations

import configparser
import os
import secrets
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from tests.docs.blocks import PROJECT, of_kind
from tests.docs.live.world import NAMESPACE, UTILS, World
from tests.live import core
from tests.live.core import Keys
from tests.stack.handle import Stack

DIRECTORY = os.environ.get("VAULTFLEET_STACK_DIR", str(PROJECT / ".stack"))


# What the agent's bundle installs.
PROGRAMS = {"vault-aws-login": "_cli.cli", "vaultfleet-agent": "_agent.cli"}
NONCE = secrets.token_hex(16)


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A namespace of the stack's Vault, set up by the guides' own commands; one ec2 login was made there."""
    stack = Stack.load(DIRECTORY)
    # The guide on the server comes first; others add roles to it.
    guide = sorted(of_kind("server", "policy"), key=lambda block: block.file.stem != "guide_server")
    [policy] = [block.text for block in guide if block.kind == "policy"]
    instance = stack.instances[-1]
    made = World(stack, tmp_path_factory.mktemp("docs"), instance, new_user(stack, policy))
    stack.imds_reset(instance)
    stack.root("POST", f"sys/namespaces/{NAMESPACE}")
    try:
        prepare(made)
        for block in guide:
            if block.kind == "server":
                made.operate(block)
        log_in(made)
        yield made
    finally:
        stack.root("DELETE", f"sys/namespaces/{NAMESPACE}")
        stack.imds_reset(instance)


def prepare(world: World) -> None:
    """What the documentation takes to be there: files, and hosts."""
    shutil.copy(Path(world.stack.env["STACK_DIR"]) / "pki" / "identity.pem", world.folder / "eu-central-1.pem")
    for name in ("app", "vault-agent"):
        (world.folder / "run" / name).mkdir(parents=True)
    (world.folder / "bin").mkdir()
    for name, module in PROGRAMS.items():
        program = world.folder / "bin" / name
        program.write_text(f"#!/bin/sh\nexec '{sys.executable}' -m {UTILS}.{module} \"$@\"\n", encoding="utf-8")
        program.chmod(0o755)
    host = "localhost ansible_connection=local ansible_python_interpreter='{{ ansible_playbook_python }}'"
    (world.folder / "inventory").write_text(f"[web]\n{host} vault_nonce={NONCE}\n", encoding="utf-8")


def log_in(world: World) -> None:
    """Log the instance in, and leave the token where an agent would."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", world.stack.imds_endpoint(world.instance))
        done = core.log(world.stack, core.ec2(nonce=NONCE), namespace=NAMESPACE)
    (world.folder / "run" / "vault-agent" / "token").write_text(core.token_of(done).client_token, encoding="ascii")


def new_user(stack: Stack, policy: str) -> Keys:
    """Keys of a new user of the emulated AWS, who may do what ``policy`` says and nothing else."""
    operator = configparser.ConfigParser(interpolation=None)
    operator.read(stack.env["STACK_OPERATOR_CREDENTIALS_FILE"])
    keys = operator["default"]
    iam = boto3.client(
        "iam",
        endpoint_url=stack.env["STACK_AWS_ENDPOINT"],
        region_name=stack.env["STACK_REGION"],
        aws_access_key_id=keys["aws_access_key_id"],
        aws_secret_access_key=keys["aws_secret_access_key"],
    )
    name = f"docs-{secrets.token_hex(4)}"
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName=name, PolicyDocument=policy)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return Keys(key["AccessKeyId"], key["SecretAccessKey"])
