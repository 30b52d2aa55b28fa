# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One cold task in a playbook, wall time of ansible-playbook: ours, the peer's, the least possible, and a ping."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.stack.handle import Stack
from tests.tools.private_stack import clean_environment
from tests.tools.project import COLLECTIONS, ToolError

LIBRARY = Path(__file__).parent / "library"
OURS = "vaultfleet.aws.aws_vault_login"
PEER = "community.hashi_vault.vault_login"


@dataclass(frozen=True)
class Cost:
    """Seconds of one run of ansible-playbook: on the clock, and of a processor for it and all that it started."""

    wall: float
    processor: float


@dataclass(frozen=True)
class Variant:
    """A task to measure; ``logins`` is how many login requests Vault must have seen of it."""

    name: str
    task: Mapping[str, t.Any]
    logins: int = 1


def variants() -> list[Variant]:
    """What is measured. The variables of the tasks are those of ``_variables``."""
    where = {"url": "{{ url }}", "ca_cert": "{{ ca_cert }}", "region": "us-east-1"}
    ours = {**where, "role": "web", "header_value": "{{ server_id }}"}
    peer = {**where, "auth_method": "aws_iam", "role_id": "web", "aws_iam_server_id": "{{ server_id }}"}
    keys = {"access_key": "{{ access_key }}", "secret_key": "{{ secret_key }}"}
    peer_keys = {f"aws_{name}": value for name, value in keys.items()}
    return [
        Variant("ping", {"ansible.builtin.ping": {}}, 0),
        Variant("ours, keys given", {OURS: {**ours, **keys}}),
        Variant("peer, keys given", {PEER: {**peer, **peer_keys}}),
        Variant("ours, keys found", {OURS: ours}),
        # As on any host but the controller: of what is done in place, a variable makes a module.
        Variant("ours, as a module", {OURS: {**ours, **keys}, "environment": {"BENCH": "1"}}),
        Variant("peer, keys found", {PEER: peer}),
        Variant("bare module, keys given", {"bare_login": {"variables": "{{ variables }}"}}),
    ]


def measure(stack: Stack, folder: Path, rounds: int, keys: Mapping[str, str]) -> dict[str, list[Cost]]:
    """Costs by variant, one for each round, after a round that does not count. Raises ToolError if a run fails."""
    variables = folder / "variables.json"
    variables.touch(mode=0o600)
    variables.write_text(json.dumps(_variables(stack, keys)), encoding="utf-8")
    environment = {
        **clean_environment(folder / "home"),
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),  # the peer is found beside Ansible itself
        "ANSIBLE_LIBRARY": str(LIBRARY),
        "ANSIBLE_LOCALHOST_WARNING": "0",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "0",
        "AWS_SHARED_CREDENTIALS_FILE": stack.env["AWS_SHARED_CREDENTIALS_FILE"],
    }
    measured = variants()
    costs: dict[str, list[Cost]] = {one.name: [] for one in measured}
    for number in range(rounds + 1):
        turn = number % len(measured)
        for one in measured[turn:] + measured[:turn]:
            cost = _run(one, stack, folder, variables, environment)
            if number:
                costs[one.name].append(cost)
    return costs


def _variables(stack: Stack, keys: Mapping[str, str]) -> dict[str, t.Any]:
    plain = {
        "url": stack.env["VAULT_ADDR"],
        "ca_cert": stack.env["VAULT_CACERT"],
        "server_id": stack.env["STACK_HEADER_VALUE"],
        **keys,
    }
    return {**plain, "variables": plain}


def _run(one: Variant, stack: Stack, folder: Path, variables: Path, environment: Mapping[str, str]) -> Cost:
    play = {"hosts": "localhost", "gather_facts": False, "tasks": [{"name": one.name, "no_log": True, **one.task}]}
    playbook = folder / "play.json"
    playbook.write_text(json.dumps([play]), encoding="utf-8")
    command = [sys.executable, "-m", "ansible", "playbook", str(playbook), "--extra-vars", f"@{variables}"]
    before = stack.logins()
    processor = _processor_seconds()
    start = time.monotonic()
    done = subprocess.run(command, cwd=folder, env=dict(environment), capture_output=True, text=True, check=False)
    cost = Cost(time.monotonic() - start, _processor_seconds() - processor)
    if done.returncode != 0:
        raise ToolError(f"{one.name} failed:{os.linesep}{done.stdout}{done.stderr}")
    if stack.logins() - before != one.logins:
        raise ToolError(f"{one.name}: Vault saw {stack.logins() - before} login requests instead of {one.logins}")
    return cost


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
