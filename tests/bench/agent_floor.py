# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What our agent's memory is made of: bare processes with more and more of what it loads."""

from __future__ import annotations

import os
import subprocess
import sys

from .agents import PACKAGE, Agent

_AUTH = PACKAGE.replace("._agent", "._auth")
_RESIDENT = """
for line in open("/proc/self/status"):
    if line.startswith("VmRSS:"):
        print(line.split()[1])
"""
_LEAN = f"from {PACKAGE} import lean; lean.load()"
_STEPS = {
    "python": "",
    "and ssl": "import ssl",
    "and hvac, requests, urllib3, as the agent loads them": _LEAN,
    "and the agent's own modules": f"{_LEAN}; from {PACKAGE} import cli, config, publish, runner, store, systemd",
    "hvac, requests, urllib3 loaded whole": "import hvac, requests, urllib3",
    "the process that signs a login, with botocore": f"from {PACKAGE} import aws_process; from {_AUTH} import chain",
}


def measure(agent: Agent) -> dict[str, int]:
    """KiB resident of each, with its bytecode compiled before."""
    return {name: [_resident(code, agent) for _again in range(2)][-1] for name, code in _STEPS.items()}


def _resident(code: str, agent: Agent) -> int:
    command = [sys.executable, "-c", code + "\n" + _RESIDENT]
    return int(subprocess.check_output(command, env=dict(agent.environment), cwd=os.sep, text=True))
