# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Wheels from a folder, and through the real pip from an index that is a folder, or that is not there."""

from __future__ import annotations

import os
import shutil
import sys
import typing as t
from pathlib import Path

import pytest

from ansible_collections.vaultfleet.aws.plugins.plugin_utils._bundle import pins
from ansible_collections.vaultfleet.aws.plugins.plugin_utils._bundle.errors import BundleError
from ansible_collections.vaultfleet.aws.plugins.plugin_utils._bundle.wheels import from_index, from_wheelhouse
from ansible_collections.vaultfleet.aws.tests.unit.plugins.plugin_utils._bundle.wheelhouse import wheel
from ansible_collections.vaultfleet.aws.tests.unit.support.web import closed_port


@pytest.fixture
def lock(wheels: Path) -> pins.Lock:
    """The lock of two made up packages."""
    return pins.read("3.9")


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch, wheels: Path) -> Path:
    """The folder that pip takes for the index."""
    for name in list(os.environ):
        if name.startswith("PIP_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    return wheels


def names(found: t.Mapping[pins.Pin, str]) -> dict[str, str]:
    """Package and file name."""
    return {str(pin): Path(path).name for pin, path in found.items()}


def test_wheelhouse(lock: pins.Lock, wheels: Path) -> None:
    """Found by name, version and hash, whatever else is there."""
    wheel(wheels, "two", "2.1")
    shutil.copy(wheels / "two-2.1-py3-none-any.whl", wheels / "two-2.0-py2.py3-none-any.whl")
    (wheels / "README").touch()
    assert names(from_wheelhouse(lock, str(wheels))) == {
        "half-one 1.0": "half_one-1.0-py3-none-any.whl",
        "two 2.0": "two-2.0-py3-none-any.whl",
    }


def test_wheelhouse_lacks_wheels(lock: pins.Lock, wheels: Path) -> None:
    """All that are missing are named, with a command that fetches them."""
    for path in wheels.iterdir():
        path.unlink()
    (wheels / "two-2.0-cp39-cp39-linux_x86_64.whl").touch()
    with pytest.raises(
        BundleError, match=r"^wheelhouse: .* lacks .* half-one 1\.0, two 2\.0 -- .*pip download"
    ) as caught:
        from_wheelhouse(lock, str(wheels))
    assert f"--python-version 3.9 --dest {wheels} --requirement {lock.path}" in str(caught.value)


def test_wheelhouse_has_another_wheel(lock: pins.Lock, wheels: Path) -> None:
    wheel(wheels, "two", "2.0", {"two/evil.py": b""})
    with pytest.raises(
        BundleError, match=r"^wheelhouse: the hash in the lock is not that of the wheel of two 2\.0 -- "
    ):
        from_wheelhouse(lock, str(wheels))


def test_wheelhouse_cannot_be_read(lock: pins.Lock, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"^wheelhouse: .*nowhere cannot be read: No such file"):
        from_wheelhouse(lock, str(tmp_path / "nowhere"))


def test_index_then_cache(monkeypatch: pytest.MonkeyPatch, lock: pins.Lock, index: Path, cache: Path) -> None:
    """Fetched once; afterwards there is neither an index nor pip to ask. A damaged wheel is fetched again."""
    first = from_index(lock, str(cache))
    assert all(Path(path).read_bytes() for path in first.values())
    assert sorted(path.name for path in cache.iterdir()) == sorted(
        [".lock", *(f"{pin.sha256}.whl" for pin in lock.pins)]
    )
    damaged = Path(first[lock.pins[1]])
    with monkeypatch.context() as without:
        without.setattr(sys, "executable", "/nowhere/python")
        assert from_index(lock, str(cache)) == first
    damaged.write_bytes(b"damaged")
    (cache / ".new.leftover").mkdir()
    assert from_index(lock, str(cache)) == first
    assert damaged.read_bytes() == (index / "two-2.0-py3-none-any.whl").read_bytes()
    assert not (cache / ".new.leftover").exists()


def test_index_has_another_wheel(lock: pins.Lock, index: Path, cache: Path) -> None:
    """Nothing of it is kept."""
    wheel(index, "two", "2.0", {"two/evil.py": b""})
    with pytest.raises(
        BundleError, match=r"hash in the lock is not that of what the package index gives for two 2\.0 -- "
    ):
        from_index(lock, str(cache))
    assert [path.name for path in cache.iterdir()] == [".lock"]


def test_index_lacks_a_wheel(lock: pins.Lock, index: Path, cache: Path) -> None:
    (index / "two-2.0-py3-none-any.whl").unlink()
    with pytest.raises(BundleError, match=r"cannot be had from the package index: pip says .*two==2\.0.*wheelhouse"):
        from_index(lock, str(cache))


def test_index_out_of_reach(monkeypatch: pytest.MonkeyPatch, lock: pins.Lock, index: Path, cache: Path) -> None:
    """The error says so, without the password in the URL."""
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_RETRIES", "1")
    monkeypatch.setenv("PIP_INDEX_URL", f"http://me:canary@127.0.0.1:{closed_port()}/simple")
    with pytest.raises(BundleError, match=r"package index, which is not in reach: .* or give wheelhouse") as caught:
        from_index(lock, str(cache))
    assert "canary" not in str(caught.value)


def test_no_pip(monkeypatch: pytest.MonkeyPatch, lock: pins.Lock, tmp_path: Path, cache: Path) -> None:
    """A Python without pip, which tools like pipx make."""
    lonely = tmp_path / "python"
    lonely.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -S "$@"\n', encoding="utf-8")
    lonely.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(lonely))
    with pytest.raises(BundleError, match=r"has no pip .* -- install pip for it, or give wheelhouse"):
        from_index(lock, str(cache))


def test_pip_in_a_hostile_folder(
    monkeypatch: pytest.MonkeyPatch, lock: pins.Lock, index: Path, cache: Path, tmp_path: Path
) -> None:
    """What lies about in the current folder is not run."""
    (tmp_path / "pip.py").write_text("raise SystemExit('hijacked')\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert len(from_index(lock, str(cache))) == 2


def test_cache_cannot_be_used(lock: pins.Lock) -> None:
    with pytest.raises(BundleError, match=r"the cache /proc/nowhere cannot be used: .* -- set XDG_CACHE_HOME"):
        from_index(lock, "/proc/nowhere")
