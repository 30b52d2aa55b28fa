# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Any command line ends in an exit code and a line, and nothing else."""

from __future__ import annotations

import pytest

from ansible_collections.vaultfleet.aws.tests.unit.support.fuzz.command_line import TARGETS
from ansible_collections.vaultfleet.aws.tests.unit.support.fuzz.target import try_out

[target] = TARGETS


def test_any_arguments() -> None:
    try_out(target, 200)


@pytest.mark.parametrize("argv", [["--", "--role", "web"], ["--role", "\ud800"], ["@file"]])
def test_these_arguments(argv: list[str]) -> None:
    target.judge(argv)
