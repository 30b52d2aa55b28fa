# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs playbooks as a user does, and hands back what was printed and what was registered."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import typing as t
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.live.core import keys
from tests.stack.handle import Stack

PROJECT = Path(__file__).parents[2]
MODULE = "vaultfleet.aws.aws_vault_login"
WAYS = ("in place", "as a module")  # how Ansible may do the module's work on this machine
TaskData = dict[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Played:
    """A finished run. results: what each host's tasks registered, by host and name."""

    rc: int
    stdout: str
    stderr: str
    hosts: Mapping[str, Mapping[str, t.Any]]

    @property
    def results(self) -> Mapping[str, t.Any]:
        """What was registered on the only host."""
        [only] = self.hosts.values()
        return only

    @property
    def shown(self) -> str:
        """All that was printed."""
        return self.stdout + self.stderr


def login(register: str, task: Mapping[str, t.Any] | None = None, /, **options: t.Any) -> TaskData:
    """A task of the module that may fail; ``task`` are keywords of the task itself."""
    return {"name": register, MODULE: options, "register": register, "ignore_errors": True, **(task or {})}


def mine(stack: Stack, **options: t.Any) -> dict[str, t.Any]:
    """The options of an iam login with static keys."""
    header = stack.env["STACK_HEADER_VALUE"]
    return {"role": "web", "header_value": header, **keys(stack)._asdict(), **options}


@dataclasses.dataclass(frozen=True)
class Player:
    """Runs playbooks; the address of the stack's Vault and its CA are module defaults of the group."""

    stack: Stack
    folder: Path
    way: str = WAYS[0]

    @property
    def python(self) -> str:
        """This interpreter; under another name it is not known to be Ansible's own."""
        folder, name = os.path.split(sys.executable)
        return sys.executable if self.way == WAYS[0] else f"{folder}/./{name}"

    def play(
        self,
        *tasks: TaskData,
        arguments: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        hosts: Sequence[str] = ("localhost",),
        defaults: Mapping[str, t.Any] | None = None,
        variables: Mapping[str, t.Any] | None = None,
        play: Mapping[str, t.Any] | None = None,
    ) -> Played:
        """Run ``tasks`` on ``hosts`` (all are this machine). ``defaults`` replace the stack's module defaults."""
        group = self.defaults() if defaults is None else dict(defaults)
        names = [task["register"] for task in tasks if "register" in task]
        kept = "{{ " + "{" + ", ".join(f"'{name}': {name} | default(none)" for name in names) + "} | to_json }}"
        keep: TaskData = {
            "name": "Keep what was registered",
            "ansible.builtin.copy": {
                "content": kept,
                "dest": str(self.folder / "kept-{{ inventory_hostname }}"),
                "mode": "0600",
            },
            "no_log": True,
            "check_mode": False,
        }
        book = {
            "hosts": "all",
            "gather_facts": False,
            "module_defaults": {"group/vaultfleet.aws.vault": group},
            "vars": {"ansible_connection": "local", "ansible_python_interpreter": self.python, **(variables or {})},
            "tasks": [*tasks, keep],
            **(play or {}),
        }
        playbook = self.folder / "play.json"
        playbook.write_text(json.dumps([book]), encoding="utf-8")
        inventory = self.folder / "inventory"
        inventory.write_text("\n".join(hosts) + "\n", encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-m", "ansible", "playbook", "-i", str(inventory), str(playbook), *arguments],
            env={**os.environ, **self.settings(), **(environment or {})},
            cwd=self.folder,
            capture_output=True,
            check=False,
            text=True,
            timeout=300,
        )
        results = {}
        for host in hosts:
            file = self.folder / f"kept-{host}"
            assert file.exists(), f"the run ended early:\n{done.stdout}\n{done.stderr}"
            results[host] = json.loads(file.read_text(encoding="utf-8"))
            file.unlink()
        return Played(done.returncode, done.stdout, done.stderr, results)

    def defaults(self) -> dict[str, t.Any]:
        """The stack's address, and no retries."""
        return {"url": self.stack.env["VAULT_ADDR"], "ca_cert": self.stack.env["VAULT_CACERT"], "retries": 0}

    def settings(self) -> dict[str, str]:
        """What makes Ansible find the collection, and nothing else of this machine."""
        return {
            "ANSIBLE_COLLECTIONS_PATH": str(PROJECT / ".dev" / "collections"),
            "ANSIBLE_HOME": str(self.folder / "ansible-home"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_DEPRECATION_WARNINGS": "1",
        }
