# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The login command that comes with the agent, run by hand on a host."""

from __future__ import annotations

from tests.fleet.fleet import Fleet
from tests.stack.handle import Stack

from . import looks
from .conftest import RollOut
from .runs import works

PROGRAM = "/opt/vaultfleet-agent/vault-agent/bin/vault-aws-login"


def test_login_by_hand(fleet: Fleet, stack: Stack, rollout: RollOut) -> None:
    """Any user of a host has the role of its instance: a login, stored, and a refusal; the agent goes on as before."""
    before = looks.agents(fleet)
    for name in fleet.members:
        host = fleet.host(name)
        server = looks.config(host)["vault"]
        settings = [
            f"VAULT_ADDR={server['address']}",
            f"VAULT_CACERT={server['ca_cert']}",
            f"VAULTFLEET_AWS_HEADER_VALUE={stack.env['STACK_HEADER_VALUE']}",
        ]
        command = ["runuser", "-u", "app", "--", "env", "HOME=/home/app", *settings, PROGRAM]
        printed = host.run([*command, "--role", "app"])
        assert works(stack, printed.stdout.strip()), name
        host.run([*command, "--role", "app", "--store"])
        assert works(stack, host.read("/home/app/.vault-token")), name
        assert host.run(["stat", "--format=%a %U", "/home/app/.vault-token"]).stdout == "600 app\n"
        host.run(["rm", "/home/app/.vault-token"])
        refused = host.run([*command, "--role", "web"], check=False)
        assert (refused.returncode, refused.stdout) == (2, ""), name
        assert "bound_iam_principal_arn of role web" in refused.stderr
    assert looks.agents(fleet) == before
