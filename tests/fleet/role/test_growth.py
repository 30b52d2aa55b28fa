# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host costs does not depend on how many there are; `make bench` measures it with more of them."""

from __future__ import annotations

from .conftest import RollOut


def test_one_host_among_several(rollout: RollOut) -> None:
    """The same modules run on it, and the controller works no more for it."""
    alone, all_of_them = rollout.alone, rollout.again
    assert alone.executed[rollout.probe] == all_of_them.executed[rollout.probe]
    assert all_of_them.processor <= alone.processor * len(rollout.runner.fleet.members)
