# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A roll-out by the example for fleets, as users see it."""

from __future__ import annotations

import re

from tests.fleet.fleet import Fleet
from tests.stack.handle import Stack

from . import looks
from .conftest import RollOut
from .runs import EC2, works

MOST_EXECUTIONS = 16  # per host, of a run that has nothing to change
MOST_EXPOSED = 2.0  # as systemd rates it, from 0 to 10


def test_reader_and_nobody_else(fleet: Fleet, stack: Stack, rollout: RollOut) -> None:
    """The application's user reads a token that works; the ssh user and others do not."""
    for name in fleet.members:
        host = fleet.host(name)
        login = looks.config(host)["auto_auth"]["method"][0]["config"]
        assert login["type"] == ("ec2" if name in EC2 else "iam")
        read = ["cat", "/run/vault-agent/token"]
        assert works(stack, host.run(["runuser", "-u", "app", "--", *read]).stdout), name
        for user in ("admin", "nobody"):
            refused = host.run(["runuser", "-u", user, "--", *read], check=False)
            assert (refused.returncode, refused.stdout) == (1, ""), (name, user)
            assert "Permission denied" in refused.stderr, (name, user)


def test_second_run(rollout: RollOut) -> None:
    """It changes nothing, and is short."""
    rollout.again.judge_success()
    assert not any(rollout.again.changed.values()), rollout.again.shown
    for host, modules in rollout.again.executed.items():
        assert 0 < len(modules) <= MOST_EXECUTIONS, (host, modules)


def test_check_mode_on_an_untouched_host(rollout: RollOut) -> None:
    """It tells of changes, among them those that matter, and makes none; and of the reader that is still to come."""
    rollout.foretold.judge_success()
    words = " ".join(rollout.foretold.shown.split())
    assert "vault_agent_readers: there is no user app on this host yet" in words, rollout.foretold.shown
    assert "there is no user" not in rollout.first.shown
    assert rollout.afterwards == rollout.before
    told, done = rollout.foretold.changed[rollout.probe], rollout.first.changed[rollout.probe]
    assert {"Create the agent's user", "Unpack the bundle", "Configure the agent", "Write the unit"} <= {*told}
    assert {*told} <= {*done}, "it told of what was not done"


def test_hardened(fleet: Fleet, rollout: RollOut) -> None:
    """systemd finds little exposed."""
    for name in fleet.members:
        rated = fleet.host(name).run(["systemd-analyze", "security", "vault-agent.service"]).stdout
        (exposure,) = re.findall(r"Overall exposure level for vault-agent\.service: ([\d.]+)", rated)
        assert float(exposure) <= MOST_EXPOSED, (name, rated)
