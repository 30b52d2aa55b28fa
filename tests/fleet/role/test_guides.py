# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands that the guides have somebody type on a host with an agent, typed by root on each release."""

from __future__ import annotations

from tests.docs.blocks import of_kind
from tests.fleet.fleet import Fleet

from .conftest import RollOut


def test_commands_on_a_host(fleet: Fleet, rollout: RollOut) -> None:
    found = of_kind("host")
    assert found
    for name in fleet.members:
        for block in found:
            done = fleet.host(name).run(["bash", "-euo", "pipefail", "-c", block.text], check=False)
            assert done.returncode == 0, (name, block.place, done.stdout, done.stderr)
            assert "vault-agent" in done.stdout, (name, block.place)
