# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Secrets in files of one user alone; what is there already stays untouched, and what was others' to read does not."""

from __future__ import annotations

import types
import typing as t
from pathlib import Path

import pytest

from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.errors import SinkError
from ansible_collections.vaultfleet.aws.plugins.modules import vault_agent_secrets


def put(folder: Path, name: str, text: str, check: bool = False) -> bool:
    """What the module does with one secret."""
    module: t.Any = types.SimpleNamespace(params={"path": str(folder)}, check_mode=check)
    return vault_agent_secrets.put(module, name, text)


def test_written_once(tmp_path: Path) -> None:
    file = tmp_path / "nonce"
    assert put(tmp_path, "nonce", "one", check=True)
    assert not file.exists()
    assert put(tmp_path, "nonce", "one")
    assert (file.read_text(encoding="ascii"), file.stat().st_mode & 0o7777) == ("one", 0o600)
    number = file.stat().st_ino
    assert not put(tmp_path, "nonce", "one")
    assert file.stat().st_ino == number
    assert put(tmp_path, "nonce", "two")
    assert file.read_text(encoding="ascii") == "two"


def test_readable_by_others(tmp_path: Path) -> None:
    file = tmp_path / "nonce"
    file.write_text("one", encoding="ascii")
    file.chmod(0o644)
    assert put(tmp_path, "nonce", "one")
    assert file.stat().st_mode & 0o7777 == 0o600


def test_a_folder_that_check_mode_did_not_make(tmp_path: Path) -> None:
    assert put(tmp_path / "none", "nonce", "one", check=True)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/etc/x"])
def test_no_file_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(SinkError, match="is no file name"):
        put(tmp_path, name, "one")
