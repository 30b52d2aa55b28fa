# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every block that says that it runs against the server does, page by page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.docs.blocks import Block, blocks
from tests.docs.live.world import HEADER_VALUE, NAMESPACE, World


def tasks(world: World, some: list[Block]) -> None:
    """Tasks and plays. The README's have the server's id from the environment, as it says."""
    readme = some[0].file.suffix == ".md"
    world.play(some, **({"VAULTFLEET_AWS_HEADER_VALUE": HEADER_VALUE} if readme else {}))


def agent(world: World, some: list[Block]) -> None:
    """A configuration of the agent."""
    for block in some:
        token = world.agent(block)
        answer = world.stack.vault.must("GET", "auth/token/lookup-self", None, token, NAMESPACE)
        assert answer["data"]["meta"]["auth_type"] in ("iam", "ec2"), block.place


def each(way: Callable[[World, Block], str]) -> Callable[[World, list[Block]], None]:
    """Blocks that are run one by one."""

    def run(world: World, some: list[Block]) -> None:
        for block in some:
            way(world, block)

    return run


# How each kind is run. Those of a page are run in their order, tasks in one run of Ansible.
WAYS: dict[str, Callable[[World, list[Block]], None]] = {
    "tasks": tasks,
    "shell": each(World.shell),
    "operator": each(World.operate),
    "variables": each(World.evaluate),
    "role": each(World.judge),
    "agent": agent,
}
PAGES = sorted({(block.file, block.kind) for block in blocks() if block.kind in WAYS})


@pytest.mark.parametrize(("file", "kind"), [pytest.param(*page, id=f"{page[0].stem}-{page[1]}") for page in PAGES])
def test_page(world: World, file: Path, kind: str) -> None:
    WAYS[kind](world, [block for block in blocks([file]) if block.kind == kind])
