# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixtures: runs with a place in memory of their own."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.lookup.runs import Runs
from tests.stack.handle import Stack


@pytest.fixture
def runs(stack: Stack, tmp_path: Path) -> Iterator[Runs]:
    """Starts runs against the stack; no other run of this machine shares their place in memory."""
    memory = Path(tempfile.mkdtemp(dir="/dev/shm", prefix="vaultfleet-live-"))
    made = Runs(stack, tmp_path, memory)
    try:
        yield made
    finally:
        made.release()
        shutil.rmtree(memory)
