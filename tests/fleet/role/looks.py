# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What there is on a host, seen by its root."""

from __future__ import annotations

import json
import time
import typing as t
from dataclasses import dataclass

from tests.fleet import library
from tests.fleet.fleet import Fleet
from tests.fleet.host import Host

# What else changes there in a minute: caches, backups of the user database, the state of systemd and sudo; and what
# hosts are shown of this project, whose files somebody may be editing.
_PASSING = [
    "*/__pycache__",
    "*/.ansible",
    "*/.sudo_as_admin_successful",
    "/etc/*-",
    "/etc/.pwd.lock",
    "/var/lib/systemd",
    "/var/lib/sudo",
    library.BASE,
]
_PLACES = ["/etc", "/opt", "/usr", "/home", "/root", "/srv", "/var/lib", "/var/spool", "/var/mail"]


@dataclass(frozen=True)
class Agent:
    """An agent as it runs. version: of the bundle that it is to run from."""

    pid: int
    token: str
    version: str


def agents(fleet: Fleet, name: str = "vault-agent") -> dict[str, Agent]:
    """The agent of each host."""
    return {member: agent(fleet.host(member), name) for member in fleet.members}


def agent(host: Host, name: str = "vault-agent") -> Agent:
    """The agent ``name``, which must run and have a token."""
    pid = int(host.run(["systemctl", "show", "--property=MainPID", "--value", name]).stdout)
    assert pid, host.run(["systemctl", "status", "--full", name], check=False).stdout
    version = host.run(["readlink", f"/opt/vaultfleet-agent/{name}"]).stdout.strip()
    return Agent(pid, host.read(f"/run/{name}/token"), version)


def status(host: Host, name: str = "vault-agent") -> dict[str, t.Any]:
    """What the agent ``name`` last told of itself; {} if it has not yet."""
    return dict(json.loads(host.run(["cat", f"/run/{name}/status.json"], check=False).stdout or "{}"))


def config(host: Host, name: str = "vault-agent") -> dict[str, t.Any]:
    """The configuration of the agent ``name``."""
    return dict(json.loads(host.read(f"/etc/vault-agent/{name}.json")))


def next_token(host: Host, old: str, name: str = "vault-agent") -> str:
    """Wait for a token in the sink of the agent ``name`` other than ``old``, which may be "" for none."""
    path = f"/run/{name}/token"
    until(lambda: host.run(["cat", path], check=False).stdout not in ("", old), f"no new token in {path}")
    return host.read(path)


def files(host: Host) -> dict[str, str]:
    """Everything on its disk that stays, by path: kind, mode, owner, group; for files, size and time, too."""
    passing = " -o ".join(f"-path '{pattern}'" for pattern in _PASSING)
    kinds = r"-type f -printf '%p|%y %m %U %G %s %T@\n' -o -printf '%p|%y %m %U %G\n'"
    listed = host.run(["sh", "-c", f"find {' '.join(_PLACES)} \\( {passing} \\) -prune -o {kinds}"]).stdout
    return dict(line.rsplit("|", 1) for line in listed.splitlines())


def traces(host: Host) -> dict[str, set[str]]:
    """What an agent could leave behind: paths, users, groups, and units that systemd knows."""
    units = host.run(["systemctl", "list-units", "--all", "--full", "--plain", "--no-legend", "--type=service"]).stdout
    return {
        "paths": {*files(host), *host.run(["find", "/run", "-maxdepth", "1", "-type", "d"]).stdout.splitlines()},
        "users": set(host.read("/etc/passwd").splitlines()),
        "groups": set(host.read("/etc/group").splitlines()),
        "units": {line.split()[0] for line in units.splitlines() if "ansible" not in line},
    }


def until(condition: t.Callable[[], object], failure: str, seconds: float = 120.0) -> None:
    """Wait until ``condition`` is true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, failure
        time.sleep(0.5)
