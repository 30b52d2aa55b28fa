# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bundles of other versions of the agent, made from the one of this tree."""

from __future__ import annotations

import hashlib
import io
import tarfile
import typing as t
from pathlib import Path

from ansible_collections.vaultfleet.aws.plugins.plugin_utils._bundle import build

PROGRAM = "bin/vaultfleet-agent"
PYTHONS = {"trixie": "3.13", "bookworm": "3.11", "bullseye": "3.9"}  # of the releases


def current() -> dict[str, build.Bundle]:
    """The bundle of this tree for each release; built if need be, with this process's access to the index."""
    wish = build.Wish(tuple(PYTHONS.values()), str(Path(build.cache_folder()) / "bundles"), None, dry=False)
    built, _changed = build.bundles(wish)
    return {release: built[python] for release, python in PYTHONS.items()}


def variables(folder: Path, version: str, program: t.Callable[[bytes], bytes]) -> dict[str, t.Any]:
    """What the role is to be given for bundles called ``version``, whose program ``program`` makes of the real one."""
    made = {}
    for release, bundle in current().items():
        path = folder / f"{version}-{release}.tar.gz"
        _alter(Path(bundle.path), path, version, program)
        made[release] = {"src": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    return {
        "made": made,
        "vault_agent_bundle_src": "{{ made[fleet_release].src }}",
        "vault_agent_bundle_sha256": "{{ made[fleet_release].sha256 }}",
    }


def _alter(source: Path, target: Path, version: str, program: t.Callable[[bytes], bytes]) -> None:
    altered = False
    with tarfile.open(source) as old, tarfile.open(target, "w:gz", compresslevel=1) as new:
        for member in old:
            file = old.extractfile(member)
            data = file.read() if file else b""
            rest = member.name.partition("/")[2]
            if rest == PROGRAM:
                data, altered = program(data), True
            member.name = f"{version}/{rest}".rstrip("/")
            member.size = len(data)
            new.addfile(member, io.BytesIO(data))
    assert altered, f"no {PROGRAM} in {source.name}"
