# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixtures: the bundles of all lines of Python, built once and unpacked, and this machine's Python of each line."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from ansible_collections.vaultfleet.aws.plugins.plugin_utils._bundle import build, pins
from tests.tools.pythons import find_python

LINES = pins.lines()


@pytest.fixture(scope="session")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, build.Bundle]:
    """The bundle of each line. Only wheels come from the user's cache."""
    made, changed = build.bundles(build.Wish(tuple(LINES), str(tmp_path_factory.mktemp("bundles"))))
    assert changed
    return made


@pytest.fixture(scope="session")
def unpacked(bundles: dict[str, build.Bundle], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The folder of each bundle."""
    found = {}
    for line, bundle in bundles.items():
        place = tmp_path_factory.mktemp(f"py{line}-")
        with tarfile.open(bundle.path) as archive:
            archive.extractall(place, filter="data")
        found[line] = place / bundle.version
    return found


@pytest.fixture(params=LINES)
def line(request: pytest.FixtureRequest) -> str:
    """One line of Python after the other."""
    return str(request.param)


@pytest.fixture
def python(line: str) -> str:
    """This machine's interpreter of the line."""
    found = find_python(line)
    if found is None:
        pytest.skip(f"this machine has no Python {line}")
    return str(found.path)


@pytest.fixture
def folder(line: str, unpacked: dict[str, Path]) -> Path:
    """The bundle of the line."""
    return unpacked[line]
