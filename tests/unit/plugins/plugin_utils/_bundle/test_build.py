# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bundles: the same from the same, built once, whole or not at all."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.version import VERSION
from ansible_collections.vaultfleet.aws.plugins.plugin_utils._bundle import build, core, files, pins
from ansible_collections.vaultfleet.aws.plugins.plugin_utils._bundle.build import Bundle, Wish, bundles
from ansible_collections.vaultfleet.aws.plugins.plugin_utils._bundle.errors import BundleError
from ansible_collections.vaultfleet.aws.tests.unit.plugins.plugin_utils._bundle.wheelhouse import lock_text, wheel

FORK = multiprocessing.get_context("fork")


@pytest.fixture
def wish(wheels: Path, tmp_path: Path) -> Wish:
    """A bundle for Python 3.9, from the made up wheels."""
    return Wish(("3.9",), str(tmp_path / "dest"), str(wheels))


def one(wish: Wish) -> tuple[Bundle, bool]:
    """The only bundle."""
    made, changed = bundles(wish)
    [bundle] = made.values()
    return bundle, changed


def listing(wish: Wish) -> list[str]:
    """What is in the folder of bundles."""
    return sorted(path.name for path in Path(wish.dest).iterdir())


def unpacked(bundle: Bundle) -> dict[str, bytes]:
    """The files of the archive."""
    found = {}
    with tarfile.open(bundle.path) as archive:
        for member in archive.getmembers():
            stream = archive.extractfile(member)
            if stream:
                found[member.name] = stream.read()
    return found


def test_templates_are_another_bundle(wish: Wish) -> None:
    """With what they need, and its own version, lock and list of parts."""
    plain, _changed = one(wish)
    bundle, changed = one(dataclasses.replace(wish, templates=True))
    assert changed
    assert bundle.version != plain.version
    found = unpacked(bundle)
    assert f"{bundle.version}/lib/three/__init__.py" in found
    assert b"pkg:pypi/three@1.0" in found[f"{bundle.version}/sbom.cdx.json"]
    assert b"three==1.0" in found[f"{bundle.version}/lock.txt"]
    assert not [name for name in unpacked(plain) if "three" in name]
    assert one(wish) == (plain, False)


def test_contents(wish: Wish) -> None:
    """Our code as it is, the wheels', and what tells of them, below a folder of the version's name."""
    bundle, changed = one(wish)
    assert changed
    found = unpacked(bundle)
    assert {name.split("/")[0] for name in found} == {bundle.version}
    found = {name.partition("/")[2]: content for name, content in found.items()}
    assert sum(map(len, found.values())) == bundle.unpacked_size
    assert {name for name in found if not name.startswith("lib/vaultfleet_agent/")} == {
        "LICENSE",
        "VERSION",
        "bin/vault-aws-login",
        "bin/vaultfleet-agent",
        "lib/half_one-1.0.dist-info/LICENSE",
        "lib/half_one-1.0.dist-info/METADATA",
        "lib/half_one/__init__.py",
        "lib/two-2.0.dist-info/LICENSE",
        "lib/two-2.0.dist-info/METADATA",
        "lib/two/__init__.py",
        "lib/two/data.json",
        "lock.txt",
        "sbom.cdx.json",
    }
    utils = Path(build.__file__).parents[2] / "module_utils"
    for package in ("_agent", "_auth", "_cli"):
        folder = utils / package
        ours = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.py")}
        place = f"lib/vaultfleet_agent/{package}/"
        assert {name[len(place) :]: text for name, text in found.items() if name.startswith(place)} == ours
    assert found["VERSION"].decode() == f"{bundle.version}\n"
    assert found["lock.txt"].decode() == pins.read("3.9").text
    assert [part["purl"] for part in json.loads(found["sbom.cdx.json"])["components"]] == [
        "pkg:pypi/half-one@1.0",
        "pkg:pypi/two@2.0",
    ]


def test_facts(wish: Wish) -> None:
    """What is told of a bundle is true."""
    bundle, _changed = one(wish)
    path = Path(bundle.path)
    assert path.stat().st_size == bundle.size
    assert files.sha256_of(bundle.path) == bundle.sha256
    assert bundle.version.startswith(f"{VERSION}-")
    assert path.name == f"vaultfleet-agent-{bundle.version}-py3.9.tar.gz"


def test_second_time(wish: Wish, wheels: Path) -> None:
    """What is there is taken: neither wheels nor an index are looked at."""
    first, _changed = one(wish)
    for path in wheels.iterdir():
        path.unlink()
    before = Path(first.path).stat()
    assert one(wish) == (first, False)
    assert Path(first.path).stat().st_mtime_ns == before.st_mtime_ns


