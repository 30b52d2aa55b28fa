# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixtures: a place in memory for the run's store, a Vault on loopback."""

from __future__ import annotations

import shutil
import tempfile
import typing as t
from pathlib import Path

import pytest

from ansible_collections.vaultfleet.aws.plugins.plugin_utils import _store
from ansible_collections.vaultfleet.aws.tests.unit.plugins.plugin_utils.fakes import FakeVault, fake_vault


@pytest.fixture(autouse=True)
def memory(monkeypatch: pytest.MonkeyPatch) -> t.Iterator[Path]:
    """A folder of this user's on a real tmpfs, which is XDG_RUNTIME_DIR."""
    folder = Path(tempfile.mkdtemp(dir="/dev/shm", prefix="vaultfleet-unit-"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def store(memory: Path) -> _store.Store:
    """The store of this run."""
    return _store.open_store()


@pytest.fixture
def vault() -> t.Iterator[FakeVault]:
    """A Vault on loopback."""
    with fake_vault() as fake:
        yield fake
