# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixtures: engines with secrets, for the tests of one file."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.live.agent.templates.engines import Engines
from tests.stack.handle import Stack


@pytest.fixture(scope="module")
def engines(running_stack: Stack) -> Iterator[Engines]:
    """Engines of this file's tests."""
    made = Engines(running_stack)
    yield made
    made.close()
