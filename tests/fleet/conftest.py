# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixtures: the stack of VAULTFLEET_STACK_DIR, and a fleet beside it."""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

import pytest

from tests.stack.handle import Stack

from .fleet import Fleet, running
from .playbooks import Player

PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def stack() -> Stack:
    """The stack that runs."""
    return Stack.load(os.environ.get("VAULTFLEET_STACK_DIR", str(PROJECT / ".stack")))


@pytest.fixture(scope="session")
def fleet(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Fleet]:
    """A host of each release, for all tests: what one does to it, it undoes."""
    with running(stack, tmp_path_factory.mktemp("fleet")) as fleet:
        yield fleet


@pytest.fixture
def player(fleet: Fleet, tmp_path: Path) -> Player:
    """Runs playbooks on the fleet."""
    return Player(fleet, tmp_path)
