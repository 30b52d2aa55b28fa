# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Take the stack down, and tell how it is. Standard library only."""

from __future__ import annotations

import shutil

from .errors import StackError
from .layout import Layout
from .processes import Process, recorded, running, stop
from .vault import Vault, health
from .wire import call

SERVERS = ("aws", "imds", "vault")
# Says that the directory is a stack's, so that no other directory is ever emptied.
MARK = ".vaultfleet-stack"


def read_env(lay: Layout) -> dict[str, str]:
    """The env file as a dict. Raises StackError where there is none."""
    try:
        lines = lay.env.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise StackError(
            f"no stack in {lay.root}; start one with: python3 -m tests.stack up --dir {lay.root}"
        ) from None
    return dict(line.split("=", 1) for line in lines)


def states(lay: Layout) -> dict[str, tuple[Process | None, bool]]:
    """For every server its record, if any, and whether it runs."""
    known = {process.name: process for process in recorded(lay.run)} if lay.run.is_dir() else {}
    return {name: (known.get(name), name in known and running(known[name])) for name in SERVERS}


def healthy(lay: Layout) -> bool:
    """Whether every server runs and answers, and Vault is unsealed."""
    if not lay.env.exists() or not all(alive for _process, alive in states(lay).values()):
        return False
    env = read_env(lay)
    try:
        call(f"{env['STACK_AWS_ENDPOINT']}/control/state", "POST", {}, timeout=5)
        call(f"{env['AWS_EC2_METADATA_SERVICE_ENDPOINT']}/control/set", "POST", {}, timeout=5)
    except (OSError, StackError):
        return False
    return health(Vault(env["VAULT_ADDR"], env["VAULT_CACERT"])) == 200


def stop_servers(lay: Layout, patience: float = 5.0) -> list[str]:
    """Stop every server that was recorded, and all that it started; returns the names of those that ran.

    Each has ``patience`` seconds to end by itself.
    """
    # First of all: nobody may take a stack that is going down for a ready one.
    lay.env.unlink(missing_ok=True)
    stopped = []
    for process in recorded(lay.run) if lay.run.is_dir() else []:
        if running(process):
            stopped.append(process.name)
        stop(lay.run, process, patience)
    return stopped


def clear(lay: Layout, logs: bool) -> None:
    """Remove the stack's files; the logs only if ``logs``. Raises StackError for a directory that is not a stack's."""
    if not lay.root.exists():
        return
    if not (lay.root / MARK).exists():
        if any(path != lay.lock for path in lay.root.iterdir()):
            raise StackError(f"{lay.root} holds files that are not a stack's; choose another --dir")
        return
    for folder in lay.folders()[1:]:
        if folder != lay.log or logs:
            shutil.rmtree(folder, ignore_errors=True)


def make_folders(lay: Layout) -> None:
    """Make the empty folders of a stack, for the owner only."""
    for folder in lay.folders():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
    (lay.root / MARK).touch()
