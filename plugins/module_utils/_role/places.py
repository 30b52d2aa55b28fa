# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where an agent's files are on a host."""

from __future__ import annotations

import os

CONFIGS = "/etc/vault-agent"
BUNDLES = "/opt/vaultfleet-agent"
UNITS = "/etc/systemd/system"
SENT = ".archive-"  # begins the name of an archive that is to be unpacked
ARCHIVE = "ARCHIVE"  # file in an unpacked bundle with the SHA-256 of the archive that it came from
MARK = "vaultfleet.aws"  # in the unit, and in the comment of the user, of each agent that the role put there


def config(name: str) -> str:
    """The agent's configuration."""
    return f"{CONFIGS}/{name}.json"


def credentials(name: str) -> str:
    """The folder of what the unit loads as credentials."""
    return f"{CONFIGS}/{name}.credentials"


def link(name: str) -> str:
    """The symbolic link to the bundle that the agent runs from."""
    return f"{BUNDLES}/{name}"


def unit(name: str) -> str:
    """The agent's unit."""
    return f"{UNITS}/{name}.service"


def wanted(name: str) -> str:
    """The link by which the unit is enabled."""
    return f"{UNITS}/multi-user.target.wants/{name}.service"


def kinds(name: str) -> dict[str, str]:
    """What each path that the role writes, and that may be there, has to be: file, folder or symbolic link."""
    found = {config(name): "file", unit(name): "file", credentials(name): "folder"}
    found.update(dict.fromkeys((link(name), wanted(name)), "symbolic link"))
    for one in reloads(name):
        found.update({f"{UNITS}/{one}.path": "file", f"{UNITS}/{one}.service": "file"})
        found[f"{UNITS}/multi-user.target.wants/{one}.path"] = "symbolic link"
    for folder, begin in ((BUNDLES, SENT), (credentials(name), "")):
        names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
        found.update((f"{folder}/{one}", "file") for one in names if one.startswith(begin))
    return found


def reloads(name: str) -> list[str]:
    """The units, without their ending, that reload others when a file of the agent changes."""
    names = os.listdir(UNITS) if os.path.isdir(UNITS) else []
    return sorted({one.rpartition(".")[0] for one in names if one.startswith(f"{name}.changed-")})


def current(name: str) -> str | None:
    """The version that the agent runs from, or None."""
    try:
        return os.path.basename(os.readlink(link(name)))
    except OSError:
        return None
