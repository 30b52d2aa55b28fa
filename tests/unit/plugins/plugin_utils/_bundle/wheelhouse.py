# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Wheels and locks made for tests: small, but such as pip takes."""

from __future__ import annotations

import hashlib
import typing as t
import zipfile
from pathlib import Path

from ansible_collections.vaultfleet.aws.plugins.plugin_utils._bundle.pins import Pin


def wheel(folder: Path, name: str, version: str = "1.0", files: t.Mapping[str, bytes] | None = None) -> Pin:
    """Put a wheel of that package into the folder; the pin for it."""
    folder.mkdir(exist_ok=True)
    project = name.replace("-", "_")
    path = folder / f"{project}-{version}-py3-none-any.whl"
    about = f"{project}-{version}.dist-info"
    members = {
        f"{project}/__init__.py": b"",
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nLicense: MIT\n".encode(),
        f"{about}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{about}/RECORD": b"",
        f"{about}/LICENSE": b"do what you want",
        **(files or {}),
    }
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    return pin(path, name, version)


def pin(path: Path, name: str, version: str = "1.0") -> Pin:
    """The pin for a file."""
    return Pin(name, version, hashlib.sha256(path.read_bytes()).hexdigest())


def lock_text(*pins: Pin) -> str:
    """A lock, as the tool writes it."""
    return "# a lock\n" + "".join(f"{one.name}=={one.version} \\\n    --hash=sha256:{one.sha256}\n" for one in pins)
