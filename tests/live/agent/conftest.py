# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixtures: agents that end with their test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.agent.agents import Agents
from tests.stack.handle import Stack


@pytest.fixture
def agents(stack: Stack, tmp_path: Path) -> Iterator[Agents]:
    """Makes agents against the stack."""
    made = Agents(stack, tmp_path)
    try:
        yield made
    finally:
        made.close()
