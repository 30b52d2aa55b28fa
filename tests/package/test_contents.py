# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is in the tarball: all that users need, and nothing else."""

from __future__ import annotations

import re
import tarfile
from pathlib import Path

import pytest

TOP = {
    "CHANGELOG.rst",
    "FILES.json",
    "LICENSE",
    "LICENSES",
    "MANIFEST.json",
    "README.md",
    "examples",
    "meta",
    "plugins",
    "requirements.txt",
    "roles",
}
SPEAKING = {"examples", "meta", "plugins", "roles"}
# What there is from the first release, or the first guide, on.
LATER = {"changelogs", "docs"}
LICENCE = b"GPL-3.0-or-later"
LARGEST = 1_000_000  # bytes: what nobody minds to fetch for each run of a pipeline


@pytest.fixture(scope="module")
def files(tarball: Path) -> list[str]:
    """The names of all files."""
    with tarfile.open(tarball) as archive:
        return [member.name for member in archive if member.isfile()]


def test_top(files: list[str]) -> None:
    assert {name.partition("/")[0] for name in files} - LATER == TOP


def test_no_tools(files: list[str]) -> None:
    """Neither tests, nor what belongs to the repository, nor what runs leave in a work tree."""
    unwanted = re.compile(r"(^|/)(\.|tests/|__pycache__)|\.(pyc|retry|gz|whl|log)$|^changelogs/(?!changelog\.yaml$)")
    assert [name for name in files if unwanted.search(name)] == []


def test_licence_of_each(tarball: Path) -> None:
    """Each text says its licence, wherever it is copied to; some formats know no comment."""
    silent = []
    with tarfile.open(tarball) as archive:
        for member in archive:
            said = archive.extractfile(member)
            if member.name.partition("/")[0] not in SPEAKING or member.name.endswith(".json") or said is None:
                continue
            if LICENCE not in said.read():
                silent.append(member.name)
    assert silent == []


def test_size(tarball: Path) -> None:
    assert tarball.stat().st_size < LARGEST
