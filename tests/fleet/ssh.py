# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real ssh into hosts: a key of the fleet's own, a user with sudo on each host, and host keys that are known."""

from __future__ import annotations

import subprocess
import typing as t
from pathlib import Path

from .errors import FleetError
from .host import Host

USER = "admin"  # as on Debian's images for EC2
PORT = 22
# New host keys, as those of the image are the same for all hosts; and the server, which the image has masked.
SETUP = """
name=$(uname -n)
echo "127.0.1.1 $name" >>/etc/hosts
useradd --create-home --shell /bin/bash "$1"
install -d -m 700 -o "$1" -g "$1" "/home/$1/.ssh"
install -m 600 -o "$1" -g "$1" /dev/stdin "/home/$1/.ssh/authorized_keys"
echo "$1 ALL=(ALL) NOPASSWD: ALL" | install -m 440 /dev/stdin "/etc/sudoers.d/$1"
rm -f /etc/ssh/ssh_host_*
ssh-keygen -q -t ed25519 -N '' -C "$name" -f /etc/ssh/ssh_host_ed25519_key
rm /etc/systemd/system/ssh.service
systemctl daemon-reload
systemctl start ssh
cut -d ' ' -f 1,2 /etc/ssh/ssh_host_ed25519_key.pub
"""


class Access(t.NamedTuple):
    """The files with which to go in: the user's key, the keys of known hosts, and a configuration for people."""

    key: Path
    known_hosts: Path
    config: Path


def new_key(folder: Path) -> Access:
    """Make the fleet's own key in ``folder``; no host is known yet. Raises FleetError."""
    access = Access(folder / "ssh-key", folder / "known-hosts", folder / "ssh-config")
    _run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "fleet", "-f", str(access.key)])
    return access


def let_in(host: Host, access: Access) -> str:
    """Make the user on the host and start the server there; the host's public key. Raises FleetError."""
    public = access.key.with_suffix(".pub").read_text(encoding="ascii")
    return host.run(["sh", "-euc", SETUP, "sh", USER], input=public).stdout.strip()


def write_known(access: Access, hosts: t.Mapping[str, tuple[int, str]]) -> None:
    """Write down the hosts: name -> port of this machine's 127.0.0.1, and public key."""
    access.known_hosts.write_text(
        "".join(f"[127.0.0.1]:{port} {key}\n" for port, key in hosts.values()), encoding="ascii"
    )
    ports = "".join(f"Host {name}\n    Port {port}\n" for name, (port, _key) in hosts.items())
    # Nothing of whoever runs this: neither settings nor keys nor an agent. And no strangers.
    options = {
        "HostName": "127.0.0.1",
        "User": USER,
        "IdentityFile": f'"{access.key}"',
        "IdentitiesOnly": "yes",
        "IdentityAgent": "none",
        "UserKnownHostsFile": f'"{access.known_hosts}"',
        "GlobalKnownHostsFile": "none",
        "StrictHostKeyChecking": "yes",
    }
    rest = "".join(f"    {option} {value}\n" for option, value in options.items())
    access.config.write_text(f"{ports}Host *\n{rest}", encoding="utf-8")


def _run(command: list[str]) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise FleetError(f"{' '.join(command)} failed: {done.stderr.strip()}")
