# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What runs playbooks and tools in the environment of the neighbours."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import typing as t
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.stack.handle import Stack
from tests.tools.private_stack import clean_environment
from tests.tools.project import COLLECTIONS, ROOT

OURS = "lookup('vaultfleet.aws.vault_aws_token')"


@dataclasses.dataclass(frozen=True)
class User:
    """Somebody with the identity of the stack's client, and settings for the lookup; works in ``folder``."""

    stack: Stack
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """Their variables."""
        return {
            **clean_environment(self.folder / "home"),
            "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
            "ANSIBLE_LOCALHOST_WARNING": "0",
            "ANSIBLE_INVENTORY_UNPARSED_WARNING": "0",
            "ANSIBLE_NOCOLOR": "1",
            "AWS_SHARED_CREDENTIALS_FILE": self.stack.env["AWS_SHARED_CREDENTIALS_FILE"],
            "VAULT_ADDR": self.stack.env["VAULT_ADDR"],
            "VAULT_CACERT": self.stack.env["VAULT_CACERT"],
            "VAULTFLEET_AWS_ROLE": "web",
            "VAULTFLEET_AWS_HEADER_VALUE": self.stack.env["STACK_HEADER_VALUE"],
        }

    def run(
        self,
        *command: str,
        environment: Mapping[str, str] | None = None,
        stdin: t.IO[str] | None = None,
        into: t.IO[str] | None = None,
    ) -> str:
        """Run a command, which must succeed. Returns all that it printed, without what went ``into`` a file."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment if environment is None else dict(environment),
            stdin=stdin or subprocess.DEVNULL,
            stdout=into or subprocess.PIPE,
            stderr=subprocess.STDOUT if into is None else subprocess.PIPE,
            check=False,
            text=True,
            timeout=300,
        )
        shown = (done.stdout or "") + (done.stderr or "")
        assert done.returncode == 0, shown
        return shown

    def play(self, *tasks: Mapping[str, t.Any], hosts: Sequence[str] = ("localhost",), **play: t.Any) -> str:
        """Play tasks, on hosts that all are this machine; returns all that was printed at a high verbosity."""
        (self.folder / "hosts").write_text("".join(f"{host}\n" for host in hosts), encoding="utf-8")
        book = {"hosts": "all", "gather_facts": False, "connection": "local", **play, "tasks": list(tasks)}
        (self.folder / "book.json").write_text(json.dumps([book]), encoding="utf-8")
        return self.run("ansible-playbook", "-vvv", "-i", "hosts", "book.json")


@pytest.fixture
def stack() -> Stack:
    """The stack that runs."""
    return Stack.load(os.environ.get("VAULTFLEET_STACK_DIR", str(ROOT / ".stack")))


@pytest.fixture
def user(stack: Stack, tmp_path: Path) -> User:
    """A user with a folder of their own."""
    return User(stack, tmp_path)
