# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ends agents, or hosts: nonce and token outlive what they can; where they cannot, an operator is told."""

from __future__ import annotations

import concurrent.futures
import json
import typing as t
from pathlib import Path

import pytest

from tests.fleet.fleet import Fleet
from tests.stack.handle import Stack

from . import bundles, looks
from .conftest import RollOut
from .runs import Runner, works

# The agent of the example is of type iam there; with this one beside it, each release has one of type ec2.
SECOND, SECONDS_HOST = "second", "bookworm"
EC2_NAME = f"{{{{ '{SECOND}' if inventory_hostname == '{SECONDS_HOST}' else 'vault-agent' }}}}"
BY_EXAMPLE: dict[str, t.Any] = {
    "name": EC2_NAME,
    "type": "ec2",
    "role": "node",
    "header_value": None,
    "readers": ["app"],
}
BROKEN = "0.1.0-broken-start"
BREAKS = b"import sys\nif 'run' in sys.argv:\n    raise SystemExit('a library is missing')\n"


class Of(t.NamedTuple):
    """An agent: its host and its name."""

    host: str
    name: str


@pytest.fixture(scope="module")
def ec2(rollout: RollOut, fleet: Fleet, stack: Stack) -> list[Of]:
    """An agent of type ec2 on each host."""
    stack.delete_accesslist(fleet.members[SECONDS_HOST].instance)
    rollout.runner.role("--limit", SECONDS_HOST, **BY_EXAMPLE).judge_success()
    return [Of(host, SECOND if host == SECONDS_HOST else "vault-agent") for host in fleet.members]


def test_restart_and_sigkill(fleet: Fleet, stack: Stack, ec2: list[Of]) -> None:
    """They cost neither a login nor the nonce."""
    before, known = _agents(fleet, ec2), _known(fleet, stack, ec2)
    for one in ec2:
        fleet.host(one.host).run(["systemctl", "restart", one.name])
    restarted = _agents(fleet, ec2)
    for one in ec2:
        fleet.host(one.host).run(["systemctl", "kill", "--kill-who=main", "--signal=KILL", one.name])
    looks.until(lambda: all(_back(fleet, one, restarted[one].pid) for one in ec2), "not all came back")
    killed = _agents(fleet, ec2)
    for one in ec2:
        assert len({before[one].pid, restarted[one].pid, killed[one].pid}) == 3, one
        assert before[one].token == restarted[one].token == killed[one].token, one
    assert _known(fleet, stack, ec2) == known
    _judge_nonces(fleet, stack, ec2)


def test_roll_back(fleet: Fleet, stack: Stack, runner: Runner, ec2: list[Of], tmp_path: Path) -> None:
    """Nor does a version that does not even start, however often systemd tries."""
    before, known = _agents(fleet, ec2), _known(fleet, stack, ec2)
    broken = bundles.variables(tmp_path, BROKEN, lambda program: BREAKS + program)
    done = runner.role("-e", json.dumps(broken), **BY_EXAMPLE)
    assert {*done.failed} == {*fleet.members}, done.shown
    for words in done.failed.values():
        assert "a library is missing -- rolled back to version " in words, words
    looks.until(lambda: all(_back(fleet, one, before[one].pid) for one in ec2), "not all came back")
    after = _agents(fleet, ec2)
    for one in ec2:
        assert (after[one].version, after[one].token) == (before[one].version, before[one].token), one
    assert _known(fleet, stack, ec2) == known
    _judge_nonces(fleet, stack, ec2)


def test_reboot(fleet: Fleet, stack: Stack, runner: Runner, ec2: list[Of]) -> None:
    """Type iam, and ec2 with a configured nonce, log in unaided; ec2 without one says what an operator has to do."""
    instance = fleet.members[SECONDS_HOST].instance
    unaided = [Of(SECONDS_HOST, "vault-agent"), Of(SECONDS_HOST, SECOND)]
    lost = [one for one in ec2 if one not in unaided]
    nonce = _entry(stack, instance)["client_nonce"]  # the server takes no other
    runner.role("--limit", SECONDS_HOST, **BY_EXAMPLE, nonce=nonce).judge_success()
    before = _agents(fleet, [*unaided, *lost])
    with concurrent.futures.ThreadPoolExecutor() as pool:
        # Agents without a token hold up the end of the boot.
        list(pool.map(lambda name: fleet.reboot(name, "ssh.service"), fleet.members))
    for one in unaided:
        token = looks.next_token(fleet.host(one.host), before[one].token, one.name)
        assert works(stack, token), one
    for one in lost:
        host, entry = fleet.host(one.host), f"auth/aws/identity-accesslist/{fleet.members[one.host].instance}"
        looks.until(_is_blocked(fleet, one), f"{one} does not say that it needs help")
        shown = host.run(["systemctl", "status", one.name], check=False).stdout
        host.run(["journalctl", "--sync"])  # the status may be told before the journal is written
        journal = host.run(["journalctl", "--unit", one.name, "--output=cat"]).stdout
        for told in (shown, journal, json.dumps(looks.status(host, one.name)["errors"])):
            assert entry in told, told
        stack.delete_accesslist(fleet.members[one.host].instance)
        host.run(["systemctl", "kill", "--kill-who=main", "--signal=USR1", one.name])
        assert works(stack, looks.next_token(host, "", one.name)), one


def _agents(fleet: Fleet, of: t.Sequence[Of]) -> dict[Of, looks.Agent]:
    return {one: looks.agent(fleet.host(one.host), one.name) for one in of}


def _is_blocked(fleet: Fleet, one: Of) -> t.Callable[[], bool]:
    return lambda: looks.status(fleet.host(one.host), one.name).get("state") == "blocked"


def _back(fleet: Fleet, one: Of, before: int) -> bool:
    """Whether another process than ``before`` serves."""
    shown = fleet.host(one.host).run(["systemctl", "show", "--property=ActiveState,MainPID", one.name]).stdout.split()
    return "ActiveState=active" in shown and f"MainPID={before}" not in shown


def _entry(stack: Stack, instance: str) -> dict[str, t.Any]:
    return dict(stack.root("GET", f"auth/aws/identity-accesslist/{instance}")["data"])


def _known(fleet: Fleet, stack: Stack, ec2: t.Sequence[Of]) -> tuple[int, list[dict[str, t.Any]]]:
    """What the server knows: the number of logins, and the first one, with its nonce, of each instance."""
    return stack.logins(), [_entry(stack, fleet.members[one.host].instance) for one in ec2]


def _judge_nonces(fleet: Fleet, stack: Stack, ec2: t.Sequence[Of]) -> None:
    """They log in once more, which the server allows to those that have the nonce."""
    before = _agents(fleet, ec2)
    for one in ec2:
        stack.root("POST", "auth/token/revoke", {"token": before[one].token})
        fleet.host(one.host).run(["systemctl", "kill", "--kill-who=main", "--signal=USR1", one.name])
    for one in ec2:
        assert works(stack, looks.next_token(fleet.host(one.host), before[one].token, one.name)), one
