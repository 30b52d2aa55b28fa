# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where things are: the project, its dev folder, the user's cache."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
REQUIREMENTS = ROOT / "tests" / "requirements"
DEV = ROOT / ".dev"
COLLECTIONS = DEV / "collections"
COLLECTION = COLLECTIONS / "ansible_collections" / "vaultfleet" / "aws"
OUTPUT = ROOT / "tests" / "output"


class ToolError(Exception):
    """What a tool tells the user: what failed and what to do."""


def cache_dir() -> Path:
    """The project's folder below the user's cache folder, made if needed."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    path = Path(base) / "vaultfleet-aws"
    path.mkdir(parents=True, exist_ok=True)
    return path


def link_collection() -> None:
    """Show the project under the path by which Ansible and Python find collections."""
    relink(COLLECTION, ROOT)


def relink(link: Path, target: Path) -> None:
    """Point ``link`` at ``target``, in one step, so that a run beside this one never misses it."""
    if link.is_symlink() and link.readlink() == target:
        return
    link.parent.mkdir(parents=True, exist_ok=True)
    fresh = link.with_name(f".{link.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target)
    fresh.replace(link)
