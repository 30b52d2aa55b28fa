# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every block that says that it runs against the server does, those of a kind together."""

from __future__ import annotations

import json
import os
from collections.abc import Callable

import pytest

from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.errors import LoginError
from tests.docs.blocks import Block, of_kind
from tests.docs.live.world import HEADER_VALUE, NAMESPACE, World
from tests.live import core


def tasks(world: World, some: list[Block]) -> None:
    """Tasks and plays. The README's have the server's id from the environment, as it says."""
    world.play([block for block in some if block.file.suffix == ".rst"])
    world.play([block for block in some if block.file.suffix == ".md"], VAULTFLEET_AWS_HEADER_VALUE=HEADER_VALUE)


def assume(world: World, some: list[Block]) -> None:
    """Tasks of somebody with keys of an AWS user, who may assume the role ``app`` at the stack's STS."""
    env = world.stack.env
    world.play(
        some,
        AWS_SHARED_CREDENTIALS_FILE=env["AWS_SHARED_CREDENTIALS_FILE"],
        AWS_ENDPOINT_URL_STS=env["STACK_AWS_ENDPOINT"],
    )


def shell(world: World, some: list[Block]) -> None:
    """Commands of a user."""
    for block in some:
        world.shell(block, VAULTFLEET_AWS_HEADER_VALUE=HEADER_VALUE)


def operator(world: World, some: list[Block]) -> None:
    """Commands of the server's operator."""
    for block in some:
        world.operate(block)


def variables(world: World, some: list[Block]) -> None:
    """Variables, evaluated."""
    world.evaluate(some)


def role(world: World, some: list[Block]) -> None:
    """Plays with the role."""
    world.judge(some)


def agent(world: World, some: list[Block]) -> None:
    """Configurations of the agent, after what a reader prepares for them, and before what a reader does with them."""
    shell(world, of_kind("prepare"))
    for block in some:
        token = world.agent(block)
        if token.startswith("{"):
            wrapping = json.loads(token)["token"]
            token = world.stack.vault.must("PUT", "sys/wrapping/unwrap", None, wrapping, NAMESPACE)["data"]["token"]
        answer = world.stack.vault.must("GET", "auth/token/lookup-self", None, token, NAMESPACE)
        assert answer["data"]["meta"]["auth_type"] in ("iam", "ec2"), block.place
    shell(world, of_kind("reader"))


def error(world: World, some: list[Block]) -> None:
    """What a login says that names a role that is not there."""
    for block in some:
        config = core.static(world.stack, role="wbe", header_value=HEADER_VALUE)
        with pytest.raises(LoginError) as refused:
            core.log(world.stack, config, namespace=NAMESPACE)
        assert str(refused.value) == " ".join(block.text.split())


# Those of the operator come last: one of them forgets the instance's ec2 login.
WAYS = (tasks, assume, shell, variables, role, agent, error, operator)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_blocks(world: World, way: Callable[[World, list[Block]], None]) -> None:
    found = of_kind(way.__name__)
    assert found, "no block says that it is run like this"
    way(world, found)


def test_neighbours(world: World) -> None:
    """What takes community.hashi_vault; VAULTFLEET_NEIGHBOURS is a folder with its collection."""
    folder = os.environ.get("VAULTFLEET_NEIGHBOURS")
    if not folder:
        pytest.skip("community.hashi_vault is not here: name the folder of its collections in VAULTFLEET_NEIGHBOURS")
    collections = os.pathsep.join([world.environment()["ANSIBLE_COLLECTIONS_PATH"], folder])
    world.evaluate(
        of_kind("neighbours"),
        ANSIBLE_COLLECTIONS_PATH=collections,
        VAULTFLEET_AWS_HEADER_VALUE=HEADER_VALUE,
        VAULTFLEET_AWS_ROLE="web",
    )
