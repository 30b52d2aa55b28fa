# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The archive: its members, and that nothing but they decides on its bytes."""

from __future__ import annotations

import gzip
import io
import tarfile

from ansible_collections.vaultfleet.aws.plugins.plugin_utils._bundle import archive

FILES = {"bin/start": b"#", "lib/a/b.py": b"", "VERSION": b"1\n"}


def test_members() -> None:
    """Folders first, all root's, modes and times fixed."""
    with tarfile.open(fileobj=io.BytesIO(archive.pack("1-a", FILES, ("bin/start",)))) as packed:
        found = {member.name: member for member in packed.getmembers()}
        assert list(found) == [
            "1-a", "1-a/bin", "1-a/lib", "1-a/lib/a", "1-a/VERSION", "1-a/bin/start", "1-a/lib/a/b.py"
        ]  # fmt: skip
        for path, content in FILES.items():
            stream = packed.extractfile(f"1-a/{path}")
            assert stream is not None
            assert stream.read() == content
    assert {name: oct(member.mode) for name, member in found.items() if member.mode != 0o755} == {
        "1-a/VERSION": "0o644",
        "1-a/lib/a/b.py": "0o644",
    }
    assert {(one.uid, one.gid, one.uname, one.gname, one.mtime) for one in found.values()} == {
        (0, 0, "root", "root", 315532800)
    }


def test_order_does_not_matter() -> None:
    again = dict(reversed(FILES.items()))
    assert archive.pack("1-a", again, ("bin/start",)) == archive.pack("1-a", FILES, ("bin/start",))


def test_gzip_header() -> None:
    """No time, no name, no system, whatever Python's own gzip writes."""
    packed = archive.pack("1-a", FILES, ())
    assert packed[:10] == b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
    assert len(gzip.decompress(packed)) % 512 == 0
