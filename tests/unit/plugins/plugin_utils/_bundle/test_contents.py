# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is kept of a wheel, and which wheels are refused."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path

import pytest

from ansible_collections.vaultfleet.aws.plugins.plugin_utils._bundle import contents
from ansible_collections.vaultfleet.aws.plugins.plugin_utils._bundle.errors import BundleError
from ansible_collections.vaultfleet.aws.tests.unit.plugins.plugin_utils._bundle.wheelhouse import pin, wheel

KEPT = [
    "six.py",
    "botocore/__init__.py",
    "botocore/docs/docstring.py",
    "botocore/vendored/requests/exceptions.py",
    "botocore/data/endpoints.json",
    "botocore/data/endpoints.json.gz",
    "botocore/data/partitions.json",
    "botocore/data/_retry.json",
    "botocore/data/sdk-default-configuration.json",
    "botocore/data/sts/2011-06-15/service-2.json.gz",
    "botocore/data/sts/2011-06-15/endpoint-rule-set-1.json",
    "botocore/data/sso/2019-06-10/service-2.json",
    "botocore/data/sso-oidc/2019-06-10/service-2.json.gz",
    "certifi/cacert.pem",
    "botocore-1.0.dist-info/METADATA",
    "botocore-1.0.dist-info/LICENSE.txt",
    "botocore-1.0.dist-info/NOTICE",
    "idna-3.0.dist-info/licenses/LICENSE.md",
    "x-1.dist-info/licenses/sub/COPYING",
]
LEFT_OUT = [
    "botocore/cacert.pem",
    "botocore/data/s3/2006-03-01/service-2.json.gz",
    "botocore/data/sts/2011-06-15/examples-1.json",
    "botocore/data/sts/2011-06-15/paginators-1.json",
    "botocore/data/stsx/2011-06-15/service-2.json",
    "botocore/data/signin/2023-01-01/service-2.json.gz",
    "dateutil/zoneinfo/dateutil-zoneinfo.tar.gz",
    "six.pyc",
    "x/__pycache__/a.cpython-39.pyc",
    "x/py.typed",
    "x/y.pyi",
    "x/tests/test_a.py",
    "x/test/a.py",
    "jmespath-1.0.data/scripts/jp.py",
    "x-1.dist-info/RECORD",
    "x-1.dist-info/entry_points.txt",
    "x-1.dist-info/top_level.txt",
]


@pytest.mark.parametrize("path", KEPT)
def test_kept(path: str) -> None:
    assert contents.is_kept(path)


@pytest.mark.parametrize("path", LEFT_OUT)
def test_left_out(path: str) -> None:
    assert not contents.is_kept(path)


def test_read(tmp_path: Path) -> None:
    """Kept files as they are; the others are not there."""
    made = wheel(tmp_path, "one", files={"one/a.py": b"a = 1\r\n", "one/tests/a.py": b""})
    found = contents.read_wheel(str(tmp_path / "one-1.0-py3-none-any.whl"), made)
    assert set(found) == {"one/__init__.py", "one/a.py", "one-1.0.dist-info/METADATA", "one-1.0.dist-info/LICENSE"}
    assert found["one/a.py"] == b"a = 1\r\n"


def hostile(folder: Path, member: zipfile.ZipInfo, content: bytes = b"x") -> str:
    """A wheel with that member."""
    path = folder / "one-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("one/__init__.py", b"")
        archive.writestr(member, content)
    return str(path)


@pytest.mark.parametrize(
    "name",
    ["../evil.py", "one/../../evil.py", "/etc/evil.py", "one//evil.py", "./evil.py", "one/./evil.py", "c:evil.py",
     "one\\evil.py", "one/e\nvil.py", "one/evil.so", "one/evil.pyd", "evil.pth", "one-1.0.data/purelib/evil.py",
     "one-1.0.data/data/etc/evil", "..", "one/.."],
)  # fmt: skip
def test_names(tmp_path: Path, name: str) -> None:
    """What would land elsewhere, or act on its own, refuses the wheel, kept or not."""
    member = zipfile.ZipInfo("one")
    member.filename = name
    path = hostile(tmp_path, member)
    with pytest.raises(BundleError, match=r"^the wheel of one 1\.0 "):
        contents.read_wheel(path, pin(Path(path), "one"))


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFSOCK])
def test_kinds(tmp_path: Path, kind: int) -> None:
    """Links and the like are refused."""
    member = zipfile.ZipInfo("one/link.py")
    member.external_attr = (kind | 0o777) << 16
    path = hostile(tmp_path, member, b"/etc/passwd")
    with pytest.raises(BundleError, match=r"'one/link\.py', which is neither a file nor a folder"):
        contents.read_wheel(path, pin(Path(path), "one"))


def test_compiled_parts_that_can_be_left_out(tmp_path: Path) -> None:
    """MarkupSafe does without; of all else nothing compiled is taken."""
    files = {f"markupsafe/_speedups.{end}": b"" for end in ("c", "cpython-311-x86_64-linux-gnu.so", "pyi")}
    made = wheel(tmp_path, "markupsafe", files={**files, "markupsafe/_native.py": b""})
    kept = contents.read_wheel(str(next(tmp_path.glob("markupsafe*"))), made)
    assert {name for name in kept if name.startswith("markupsafe/")} == {
        "markupsafe/__init__.py",
        "markupsafe/_native.py",
    }
    made = wheel(tmp_path, "other", files={"other/_speedups.so": b""})
    with pytest.raises(BundleError, match="not pure Python"):
        contents.read_wheel(str(next(tmp_path.glob("other*"))), made)


def test_same_name_twice(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = hostile(tmp_path, zipfile.ZipInfo("one/__init__.py"))
    with pytest.raises(BundleError, match="two files of one name"):
        contents.read_wheel(path, pin(Path(path), "one"))


def test_too_large(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(contents, "_LARGEST", 1000)
    path = hostile(tmp_path, zipfile.ZipInfo("one/a.py"), bytes(1001))
    with pytest.raises(BundleError, match="too large"):
        contents.read_wheel(path, pin(Path(path), "one"))


@pytest.mark.parametrize(
    "damage", [lambda data: b"no zip", lambda data: data[:-30], lambda data: data.replace(b"xyz", b"abc")]
)
def test_damaged(tmp_path: Path, damage: object) -> None:
    path = Path(hostile(tmp_path, zipfile.ZipInfo("one/a.py"), b"xyz"))
    assert callable(damage)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(BundleError, match=r"is not a wheel"):
        contents.read_wheel(str(path), pin(path, "one"))
