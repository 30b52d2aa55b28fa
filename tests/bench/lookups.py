# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plays in which nothing costs but a lookup: on many hosts that all are this machine, settings from the environment."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import typing as t
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.stack.handle import Stack
from tests.tools.private_stack import clean_environment
from tests.tools.project import COLLECTIONS, ToolError

CALLBACK = "vaultfleet.aws.vault_aws_tokens"
OURS = "lookup('vaultfleet.aws.vault_aws_token', role='web')"
PEER = (
    "lookup('community.hashi_vault.vault_login', auth_method='aws_iam', role_id='web', region='us-east-1',"
    " aws_iam_server_id=server_id).auth.client_token"
)
# As long as a token.
CONSTANT = "'s.0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789abcdefghijklmnop'"


@dataclass(frozen=True)
class Cost:
    """A run of ansible-playbook. Seconds on the clock, and of a processor for it and all that it started; logins that
    Vault saw.
    """

    wall: float
    processor: float
    logins: int


@dataclass(frozen=True)
class Fleet:
    """Plays plays against a stack. memory: where the runs share tokens."""

    stack: Stack
    folder: Path
    memory: Path

    def run(
        self,
        tasks: Sequence[Mapping[str, t.Any]],
        *,
        hosts: int,
        forks: int,
        callbacks: Sequence[str] = (),
        variables: Mapping[str, str] | None = None,
    ) -> Cost:
        """Run ``tasks`` on so many hosts. variables: of the environment. Raises ToolError if one fails."""
        play = {
            "hosts": "all",
            "connection": "local",
            "gather_facts": False,
            "vars": {"server_id": self.stack.env["STACK_HEADER_VALUE"]},
            "tasks": list(tasks),
        }
        playbook = self.folder / "lookups.json"
        playbook.write_text(json.dumps([play]), encoding="utf-8")
        inventory = self.folder / "hosts"
        inventory.write_text("".join(f"host{number}\n" for number in range(hosts)), encoding="utf-8")
        command = [sys.executable, "-m", "ansible", "playbook", "-i", str(inventory), "-f", str(forks), str(playbook)]
        environment = {**self.environment(), **(variables or {})}
        if callbacks:
            environment["ANSIBLE_CALLBACKS_ENABLED"] = ",".join(callbacks)
        logins = self.stack.logins()
        processor = _processor_seconds()
        start = time.monotonic()
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)
        wall = time.monotonic() - start
        if done.returncode != 0:
            raise ToolError(
                f"a play of {len(tasks)} tasks failed:{os.linesep}{done.stdout[-4000:]}{done.stderr[-4000:]}"
            )
        return Cost(wall, _processor_seconds() - processor, self.stack.logins() - logins)

    def environment(self) -> dict[str, str]:
        """What a user of the lookup sets, and what the bench's own plugins need."""
        env = self.stack.env
        here = Path(__file__).parent
        return {
            **clean_environment(self.folder / "home"),
            "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),  # the peer is found beside Ansible itself
            "ANSIBLE_LOOKUP_PLUGINS": str(here / "lookup"),
            "ANSIBLE_CALLBACK_PLUGINS": str(here / "callback"),
            "AWS_SHARED_CREDENTIALS_FILE": env["AWS_SHARED_CREDENTIALS_FILE"],
            "VAULT_ADDR": env["VAULT_ADDR"],
            "VAULT_CACERT": env["VAULT_CACERT"],
            "VAULTFLEET_AWS_HEADER_VALUE": env["STACK_HEADER_VALUE"],
            "XDG_RUNTIME_DIR": str(self.memory),
        }


@contextlib.contextmanager
def fleet(stack: Stack, folder: Path) -> Iterator[Fleet]:
    """A Fleet whose runs share tokens with nobody else's; a killed run leaves nothing behind."""
    memory = Path(tempfile.mkdtemp(prefix="vaultfleet-bench-", dir="/dev/shm"))
    try:
        yield Fleet(stack, folder, memory)
    finally:
        shutil.rmtree(memory, ignore_errors=True)


def evaluate(name: str, expression: str) -> dict[str, t.Any]:
    """A task that only evaluates ``expression``; it runs in a worker, and starts nothing on the host."""
    return {"name": name, "ansible.builtin.debug": {"msg": f"{{{{ {expression} }}}}"}, "no_log": True}


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