def test_some_are_there(wish: Wish) -> None:
    one(wish)
    made, changed = bundles(Wish(("3.11", "3.9"), wish.dest, wish.wheelhouse))
    assert changed
    assert list(made) == ["3.11", "3.9"]
    assert made["3.11"].version != made["3.9"].version


@pytest.mark.parametrize("damage", ["flip", "cut", "gone", "record", "record gone", "record of others"])
def test_damaged(wish: Wish, damage: str) -> None:
    """Noticed, and built again."""
    first, _changed = one(wish)
    path = Path(first.path)
    data = path.read_bytes()
    [record] = Path(wish.dest).glob(".py3.9-*.json")
    if damage == "flip":
        path.write_bytes(data[:100] + bytes([data[100] ^ 1]) + data[101:])
    elif damage == "cut":
        path.write_bytes(data[:-1])
    elif damage == "gone":
        path.unlink()
    elif damage == "record":
        record.write_text("{", encoding="utf-8")
    elif damage == "record gone":
        record.unlink()
    else:
        record.write_text('["path"]', encoding="utf-8")
    assert one(wish) == (first, True)
    assert path.read_bytes() == data
    assert one(wish) == (first, False)


def test_dry(wish: Wish) -> None:
    """The truth about what would be, and not a file of it."""
    dry = Wish(wish.pythons, wish.dest, wish.wheelhouse, dry=True)
    would = one(dry)
    assert not Path(wish.dest).exists()
    assert one(wish) == would
    before = listing(wish)
    assert one(dry) == (would[0], False)
    assert listing(wish) == before


def test_code_changes_the_version(monkeypatch: pytest.MonkeyPatch, wish: Wish) -> None:
    first, _changed = one(wish)
    sources = core.sources()
    changed = {**sources, "lib/vaultfleet_agent/_auth/token.py": b"# another\n"}
    monkeypatch.setattr(core, "sources", lambda: changed)
    second, again = one(wish)
    assert again
    assert second.version != first.version
    assert Path(first.path).exists()
    monkeypatch.setattr(core, "sources", lambda: sources)
    assert one(wish) == (first, False)


def test_lock_changes_the_version(wish: Wish, wheels: Path) -> None:
    first, _changed = one(wish)
    text = lock_text(wheel(wheels, "half-one"), wheel(wheels, "two", "2.1"))
    (Path(pins.FOLDER) / "py3.9.txt").write_text(text, encoding="utf-8")
    second, again = one(wish)
    assert again
    assert second.version != first.version


def test_clash(wish: Wish, wheels: Path) -> None:
    """Two wheels must not write the same file."""
    text = lock_text(wheel(wheels, "half-one"), wheel(wheels, "two", "2.0", {"half_one/__init__.py": b"# mine\n"}))
    (Path(pins.FOLDER) / "py3.9.txt").write_text(text, encoding="utf-8")
    with pytest.raises(BundleError, match=r"two wheels have a file half_one/__init__\.py"):
        bundles(wish)


_ELSEWHERE = """
import os, sys
os.umask(int(sys.argv[1], 8))
sys.path.insert(0, sys.argv[2])
from ansible_collections.vaultfleet.aws.plugins.plugin_utils._bundle import build, pins
pins.FOLDER = sys.argv[3]
made, _changed = build.bundles(build.Wish(("3.9",), *sys.argv[4:]))
print(made["3.9"].sha256)
"""


