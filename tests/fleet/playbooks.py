# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs playbooks on a fleet as a user does: by ssh, with the inventory, and with nothing of this machine's settings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t
from dataclasses import dataclass
from pathlib import Path

from .fleet import Fleet

PROJECT = Path(__file__).parents[2]
Json = dict[str, t.Any]


@dataclass(frozen=True)
class Played:
    """A run that has ended. results: what each host's tasks registered, by host and name."""

    rc: int
    stdout: str
    stderr: str
    results: t.Mapping[str, Json]

    @property
    def shown(self) -> str:
        """All that was printed."""
        return self.stdout + self.stderr


@dataclass(frozen=True)
class Player:
    """Runs playbooks on the hosts of ``fleet``; ``folder`` is for what a run needs and leaves."""

    fleet: Fleet
    folder: Path

    def play(
        self,
        *tasks: Json,
        play: t.Mapping[str, t.Any] | None = None,
        arguments: t.Sequence[str] = (),
        timeout: float = 300.0,
    ) -> Played:
        """Run ``tasks`` on all hosts; what they register comes back from each host that gets to the end.

        ``play`` are further keywords of the play, ``arguments`` of ansible-playbook.
        """
        names = [task["register"] for task in tasks if "register" in task]
        kept = "{{ " + "{" + ", ".join(f"'{name}': {name} | default(none)" for name in names) + "} | to_json }}"
        keep = {
            "name": "Keep what was registered",
            "ansible.builtin.copy": {
                "content": kept,
                "dest": str(self.folder / "kept-{{ inventory_hostname }}"),
                "mode": "0600",
            },
            "delegate_to": "localhost",
            "vars": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable},
            "become": False,
            "no_log": True,
            "check_mode": False,
        }
        book = {"hosts": "fleet", "gather_facts": False, "tasks": [*tasks, keep], **(play or {})}
        playbook = self.folder / "play.json"
        playbook.write_text(json.dumps([book]), encoding="utf-8")
        for old in self.folder.glob("kept-*"):
            old.unlink()
        done = self.run("playbook", str(playbook), *arguments, timeout=timeout)
        results = {
            path.name.partition("-")[2]: json.loads(path.read_text(encoding="utf-8"))
            for path in self.folder.glob("kept-*")
        }
        return Played(done.returncode, done.stdout, done.stderr, results)

    def run(self, program: str, *arguments: str, timeout: float = 300.0) -> subprocess.CompletedProcess[str]:
        """Run a program of Ansible (``playbook``: ansible-playbook) with the fleet's inventory."""
        return subprocess.run(
            [sys.executable, "-m", "ansible", program, "-i", str(self.fleet.inventory), *arguments],
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.folder),
                "LANG": "C.UTF-8",
                "ANSIBLE_COLLECTIONS_PATH": str(PROJECT / ".dev" / "collections"),
                "ANSIBLE_HOME": str(self.folder / "ansible-home"),
                "ANSIBLE_NOCOLOR": "1",
            },
            cwd=self.folder,
            capture_output=True,
            check=False,
            text=True,
            timeout=timeout,
        )
