# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plays playbooks that use the lookup, as a user does: settings from the environment, no ansible.cfg."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
import time
import typing as t
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.live.playbooks import PROJECT
from tests.stack.handle import Stack

Task = dict[str, t.Any]
NAME = "vaultfleet.aws.vault_aws_token"
CALLBACK = "vaultfleet.aws.vault_aws_tokens"
TOKEN = f"lookup('{NAME}', role='web')"
_SEEN = re.compile(r"seen (\w+) ([0-9a-f]{64})")
_LINE = re.compile(r"^vault_aws_tokens: (\d+) logins, (\d+) hits, (\d+) renewals, (\d+) revoked, \d+\.\d\d s$", re.M)


def see(name: str, expression: str = TOKEN, **keywords: t.Any) -> Task:
    """A task that shows the hash of a token; ``name`` tells it apart from other ones."""
    return {
        "name": f"See {name}",
        "ansible.builtin.debug": {"msg": f"seen {name} {{{{ ({expression}) | ansible.builtin.hash('sha256') }}}}"},
        **keywords,
    }


def keep(path: Path, expression: str = TOKEN) -> Task:
    """A task that writes a token to a file, for the test to try it."""
    return {
        "name": "Keep the token",
        "ansible.builtin.copy": {"content": f"{{{{ {expression} }}}}", "dest": str(path), "mode": "0600"},
        "no_log": True,
        "run_once": True,
    }


def meet(folder: Path, name: str) -> Task:
    """A task that tells the test that the play is here, and waits until it may go on."""
    wait = f"touch {folder}/{name}.here; while ! test -e {folder}/{name}.go; do sleep 0.05; done"
    return {"name": f"Meet {name}", "ansible.builtin.shell": wait, "run_once": True, "changed_when": False}


def play(*tasks: Task, **keywords: t.Any) -> dict[str, t.Any]:
    """A play on all hosts, which are this machine."""
    return {"hosts": "all", "gather_facts": False, "tasks": list(tasks), **keywords}


@dataclasses.dataclass(frozen=True)
class Ended:
    """A run that is over. shown: all that it printed. seconds: how long it took."""

    rc: int
    shown: str
    seconds: float

    def tokens(self, name: str | None = None) -> list[str]:
        """The hashes that tasks of ``see`` showed, in order; all, or of one name."""
        return [found for whose, found in _SEEN.findall(self.shown) if name in (None, whose)]

    @property
    def numbers(self) -> tuple[int, int, int, int]:
        """The callback's only line: logins, hits, renewals, revocations."""
        [line] = _LINE.findall(self.shown)
        assert self.shown.count("vault_aws_tokens: ") - self.shown.count("]: vault_aws_tokens: ") == 1
        logins, hits, renewals, revoked = map(int, line)
        return logins, hits, renewals, revoked


@dataclasses.dataclass(frozen=True)
class Running:
    """A run that goes on."""

    process: subprocess.Popen[str]
    folder: Path
    started: float

    def reached(self, name: str) -> None:
        """Wait until it is at ``meet(name)``."""
        give_up = time.monotonic() + 120
        while not (self.folder / f"{name}.here").exists():
            assert self.process.poll() is None, self.end().shown
            assert time.monotonic() < give_up
            time.sleep(0.02)

    def go(self, name: str) -> None:
        """Let it go on."""
        (self.folder / f"{name}.go").touch()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to its process group, as a terminal does."""
        os.killpg(self.process.pid, number)

    def end(self) -> Ended:
        """Wait for its end."""
        shown, _nothing = self.process.communicate(timeout=240)
        return Ended(self.process.returncode, shown, time.monotonic() - self.started)


@dataclasses.dataclass(frozen=True)
class Runs:
    """Starts runs. memory: the XDG_RUNTIME_DIR of all of them."""

    stack: Stack
    folder: Path
    memory: Path

    @property
    def stores(self) -> list[Path]:
        """The folders of runs that are there."""
        return sorted(self.memory.glob("vaultfleet-aws-*/run-*"))

    def release(self) -> None:
        """Let everybody go on who waits: what a killed play was running has nobody else who ends it."""
        for here in self.folder.glob("*.here"):
            here.with_suffix(".go").touch()

    def environment(self, callback: bool = False) -> dict[str, str]:
        """What a user sets, and what keeps this machine's settings out."""
        env = self.stack.env
        return {
            **os.environ,
            "VAULT_ADDR": env["VAULT_ADDR"],
            "VAULT_CACERT": env["VAULT_CACERT"],
            "VAULTFLEET_AWS_HEADER_VALUE": env["STACK_HEADER_VALUE"],
            "AWS_SHARED_CREDENTIALS_FILE": env["AWS_SHARED_CREDENTIALS_FILE"],
            "XDG_RUNTIME_DIR": str(self.memory),
            "ANSIBLE_COLLECTIONS_PATH": str(PROJECT / ".dev" / "collections"),
            "ANSIBLE_HOME": str(self.folder / "ansible-home"),
            "ANSIBLE_NOCOLOR": "1",
            **({"ANSIBLE_CALLBACKS_ENABLED": CALLBACK} if callback else {}),
        }

    def command(self, *plays: Mapping[str, t.Any], hosts: int = 1, name: str = "play") -> list[str]:
        """The command that plays them on so many hosts."""
        book = self.folder / f"{name}.json"
        book.write_text(json.dumps(plays), encoding="utf-8")
        # Where a task runs in the background, Ansible looks for ~ in two ways.
        line = f"ansible_connection=local ansible_python_interpreter={sys.executable}"
        line += f" ansible_async_dir={self.folder}/async"
        inventory = self.folder / f"{name}.ini"
        inventory.write_text("".join(f"h{number} {line}\n" for number in range(hosts)), encoding="utf-8")
        return [sys.executable, "-m", "ansible", "playbook", "-i", str(inventory), str(book)]

    def start(
        self,
        *plays: Mapping[str, t.Any],
        hosts: int = 1,
        callback: bool = False,
        arguments: Sequence[str] = (),
        variables: Mapping[str, str] | None = None,
        wrapper: Sequence[str] = (),
        name: str = "play",
    ) -> Running:
        """Start a run. variables: of the environment. wrapper: the beginning of the command line."""
        process = subprocess.Popen(
            [*wrapper, *self.command(*plays, hosts=hosts, name=name), *arguments],
            env={**self.environment(callback), **(variables or {})},
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        return Running(process, self.folder, time.monotonic())

    def run(self, *plays: Mapping[str, t.Any], fails: bool = False, **how: t.Any) -> Ended:
        """A run, to its end."""
        ended = self.start(*plays, **how).end()
        assert (ended.rc != 0) is fails, ended.shown
        assert "Traceback" not in ended.shown, ended.shown
        return ended

    def lives(self, token: str) -> bool:
        """Whether the server knows the token."""
        answer = self.stack.vault.call("GET", "auth/token/lookup-self", None, token)
        assert answer.status in (200, 403), answer
        return answer.status == 200
