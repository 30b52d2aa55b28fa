# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Debian trees to boot, built once and then only read."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.stack.cache import digest

from . import building, packages
from .errors import FleetError
from .releases import Release, find_release

# What a host in the field has: an init, a Python, and the way in for Ansible. And libfaketime, for a wrong clock.
PACKAGES = "systemd,systemd-sysv,dbus,python3,openssh-server,sudo,acl,iproute2,ca-certificates,libfaketime"
OPTIONS = [
    "--mode=root",
    "--variant=minbase",
    f"--include={PACKAGES}",
    "--hook-dir=/usr/share/mmdebstrap/hooks/maybe-merged-usr",
    '--aptopt=APT::Install-Recommends "false"',
    "--dpkgopt=force-unsafe-io",
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
    "--dpkgopt=path-exclude=/usr/share/man/*",
]
# Timers that would use the network or the disk during tests; and the ssh server, because a host that shares the
# machine's network must not listen there.
MASKED = (
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "fstrim.timer",
    "ssh.service",
    "ssh.socket",
    "sshd-unix-local.socket",
)
HOSTS = "127.0.0.1 localhost\n::1 localhost\n"


def ensure_image(name: str) -> Path:
    """The tree of a release (``trixie``), built if it is not in the cache.

    Nothing may write to it: hosts get a layer of their own on top. Raises FleetError.
    """
    packages.ensure()
    release = find_release(name)
    recipe = digest(release.name, *OPTIONS, *_more(release), *MASKED, HOSTS)
    place = f"fleet-{release.name}-{recipe}"
    return building.kept(place, f"Debian {release.name}: building the tree", lambda folder: _build(release, folder))


def _build(release: Release, folder: Path) -> None:
    # In namespaces of its own, so that a build that is killed leaves neither processes nor mounts behind.
    alone = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    building.run(
        [*alone, "mmdebstrap", "--quiet", *OPTIONS, *_more(release), release.name, str(folder), _mirror()],
        f"Debian {release.name} could not be built (is the mirror in reach?)",
    )
    etc = folder / "etc"
    for unit in MASKED:
        (etc / "systemd" / "system" / unit).symlink_to("/dev/null")
    # mmdebstrap copies these two from the machine.
    (etc / "resolv.conf").unlink(missing_ok=True)
    (etc / "hostname").unlink(missing_ok=True)
    (etc / "hosts").write_text(HOSTS, encoding="utf-8")


def _more(release: Release) -> list[str]:
    return [f"--include={package}" for package in release.more]


def _mirror() -> str:
    """The address of the Debian archive that this machine's apt uses."""
    found = _archives()
    if not found:
        packages.update()  # the lists tell which archive is which
        found = _archives()
    if not found:
        raise FleetError("this machine's apt has no Debian archive to build from: add one to its sources")
    return found[0]


def _archives() -> list[str]:
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", "Label: Debian"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    return done.stdout.split()
