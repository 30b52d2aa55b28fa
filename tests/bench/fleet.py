# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run with many lookups: ours, the peer's, and a constant in their place, in turns."""

from __future__ import annotations

from dataclasses import dataclass

from tests.tools.project import ToolError

from .lookups import CALLBACK, CONSTANT, OURS, PEER, Cost, Fleet, evaluate

_READ = "lookup('community.hashi_vault.vault_kv2_get', 'demo', token=lookup('vaultfleet.aws.vault_aws_token'))"


@dataclass(frozen=True)
class Runs:
    """Costs of one round each. ours: with the callback."""

    ours: list[Cost]
    peer: list[Cost]
    constant: list[Cost]


def measure(fleet: Fleet, forks: int, rounds: tuple[int, int], hosts: int, tasks: int) -> Runs:
    """Run ``tasks`` lookup tasks on so many hosts. rounds: of ours and the constant, and of the peer, which takes
    minutes.
    """
    runs = Runs([], [], [])
    for number in range(max(rounds)):
        if number < rounds[0]:
            runs.constant.append(_run(fleet, CONSTANT, forks, hosts, tasks))
            runs.ours.append(_run(fleet, OURS, forks, hosts, tasks, CALLBACK))
        if number < rounds[1]:
            runs.peer.append(_run(fleet, PEER, forks, hosts, tasks))
    return runs


def _run(fleet: Fleet, expression: str, forks: int, hosts: int, tasks: int, *callbacks: str) -> Cost:
    measured = [evaluate(f"Task {number}", expression) for number in range(tasks)]
    return fleet.run(measured, hosts=hosts, forks=forks, callbacks=callbacks)


def read_with_the_peer(fleet: Fleet) -> int:
    """Have the peer's lookup of secrets read one with our token; return the logins. Raises ToolError if it does not."""
    task = {
        "name": "Read a secret",
        "ansible.builtin.assert": {"that": "read.secret.username == 'demo'"},
        "vars": {"read": f"{{{{ {_READ} }}}}"},
        "no_log": True,
    }
    variables = {"VAULTFLEET_AWS_ROLE": "web"}
    cost = fleet.run([task], hosts=3, forks=3, callbacks=[CALLBACK], variables=variables)
    if cost.logins != 1:
        raise ToolError(f"three hosts that read a secret cost {cost.logins} logins instead of 1")
    return cost.logins
