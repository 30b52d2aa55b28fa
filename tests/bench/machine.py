# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the numbers were measured on, and with."""

from __future__ import annotations

import json
import os
import platform
import sysconfig
from importlib.metadata import version
from pathlib import Path

PEER_MANIFEST = "ansible_collections/community/hashi_vault/MANIFEST.json"


def describe() -> dict[str, str]:
    """Machine and versions, as words."""
    manifest = json.loads((Path(sysconfig.get_path("purelib")) / PEER_MANIFEST).read_text(encoding="utf-8"))
    packages = ("ansible-core", "hvac", "botocore", "requests", "urllib3")
    return {
        "machine": f"{os.cpu_count()} x {_processor()}, load {os.getloadavg()[0]:.1f}",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "community.hashi_vault": manifest["collection_info"]["version"],
        **{name: version(name) for name in packages},
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
