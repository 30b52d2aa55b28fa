# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the integration tests of ansible-test run against: a stack, and a fleet where this machine can boot one."""

from __future__ import annotations

import configparser
import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.stack.handle import Stack
from tests.stack.layout import write_private

from . import commands
from .project import ROOT, ToolError


def can_boot() -> bool:
    """Whether this machine can boot hosts: root on Linux."""
    return sys.platform == "linux" and os.geteuid() == 0


@contextlib.contextmanager
def running_place(*, hosts: bool) -> Iterator[Path]:
    """A running stack, with a fleet if ``hosts`` (see ``can_boot``); yields the file with the tests' variables.

    It holds the keys of the stack's client. Raises ToolError if something does not start.
    """
    with tempfile.TemporaryDirectory(prefix="vaultfleet-integration-") as folder:
        home = Path(folder) / "place"
        command = [sys.executable, "-m", "tests.fleet" if hosts else "tests.stack"]
        try:
            if commands.run([*command, "up", "--dir", str(home)], ROOT, os.environ) != 0:
                raise ToolError("what the integration tests need did not start: see the lines above")
            stack = Stack.load(home / "stack" if hosts else home)
            settings = Path(folder) / "integration_config.json"
            variables = {**_variables(stack), "stack_fleet": str(home / "hosts" / "inventory.ini") if hosts else ""}
            write_private(settings, json.dumps(variables))
            yield settings
        finally:
            with commands.uninterrupted():
                commands.run([*command, "down", "--dir", str(home)], ROOT, os.environ)


def _variables(stack: Stack) -> dict[str, str]:
    profiles = configparser.RawConfigParser()
    profiles.read(stack.env["AWS_SHARED_CREDENTIALS_FILE"])
    return {
        "stack_url": stack.env["VAULT_ADDR"],
        "stack_ca_cert": stack.env["VAULT_CACERT"],
        "stack_header_value": stack.env["STACK_HEADER_VALUE"],
        "stack_access_key": profiles["default"]["aws_access_key_id"],
        "stack_secret_key": profiles["default"]["aws_secret_access_key"],
        "stack_metadata": stack.env["AWS_EC2_METADATA_SERVICE_ENDPOINT"],
        "stack_secret_path": stack.env["STACK_DEMO_SECRET_PATH"],
    }
