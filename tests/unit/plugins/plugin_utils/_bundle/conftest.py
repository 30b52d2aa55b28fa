# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixtures: a cache of its own, and locks of two made up packages for two lines of Python."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.vaultfleet.aws.plugins.plugin_utils._bundle import pins
from ansible_collections.vaultfleet.aws.tests.unit.plugins.plugin_utils._bundle.wheelhouse import lock_text, wheel


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The user's cache folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def wheels(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder with the wheels of the locks that stand in for the real ones."""
    folder = tmp_path / "wheels"
    found = [wheel(folder, "half-one"), wheel(folder, "two", "2.0", {"two/data.json": b"{}"})]
    locks = tmp_path / "locks"
    locks.mkdir()
    for line in ("3.9", "3.11"):
        (locks / f"py{line}.txt").write_text(lock_text(*found), encoding="utf-8")
        more = lock_text(wheel(folder, "three"))
        (locks / f"templates-py{line}.txt").write_text(more, encoding="utf-8")
    monkeypatch.setattr(pins, "FOLDER", str(locks))
    return folder
