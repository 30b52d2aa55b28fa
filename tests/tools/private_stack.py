# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A stack for one run of a tool: in a temporary folder, stopped and removed whatever happens."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.stack.handle import Stack

from . import commands
from .project import ROOT, ToolError

# What steers the AWS SDK, the clients of Vault, Ansible, or the way to a server.
_FOREIGN = ("AWS_", "VAULT_", "BAO_", "VAULTFLEET_AWS_", "ANSIBLE_")
_PROXIES = ("http_proxy", "https_proxy", "no_proxy", "all_proxy")


@contextlib.contextmanager
def private_stack(prefix: str) -> Iterator[tuple[Stack, Path]]:
    """A running stack, and a temporary folder that the caller may fill. Raises ToolError if it does not start."""
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    home = folder / "stack"
    command = [sys.executable, "-m", "tests.stack"]
    try:
        if commands.run([*command, "up", "--dir", str(home)], ROOT, os.environ) != 0:
            raise ToolError("the stack did not start: see the lines above")
        yield Stack.load(home), folder
    finally:
        with commands.uninterrupted():
            commands.run([*command, "down", "--dir", str(home)], ROOT, os.environ)
            shutil.rmtree(folder, ignore_errors=True)


def clean_environment(home: Path) -> dict[str, str]:
    """Our environment without the user's settings and credentials; what programs keep in HOME goes to ``home``."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_FOREIGN) and name.lower() not in _PROXIES
    }
    home.mkdir(exist_ok=True)
    configuration = home / "ansible.cfg"
    configuration.touch()
    return {**kept, "HOME": str(home), "ANSIBLE_CONFIG": str(configuration)}
