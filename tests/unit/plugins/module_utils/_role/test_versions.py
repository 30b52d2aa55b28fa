# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bundles on a host: whole or not there, whatever the archive holds and whenever a run is broken off."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import typing as t
from pathlib import Path

import pytest

from ansible_collections.vaultfleet.aws.plugins.module_utils._role import look, places, versions
from ansible_collections.vaultfleet.aws.plugins.module_utils._role.versions import VersionError

VERSION = "0.1.0-0123456789ab"
Members = t.Sequence[tuple[str, bytes, bytes]]  # name, kind, content or target
PROGRAM = (f"{VERSION}/bin/vaultfleet-agent", tarfile.REGTYPE, b"print(1)\n")
FOLDERS = ((VERSION, tarfile.DIRTYPE, b""), (f"{VERSION}/bin", tarfile.DIRTYPE, b""))
GOOD: Members = (*FOLDERS, PROGRAM)


@pytest.fixture(autouse=True)
def bundles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of bundles."""
    folder = tmp_path / "bundles"
    folder.mkdir()
    monkeypatch.setattr(places, "BUNDLES", str(folder))
    return folder


def packed(folder: Path, members: Members = GOOD) -> tuple[str, str]:
    """An archive, and its SHA-256."""
    path = folder / "archive.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for name, kind, content in members:
            member = tarfile.TarInfo(name)
            member.type, member.mode = kind, 0o7777
            if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
                member.linkname = content.decode()
            elif kind == tarfile.REGTYPE:
                member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return str(path), hashlib.sha256(path.read_bytes()).hexdigest()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_bundle_is_unpacked_with_modes_of_ours(bundles: Path, tmp_path: Path) -> None:
    archive, digest = packed(tmp_path)
    before = os.umask(0o077)
    try:
        assert versions.unpack(archive, digest) == VERSION
    finally:
        os.umask(before)
    program = bundles / VERSION / "bin" / "vaultfleet-agent"
    assert program.read_bytes() == PROGRAM[2]
    assert {path.stat().st_mode & 0o7777 for path in (program, program.parent, bundles / VERSION)} == {0o755}
    assert look.bundles() == {digest: VERSION}
    assert names(bundles) == [VERSION]


def test_a_damaged_one_is_replaced(bundles: Path, tmp_path: Path) -> None:
    (bundles / VERSION / "bin").mkdir(parents=True)
    (bundles / ".new-0123456789abcdef" / VERSION).mkdir(parents=True)
    versions.unpack(*packed(tmp_path))
    assert (bundles / VERSION / "bin" / "vaultfleet-agent").exists()
    assert names(bundles) == [VERSION]


def test_the_hash_is_checked_before_anything_is_read(bundles: Path, tmp_path: Path) -> None:
    archive, _digest = packed(tmp_path)
    with pytest.raises(VersionError, match="is not the one of that SHA-256"):
        versions.unpack(archive, "0" * 64)
    assert names(bundles) == []


HOSTILE: list[Members] = [
    (*FOLDERS, ("../outside", tarfile.REGTYPE, b"x")),
    (*FOLDERS, (f"{VERSION}/../../outside", tarfile.REGTYPE, b"x")),
    (*FOLDERS, ("/tmp/outside", tarfile.REGTYPE, b"x")),
    (*FOLDERS, (f"{VERSION}/lib", tarfile.SYMTYPE, b"/etc"), (f"{VERSION}/lib/x", tarfile.REGTYPE, b"x")),
    (*FOLDERS, (f"{VERSION}/lib", tarfile.LNKTYPE, b"/etc/passwd")),
    (*FOLDERS, (f"{VERSION}/pipe", tarfile.FIFOTYPE, b"")),
    (*FOLDERS, PROGRAM, PROGRAM),
    (*FOLDERS, PROGRAM, ("0.2.0-x", tarfile.DIRTYPE, b"")),
    (("a", tarfile.DIRTYPE, b""), ("a/bin", tarfile.DIRTYPE, b""), ("a/bin/vaultfleet-agent", tarfile.REGTYPE, b"")),
    FOLDERS,
    (),
]


@pytest.mark.parametrize("members", HOSTILE)
def test_what_is_no_bundle_leaves_nothing_behind(bundles: Path, tmp_path: Path, members: Members) -> None:
    with pytest.raises((VersionError, FileExistsError)):
        versions.unpack(*packed(tmp_path, members))
    assert names(bundles) == []
    assert names(tmp_path) == ["archive.tar.gz", "bundles", "home"]


def test_no_archive(bundles: Path, tmp_path: Path) -> None:
    for content in (b"", b"\x1f\x8b", b"PK", os.urandom(1000)):
        path = tmp_path / "archive.tar.gz"
        path.write_bytes(content)
        with pytest.raises(VersionError, match="is no bundle"):
            versions.unpack(str(path), hashlib.sha256(content).hexdigest())
    whole = Path(packed(tmp_path)[0]).read_bytes()
    path.write_bytes(whole[:80])
    with pytest.raises(VersionError, match="is no bundle"):
        versions.unpack(str(path), hashlib.sha256(whole[:80]).hexdigest())
    assert names(bundles) == []


def test_switch_and_prune(bundles: Path, tmp_path: Path) -> None:
    versions.unpack(*packed(tmp_path))
    for other in ("0.0.9-old", ".old-0123", ".archive-0123.tar.gz.d"):
        (bundles / other).mkdir()
    (bundles / "theirs").mkdir()
    versions.switch("one", VERSION)
    versions.switch("two", "0.0.9-old")
    assert (places.current("one"), places.current("two"), places.current("three")) == (VERSION, "0.0.9-old", None)
    versions.prune(versions.unused())
    assert names(bundles) == ["0.0.9-old", VERSION, "one", "theirs", "two"]
    versions.switch("two", VERSION)
    assert versions.unused() == ["0.0.9-old"]
    assert versions.unlink("two")
    assert not versions.unlink("two")
    with pytest.raises(VersionError, match=r"there is no bundle 9\.9"):
        versions.switch("one", "9.9")
    with pytest.raises(VersionError, match="there is no bundle"):
        versions.switch("one", "../theirs")
