# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Vault is away: while agents are rolled out, and later for longer than their tokens live."""

from __future__ import annotations

import time
import typing as t

from tests.fleet.fleet import Fleet
from tests.stack.handle import Stack

from . import looks
from .runs import EC2, Runner, works

NAME = "outage"
MOUNT = "aws-open"  # hosts have agents of type ec2 on the other mount
TTL = 5  # seconds, of the tokens
PRUNED = "Remove bundles that no agent runs from"


def test_agents_get_through_it_unaided(fleet: Fleet, stack: Stack, runner: Runner) -> None:
    """Hosts are configured and fail with what their agents say; once Vault is there, so are the tokens."""
    principal = {"auth_type": "iam", "bound_iam_principal_arn": stack.env["STACK_APP_ROLE_ARN"]}
    lives = {"token_ttl": TTL, "token_max_ttl": 4 * TTL, "token_policies": "demo-read"}
    stack.root("PUT", f"auth/{MOUNT}/role/app-short", {**principal, **lives})
    for member in fleet.members.values():
        stack.delete_accesslist(member.instance, MOUNT)
    variables: dict[str, t.Any] = {
        "name": NAME,
        "mount_path": MOUNT,
        "type": f"{{{{ 'ec2' if inventory_hostname in {list(EC2)} else 'iam' }}}}",
        "role": f"{{{{ 'node-short' if inventory_hostname in {list(EC2)} else 'app-short' }}}}",
        "header_value": None,
        "max_backoff": "2s",
    }
    others = looks.agents(fleet)
    stack.stop_vault()
    try:
        done = runner.role(**variables, wait_timeout=15)  # enough for a start and a try on a busy machine
        assert {*done.failed} == {*fleet.members}, done.shown
        for name, words in done.failed.items():
            assert words.startswith(f"{NAME}: "), words
            assert "login: " in words, words
            assert stack.env["VAULT_ADDR"] in words, words
            assert looks.config(fleet.host(name), NAME)["vault"]["address"] == stack.env["VAULT_ADDR"]
    finally:
        stack.start_vault_sealed()
    looks.until(lambda: all(_says_sealed(fleet, name) for name in fleet.members), "not all say that Vault is sealed")
    stack.unseal()
    first = {name: looks.next_token(fleet.host(name), "", NAME) for name in fleet.members}
    stack.stop_vault()
    try:
        time.sleep(TTL + 2)
    finally:
        stack.start_vault()
    for name, token in first.items():
        assert not works(stack, token), "it outlived its TTL"
        looks.until(lambda: _has_another(fleet, stack, name, token), f"{name} has no new token that works")  # noqa: B023
    again = runner.role(**variables, wait_timeout=60)
    again.judge_success()
    # What another test rolled back from goes with the first run that succeeds.
    assert {task for tasks in again.changed.values() for task in tasks} <= {PRUNED}, again.shown
    assert looks.agents(fleet) == others, "agents whose tokens live longer did not notice"


def _has_another(fleet: Fleet, stack: Stack, name: str, old: str) -> bool:
    """Whether there is a token other than ``old`` in the sink, and works.

    Between its end and the next one there may be one that does not, where the outage came right after a login.
    """
    token = fleet.host(name).read(f"/run/{NAME}/token")
    return token != old and works(stack, token)


def _says_sealed(fleet: Fleet, name: str) -> bool:
    return "sealed" in looks.status(fleet.host(name), NAME).get("errors", {}).get("login", "")
