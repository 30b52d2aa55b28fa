# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where an agent's files are on a host."""

from __future__ import annotations

import os

CONFIGS = "/etc/vault-agent"
BUNDLES = "/opt/vaultfleet-agent"
UNITS = "/etc/systemd/system"
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
