# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Debian packages that this machine needs to build and boot hosts."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tests.stack.cache import cache_root, locked

from .errors import FleetError
from .progress import step

# What is looked for, a program or a file, and the package that brings it.
NEEDED = {
    "systemd-nspawn": "systemd-container",
    "mmdebstrap": "mmdebstrap",
    "ip": "iproute2",
    "iptables": "iptables",
    "nft": "nftables",
    "nsenter": "util-linux",
    "setpriv": "util-linux",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "unshare": "util-linux",
    "/usr/share/keyrings/debian-archive-keyring.gpg": "debian-archive-keyring",
}


def ensure() -> None:
    """Install what is missing. Raises FleetError when not run by root, or when apt-get fails."""
    if os.geteuid() != 0:
        raise FleetError("booting hosts takes root's rights: run this as root")
    if not _missing():
        return
    with locked(cache_root() / "fleet-apt.lock"):
        packages = _missing()
        if packages:
            with step(f"installing {' '.join(packages)}"):
                update()
                _apt_get("install", "--yes", "--no-install-recommends", *packages)


def update() -> None:
    """Fetch the package lists. Raises FleetError."""
    _apt_get("update")


def _missing() -> list[str]:
    found = {package for what, package in NEEDED.items() if shutil.which(what) is None and not Path(what).is_file()}
    return sorted(found)


def _apt_get(*arguments: str) -> None:
    if shutil.which("apt-get") is None:
        raise FleetError("hosts are built from Debian packages, and this machine has no apt-get")
    done = subprocess.run(
        ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300", *arguments],
        check=False,
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode != 0:
        raise FleetError(
            f"apt-get {' '.join(arguments)} failed (is the Debian mirror in reach?):\n{done.stdout.strip()[-2000:]}"
        )
