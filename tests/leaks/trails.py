# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The paths that secrets take."""

from __future__ import annotations

from tests.tools.integration import can_boot

from . import hosts, plants, plays, programs
from .hunt import Trail

_ALL = (
    Trail("module", "aws_vault_login on the controller, failures and crashes included", plays.module, plants.in_play),
    Trail(
        "lookup", "vault_aws_token with its callback, killed and cleaned up after", plays.lookup, plays.plant_in_lookup
    ),
    Trail("examples", "the example playbooks, and the programs that read a sink", plays.examples, plants.in_play),
    Trail("bundle", "a build of the agent's bundle", plays.bundle, plants.in_play),
    Trail("agent", "agents with all sinks, refused, killed and crashed", programs.agent, programs.plant_in_agent),
    Trail("command", "vault-aws-login, keygen and decrypt", programs.command, plants.in_program),
    Trail("runner", "ansible-runner", plays.runner, plays.plant_in_runner),
    Trail("role", "module, role and agent on booted hosts", hosts.role, hosts.plant_on_hosts, hosts.booted),
)
TRAILS = {trail.name: trail for trail in _ALL}
HOSTS = ("role",)

__all__ = ["HOSTS", "TRAILS", "can_boot"]
