# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A handful of real trials of the proxy, one for each victim, against the stack: what ``make chaos`` has many of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos import campaign, confined, report
from tests.live.conftest import DIRECTORY
from tests.stack.handle import Stack

NAMES = (
    "200 MiB packed in 200 KiB x module",
    "request done, then reset x command",
    "a load balancer's page, 200 x lookup",
    "429, Retry-After 31 years x agent",
    "answer cut in its body x agent of type ec2",
    "STS: connection refused x module",
    "metadata: answer cut in its body x module",
)


@pytest.fixture
def keeper() -> Iterator[campaign.Keeper]:
    """The running stack, whole afterwards; what trials leave behind becomes ours meanwhile."""
    made = campaign.Keeper(Stack.load(DIRECTORY))
    confined.adopt_orphans()
    yield made
    confined.adopt_orphans(False)
    assert made.mend() == ""


@pytest.mark.parametrize("name", NAMES)
def test_promises_are_kept(name: str, keeper: campaign.Keeper, tmp_path: Path) -> None:
    [trial] = [one for one in campaign.all_trials() if one.name == name]
    [entry] = campaign.run([trial], 1, float("inf"), 1, tmp_path, keeper)
    assert isinstance(entry, campaign.Entry)
    assert entry.kept, report.line_of(entry)
    assert len(entry.tried.findings) > 3