@pytest.mark.parametrize(
    ("umask", "environment"),
    [
        ("077", {"TZ": "Pacific/Kiritimati", "LC_ALL": "C", "PYTHONHASHSEED": "1"}),
        ("000", {"TZ": "UTC", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "2", "PYTHONUTF8": "0"}),
    ],
)
def test_same_bytes_elsewhere(wish: Wish, tmp_path: Path, umask: str, environment: dict[str, str]) -> None:
    """Neither umask, time zone, locale, hash seed nor time have a say."""
    bundle, _changed = one(wish)
    root = next(path for path in sys.path if (Path(path) / "ansible_collections" / "vaultfleet" / "aws").is_dir())
    arguments = [umask, root, pins.FOLDER, str(tmp_path / "other"), str(wish.wheelhouse)]
    said = subprocess.run(
        [sys.executable, "-c", _ELSEWHERE, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert said.strip() == bundle.sha256
    [other] = (tmp_path / "other").glob("*.tar.gz")
    assert other.read_bytes() == Path(bundle.path).read_bytes()


def _build_in_process(wish: Wish, results: multiprocessing.queues.SimpleQueue[tuple[str, bool]]) -> None:
    bundle, changed = one(wish)
    results.put((bundle.sha256, changed))


def test_side_by_side(wish: Wish) -> None:
    """One builds, the others wait and take what it built."""
    results = FORK.SimpleQueue()
    processes = [FORK.Process(target=_build_in_process, args=(wish, results)) for _number in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    found = [results.get() for _process in processes]
    assert len({sha256 for sha256, _changed in found}) == 1
    assert sorted(changed for _sha256, changed in found) == [False, False, False, True]


@pytest.mark.parametrize("moment", [1, 2])
def test_killed(monkeypatch: pytest.MonkeyPatch, wish: Wish, moment: int) -> None:
    """A run that dies while it writes leaves nothing that the next takes for whole."""

    def child() -> None:
        calls = []

        def replace(_source: str, _target: str) -> None:
            calls.append(1)
            if len(calls) == moment:
                os._exit(9)
            real(_source, _target)

        real = os.replace
        monkeypatch.setattr(os, "replace", replace)
        bundles(wish)

    process = FORK.Process(target=child)
    process.start()
    process.join()
    assert process.exitcode == 9
    assert any(name.startswith(".new.") for name in listing(wish))
    bundle, changed = one(wish)
    assert changed
    assert files.sha256_of(bundle.path) == bundle.sha256
    assert not any(name.startswith(".new.") for name in listing(wish))


def test_dest_for_everybody(wish: Wish) -> None:
    Path(wish.dest).mkdir()
    Path(wish.dest).chmod(0o777)
    with pytest.raises(BundleError, match=r"^dest: everybody may write"):
        bundles(wish)


@pytest.mark.parametrize("name", [".lock", ".py3.9-*.json", "vaultfleet-agent-*.tar.gz"])
@pytest.mark.parametrize("kind", ["FIFO", "link"])
def test_planted(wish: Wish, tmp_path: Path, name: str, kind: str) -> None:
    """What somebody put in the way holds nobody up, and nothing is written through it."""
    one(wish)
    [path] = Path(wish.dest).glob(name)
    path.unlink()
    target = tmp_path / "target"
    if kind == "FIFO":
        os.mkfifo(path)
    else:
        path.symlink_to(target)
    with contextlib.suppress(BundleError):
        one(wish)
    assert not target.exists()


def test_dest_is_a_file(wish: Wish) -> None:
    Path(wish.dest).touch()
    with pytest.raises(BundleError, match=r"^dest: .* cannot be used: File exists -- choose"):
        bundles(wish)


def test_disk_full(monkeypatch: pytest.MonkeyPatch, wish: Wish) -> None:
    def full(_path: str, _content: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(build, "write", full)
    with pytest.raises(BundleError, match=r"^dest: .* No space left on device -- free some space there, or choose"):
        bundles(wish)
    assert not list(Path(wish.dest).glob("*.tar.gz"))


def test_wheelhouse_is_no_folder(wish: Wish, wheels: Path) -> None:
    """Said also where it would not be needed."""
    one(wish)
    shutil.rmtree(wheels)
    with pytest.raises(BundleError, match=r"^wheelhouse: .* is no folder"):
        bundles(wish)


def test_all_pythons_are_judged_first(wish: Wish) -> None:
    with pytest.raises(BundleError, match=r"^pythons: '3\.7'"):
        bundles(Wish(("3.9", "3.7"), wish.dest, wish.wheelhouse))
    assert not Path(wish.dest).exists()


@pytest.mark.parametrize("lost", ["_auth", "_agent"])
def test_collection_is_not_whole(monkeypatch: pytest.MonkeyPatch, wish: Wish, tmp_path: Path, lost: str) -> None:
    plugins = tmp_path / "aws" / "plugins"
    for package in {"_auth", "_agent"} - {lost}:
        (plugins / "module_utils" / package).mkdir(parents=True)
        (plugins / "module_utils" / package / "__init__.py").touch()
    (plugins / "module_utils" / lost).mkdir()
    (tmp_path / "aws" / "LICENSE").touch()
    monkeypatch.setattr(core, "_PLUGINS", str(plugins))
    monkeypatch.setattr(core, "_LICENSE", str(tmp_path / "aws" / "LICENSE"))
    with pytest.raises(BundleError, match=rf"{lost} is not whole -- install the collection again"):
        bundles(wish)


def test_no_bytecode_of_ours(wish: Wish) -> None:
    """Only sources, however often they were imported here."""
    bundle, _changed = one(wish)
    with tarfile.open(bundle.path) as archive:
        assert not [name for name in archive.getnames() if name.endswith(".pyc") or "__pycache__" in name]
