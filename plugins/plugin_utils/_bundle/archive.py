# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An archive whose bytes depend on nothing but what it holds."""

from __future__ import annotations

import io
import tarfile
import typing as t
import zlib

_TIME = 315532800  # 1980: tar warns of files from 1970
# Deflate, no name, no time, no system: what Python's gzip writes here differs between its versions.
_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


def pack(top: str, files: t.Mapping[str, bytes], programs: t.Container[str]) -> bytes:
    """Return the files, below a folder ``top``, as tar.gz; for all to read, programs for all to execute."""
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for folder in ["", *_folders(files)]:
            member = _member(f"{top}/{folder}".rstrip("/"), 0o755)
            member.type = tarfile.DIRTYPE
            archive.addfile(member)
        for path in sorted(files):
            member = _member(f"{top}/{path}", 0o755 if path in programs else 0o644)
            member.size = len(files[path])
            archive.addfile(member, io.BytesIO(files[path]))
    return _gzip(tar.getvalue())


def _folders(files: t.Iterable[str]) -> list[str]:
    found = set()
    for path in files:
        while path := path.rpartition("/")[0]:
            found.add(path)
    return sorted(found)


def _member(name: str, mode: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.mode = mode
    member.mtime = _TIME
    member.uname = member.gname = "root"
    return member


def _gzip(data: bytes) -> bytes:
    packer = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    body = packer.compress(data) + packer.flush()
    ending = zlib.crc32(data).to_bytes(4, "little") + (len(data) & 0xFFFFFFFF).to_bytes(4, "little")
    return _GZIP_HEADER + body + ending
