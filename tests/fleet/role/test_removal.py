# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The end of what this folder tests: all agents are taken away, and hosts are as they were."""

from __future__ import annotations

from tests.fleet.fleet import Fleet
from tests.stack.handle import Stack

from . import looks
from .conftest import RollOut
from .runs import works

NAMES = ("free", "outage", "runner", "second", "serial", "vault-agent")  # of all agents that tests here leave


def test_removal(fleet: Fleet, stack: Stack, rollout: RollOut) -> None:
    """No file, user, group or unit is left; that of another agent is no hindrance. The tokens end, as was asked for."""
    tokens = [agent.token for agent in looks.agents(fleet).values()]
    assert all(works(stack, token) for token in tokens)
    done = rollout.runner.remove(NAMES, vault_agent_revoke_on_exit=True)
    done.judge_success()
    assert not any(works(stack, token) for token in tokens)
    for name in fleet.members:
        host = fleet.host(name)
        host.run(
            ["userdel", "--remove", "app"], check=False
        )  # the play's, not the role's; it tells of a missing mailbox
        for kind, found in looks.traces(host).items():
            assert found == rollout.traces[name][kind], (name, kind)
