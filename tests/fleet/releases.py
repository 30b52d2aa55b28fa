# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Debian releases that hosts can run."""

from __future__ import annotations

from dataclasses import dataclass

from .errors import FleetError


@dataclass(frozen=True)
class Release:
    """A release: its code name, its Python, and the lock of tests/requirements that fits that Python.

    more: Debian packages that hosts of this release alone have.
    """

    name: str
    python: str
    lock: str
    more: tuple[str, ...] = ()


RELEASES = {
    release.name: release
    for release in (
        Release("trixie", python="3.13", lock="core-2.21.txt", more=("git",)),  # systemd 257
        Release("bookworm", python="3.11", lock="core-2.19.txt"),  # systemd 252
        Release("bullseye", python="3.9", lock="target-3.9.txt"),  # systemd 247
    )
}


def find_release(name: str) -> Release:
    """The release with this code name. Raises FleetError for one that is not known."""
    if name not in RELEASES:
        raise FleetError(f"no host can be built from {name!r}: choose from {', '.join(RELEASES)}")
    return RELEASES[name]
