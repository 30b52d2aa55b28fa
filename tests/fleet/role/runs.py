# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs of the role, and what is to be read from them."""

from __future__ import annotations

import json
import re
import resource
import time
import typing as t
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.vaultfleet.aws.plugins.plugin_utils._bundle import build
from tests.fleet.fleet import Fleet
from tests.fleet.playbooks import PROJECT, Player
from tests.stack.handle import Stack

from .callbacks.executions import FILE

ROLE = "vaultfleet.aws.vault_agent"
EXAMPLE = PROJECT / "examples" / "fleet.yml"
EC2 = ("trixie", "bullseye")  # the hosts that log in by identity document; bookworm does by the role of its profile
SETTINGS = f"""[defaults]
connection_plugins = {Path(__file__).with_name("connections")}
callback_plugins = {Path(__file__).with_name("callbacks")}
callbacks_enabled = executions

[connection]
pipelining = true
"""
_RECAP = re.compile(r"^(\S+)\s+: ok=(\d+)\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)", re.MULTILINE)
_FATAL = re.compile(r"^fatal: \[(\S+)\]: \S+ => (\{.*\})$", re.MULTILINE)
_TASK = re.compile(r"^TASK \[(?:\S+ : )?(.*?)\] \**$")


@dataclass(frozen=True)
class Run:
    """A run that has ended.

    executed: the modules that it ran, by host. wall: seconds on the clock. processor: seconds that the processors of
    the controller worked for it, which are all that ansible-playbook and what it started used.
    """

    rc: int
    shown: str
    executed: t.Mapping[str, t.Sequence[str]]
    wall: float
    processor: float

    @property
    def changed(self) -> dict[str, list[str]]:
        """The tasks that changed something, or would, by host."""
        found: dict[str, list[str]] = {host: [] for host, *_numbers in _RECAP.findall(self.shown)}
        task = ""
        for line in self.shown.splitlines():
            if heading := _TASK.match(line):
                task = heading[1]
            elif line.startswith("changed: ["):
                host = line.partition("[")[2].partition("]")[0]
                if task not in found[host]:
                    found[host].append(task)
        counted = {host: int(changed) for host, _ok, changed, *_rest in _RECAP.findall(self.shown)}
        assert {host: len(tasks) for host, tasks in found.items()} == counted, self.shown
        return found

    @property
    def failed(self) -> dict[str, str]:
        """What each host failed with in the end."""
        words = {host: str(json.loads(result)["msg"]) for host, result in _FATAL.findall(self.shown)}
        return {host: words[host] for host, *_rest, failed in _RECAP.findall(self.shown) if failed != "0"}

    def judge_success(self) -> None:
        """No host failed."""
        assert self.rc == 0, self.shown


@dataclass(frozen=True)
class Runner:
    """Plays the role on ``fleet``, in a ``folder`` of its own."""

    fleet: Fleet
    folder: Path

    @property
    def player(self) -> Player:
        """What plays."""
        return Player(self.fleet, self.folder)

    def prepare(self, bundles: bool = True) -> None:
        """Write what a run finds in its folder; with ``bundles``, those that were built before."""
        (self.folder / "ansible.cfg").write_text(SETTINGS, encoding="utf-8")
        (self.folder / "groups.ini").write_text("[ec2]\n" + "".join(f"{host}\n" for host in EC2), encoding="utf-8")
        if not bundles:
            return
        # The home of a run is its folder: what it builds is to be found again by the next.
        cache = self.folder / ".cache" / "vaultfleet-aws" / "bundles"
        cache.parent.mkdir(parents=True)
        cache.symlink_to(Path(build.cache_folder()) / "bundles")

    def example(self, *arguments: str, **variables: t.Any) -> Run:
        """Play the example for fleets."""
        stack = self.fleet.stack.env
        given = {
            "vault_url": stack["VAULT_ADDR"],
            "vault_ca_cert": stack["VAULT_CACERT"],
            "vault_server_id": stack["STACK_HEADER_VALUE"],
            **variables,
        }
        groups = str(self.folder / "groups.ini")
        return self._run(str(EXAMPLE), "-i", groups, "-e", json.dumps(given), *arguments)

    def role(self, *arguments: str, play: t.Mapping[str, t.Any] | None = None, **variables: t.Any) -> Run:
        """Play the role alone, for an agent that logs in as instance profile; ``variables`` without their prefix.

        ``play`` are further keywords of the play, ``arguments`` of ansible-playbook.
        """
        return self.several([variables], *arguments, play=play)

    def several(
        self, wishes: t.Sequence[t.Mapping[str, t.Any]], *arguments: str, play: t.Mapping[str, t.Any] | None = None
    ) -> Run:
        """Play the role once for each of ``wishes``, which are variables as ``role`` takes them, in one play."""
        given = {
            "url": "{{ fleet_vault_url }}",
            "ca_cert": "{{ fleet_vault_ca_cert }}",
            "header_value": "{{ fleet_header_value }}",
            "role": "app",
        }
        roles = [
            {"role": ROLE, "vars": {f"vault_agent_{name}": value for name, value in {**given, **wish}.items()}}
            for wish in wishes
        ]
        return self._book({"roles": roles, **(play or {})}, *arguments)

    def remove(self, names: t.Sequence[str], *arguments: str, **variables: t.Any) -> Run:
        """Play the role so that it takes the agents ``names`` away."""
        task = {
            "ansible.builtin.include_role": {"name": ROLE},
            "vars": {"vault_agent_name": "{{ item }}", "vault_agent_state": "absent", **variables},
            "loop": list(names),
        }
        return self._book({"tasks": [task]}, *arguments)

    def book(self, book: Path, *arguments: str) -> Run:
        """Play a playbook as it is."""
        return self._run(str(book), *arguments)

    def _book(self, play: t.Mapping[str, t.Any], *arguments: str) -> Run:
        book = self.folder / "book.json"
        whole = {"hosts": "fleet", "become": True, "gather_facts": False, **play}
        book.write_text(json.dumps([whole]), encoding="utf-8")
        return self._run(str(book), *arguments)

    def _run(self, book: str, *arguments: str) -> Run:
        log = self.folder / FILE
        log.write_text("", encoding="utf-8")
        start, used = time.monotonic(), _used()
        done = self.player.run("playbook", book, *arguments)
        wall, processor = time.monotonic() - start, _used() - used
        executed: dict[str, list[str]] = {host: [] for host in self.fleet.members}
        for line in log.read_text(encoding="utf-8").splitlines():
            host, _space, module = line.partition(" ")
            executed.setdefault(host, []).append(module)
        return Run(done.returncode, done.stdout + done.stderr, executed, wall, processor)


def _used() -> float:
    """Seconds that processors worked for children of this process, of those that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def works(stack: Stack, token: str, namespace: str | None = None) -> bool:
    """Whether a token does what it is for."""
    path = stack.env["STACK_DEMO_SECRET_PATH"]
    return stack.vault.call("GET", path, token=token, namespace=namespace).status == 200
