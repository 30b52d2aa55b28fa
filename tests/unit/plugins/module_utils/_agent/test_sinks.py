# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Token files that are looked after: what is altered is seen, what cannot be written is told, the old one stays."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pwd
import shutil
import subprocess
import tempfile
import typing as t
from pathlib import Path

import pytest

from ansible_collections.vaultfleet.aws.plugins.module_utils._agent import sinks
from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.sinks import TokenFile
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth import sink as files
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.errors import ConfigError, SinkError
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.sink import Sink

TOKEN, OTHER = "hvs.canary-one", "hvs.canary-two"
FORK = multiprocessing.get_context("fork")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounts and owners need root")


@pytest.fixture
def folder() -> t.Iterator[Path]:
    """Where the token goes: on a real tmpfs, and other users may look into it."""
    parent = Path(tempfile.mkdtemp(dir="/dev/shm", prefix="vaultfleet-unit-"))
    parent.chmod(0o755)
    place = parent / "run"
    place.mkdir(mode=0o755)
    yield place
    shutil.rmtree(parent)


@pytest.fixture
def file(folder: Path) -> TokenFile:
    """A sink that holds the token."""
    one = TokenFile(Sink(str(folder / "token"), 0o640))
    one.put(TOKEN)
    return one


def settled(file: TokenFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """Long enough after it was written that it is known by its looks: the clock that stamps files has gone on."""
    other = Path(file.sink.path).parent.with_name("clock")
    while not other.exists() or other.stat().st_ctime_ns <= os.lstat(file.sink.path).st_ctime_ns:
        other.write_text("")
    monkeypatch.setattr(sinks, "_SETTLED", -1.0)
    assert file.holds(TOKEN)


def names(folder: Path) -> list[str]:
    """What is there."""
    return sorted(entry.name for entry in folder.iterdir())


def test_put(file: TokenFile, folder: Path) -> None:
    """Exactly the token, without a line break, with its mode; nothing beside it."""
    path = folder / "token"
    assert path.read_bytes() == TOKEN.encode()
    assert path.stat().st_mode & 0o7777 == 0o640
    assert names(folder) == ["token"]
    assert file.holds(TOKEN)
    assert not file.holds(OTHER)


def test_known_by_its_looks(file: TokenFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that has not changed is not read again, and never taken for one with another text."""
    settled(file, monkeypatch)

    def read(_path: str, _largest: int) -> str:
        raise AssertionError("it was read")

    monkeypatch.setattr(files, "read", read)
    for _look in range(3):
        assert file.holds(TOKEN)
    with pytest.raises(AssertionError, match="it was read"):
        file.holds(OTHER)


def test_young_files_are_read(file: TokenFile, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within one tick of the file system's clock a file can change twice and look the same."""
    monkeypatch.setattr(sinks, "_SETTLED", 600.0)  # young for the whole test, on a busy machine too
    path = folder / "token"
    looks = os.lstat(path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "lstat", lambda _path: looks)
        assert file.holds(TOKEN)
        path.write_bytes(OTHER.encode())  # of the same length, in place
        assert not file.holds(TOKEN)


def rewritten(path: Path) -> None:
    """Same length, same inode, and the old time put back."""
    before = path.stat()
    path.write_text(OTHER)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def replaced(path: Path) -> None:
    """Another file under its name."""
    path.unlink()
    path.write_text(OTHER)
    path.chmod(0o640)


def linked(path: Path) -> None:
    """A symbolic link to a file with the very token."""
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def made_a_directory(path: Path) -> None:
    """Of that name."""
    path.unlink()
    path.mkdir()


def folder_swapped(path: Path) -> None:
    """Another directory in place of the sink's."""
    path.parent.rename(path.parent.with_name("moved"))
    path.parent.mkdir()


def folder_linked(path: Path) -> None:
    """A link to the sink's own directory in its place."""
    path.parent.rename(path.parent.with_name("moved"))
    path.parent.symlink_to("moved")


ALTERED: list[t.Callable[[Path], object]] = [
    rewritten,
    replaced,
    linked,
    made_a_directory,
    folder_swapped,
    folder_linked,
    lambda path: path.unlink(),
    lambda path: path.write_text(f"{TOKEN}\n"),
    lambda path: path.write_text(""),
    lambda path: path.chmod(0o644),
    lambda path: path.write_bytes(b"\xff" * len(TOKEN)),
]


@pytest.mark.parametrize("known", [True, False], ids=["known", "new"])
@pytest.mark.parametrize("alter", ALTERED, ids=lambda one: one.__name__)
def test_altered(
    alter: t.Callable[[Path], object],
    known: bool,
    file: TokenFile,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever is done to it is seen; what can be put back is put back."""
    if known:
        settled(file, monkeypatch)
    alter(folder / "token")
    if alter is folder_linked and known:
        # The very same inode by another way: nothing was altered, and the next write says what is in the way.
        assert file.holds(TOKEN)
    else:
        assert not file.holds(TOKEN)
    if alter in (linked, made_a_directory, folder_linked):
        with pytest.raises(SinkError, match=r"is a symbolic link|is a directory"):
            file.put(TOKEN)
        return
    file.put(TOKEN)
    assert file.holds(TOKEN)
    assert (folder / "token").read_bytes() == TOKEN.encode()


@as_root
@pytest.mark.parametrize("known", [True, False], ids=["known", "new"])
@pytest.mark.parametrize("given", [True, False], ids=["given", "as it came"])
@pytest.mark.parametrize(("uid", "gid"), [(12345, -1), (-1, 12345)])
def test_another_owner(
    uid: int, gid: int, given: bool, known: bool, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the configuration names none: then it is whom our own file came to belong to."""
    place = Sink(str(folder / "token"), 0o640, 1000, 1001) if given else Sink(str(folder / "token"), 0o640)
    file = TokenFile(place)
    file.put(TOKEN)
    if known:
        settled(file, monkeypatch)
    os.chown(place.path, uid, gid)
    Path(place.path).chmod(0o640)
    assert not file.holds(TOKEN)
    file.put(TOKEN)
    assert file.holds(TOKEN)
    found = Path(place.path).stat()
    assert (found.st_uid, found.st_gid) == ((1000, 1001) if given else (os.geteuid(), os.getegid()))


def test_what_another_process_wrote(file: TokenFile, folder: Path) -> None:
    """After a restart the file is right as it is."""
    inode = (folder / "token").stat().st_ino
    successor = TokenFile(file.sink)
    assert successor.holds(TOKEN)
    assert not TokenFile(Sink(file.sink.path, 0o600)).holds(TOKEN)
    assert (folder / "token").stat().st_ino == inode


def test_remove(file: TokenFile, folder: Path) -> None:
    """Once; then it can be put back."""
    assert file.remove()
    assert not file.remove()
    assert names(folder) == []
    assert not file.holds(TOKEN)
    file.put(TOKEN)
    assert file.holds(TOKEN)


def test_missing_directory(file: TokenFile, folder: Path) -> None:
    """A runtime directory goes with its unit: told, and all is well when it is back."""
    file.remove()
    folder.rmdir()
    assert not file.holds(TOKEN)
    for act in (lambda: file.put(TOKEN), file.remove):
        with pytest.raises(SinkError, match=r"cannot open the directory .*: No such file or directory -- create it"):
            act()
    folder.mkdir()
    file.put(TOKEN)
    assert file.holds(TOKEN)


@contextlib.contextmanager
def tmpfs(place: Path, *options: str) -> t.Iterator[None]:
    """A file system in memory, mounted there."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", ",".join((*options, "mode=0755")), "tmpfs", str(place)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(place)], check=True)


@as_root
def test_full(folder: Path) -> None:
    """The old token is whole, nothing half-made is left, and it works again when there is room."""
    with tmpfs(folder, "size=16k"):
        file = TokenFile(Sink(str(folder / "token")))
        file.put(TOKEN)
        with (folder / "ballast").open("wb", buffering=0) as ballast, contextlib.suppress(OSError):
            while True:
                ballast.write(b"\0" * 512)
        with pytest.raises(SinkError, match=r"cannot write .*: No space left on device -- .*make room"):
            file.put(OTHER)
        assert names(folder) == ["ballast", "token"]
        assert file.holds(TOKEN)
        assert not file.holds(OTHER)
        (folder / "ballast").unlink()
        file.put(OTHER)
        assert file.holds(OTHER)


@as_root
def test_no_inodes(folder: Path) -> None:
    """As full as without room."""
    with tmpfs(folder, "nr_inodes=3"):
        file = TokenFile(Sink(str(folder / "token")))
        file.put(TOKEN)
        (folder / "ballast").touch()
        with pytest.raises(SinkError, match=r"No space left on device -- .*make room"):
            file.put(OTHER)
        assert file.holds(TOKEN)


@as_root
def test_read_only(folder: Path) -> None:
    """As ProtectSystem=strict makes it."""
    with tmpfs(folder):
        file = TokenFile(Sink(str(folder / "token")))
        file.put(TOKEN)
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        for act in (lambda: file.put(OTHER), file.remove):
            with pytest.raises(SinkError, match=r"Read-only file system -- .*ReadWritePaths="):
                act()
        assert file.holds(TOKEN)


def as_nobody(act: t.Callable[[], object]) -> str:
    """Do it in a process of another user, without groups, and return what it says."""
    ours, theirs = FORK.Pipe()
    nobody = pwd.getpwnam("nobody")

    def work() -> None:
        os.setgroups([])
        os.setgid(nobody.pw_gid)
        os.setuid(nobody.pw_uid)
        try:
            theirs.send(repr(act()))
        except SinkError as e:
            theirs.send(str(e))

    process = FORK.Process(target=work)
    process.start()
    said = str(ours.recv())
    process.join()
    return said


@as_root
def test_a_directory_of_another_user(file: TokenFile, folder: Path) -> None:
    """It may not write there: told what to do, and the old token is whole."""
    said = as_nobody(lambda: file.put(OTHER))
    assert said.startswith(f"cannot write {folder}/token: Permission denied -- let the agent's user write to")
    said = as_nobody(file.remove)
    assert said.startswith(f"cannot remove {folder}/token: Permission denied -- let the agent's user write to")
    assert file.holds(TOKEN)


@as_root
@pytest.mark.parametrize("changes", [{"uid": 0}, {"gid": 0}], ids=["uid", "gid"])
def test_an_owner_that_it_may_not_give(changes: dict[str, int], folder: Path) -> None:
    """The agent has no capabilities: told, nothing is left, and the old token is whole."""
    os.chown(folder, pwd.getpwnam("nobody").pw_uid, -1)
    path = folder / "token"
    assert as_nobody(lambda: TokenFile(Sink(str(path))).put(TOKEN)) == "None"
    said = as_nobody(lambda: TokenFile(Sink(str(path), **changes)).put(OTHER))
    assert said.startswith(f"cannot write {path}: Operation not permitted -- the agent's user can give a file to no")
    assert path.read_text() == TOKEN
    assert names(folder) == ["token"]


def test_an_unknown_owner(folder: Path) -> None:
    """Is an error of the configuration, which names the option."""
    with pytest.raises(ConfigError, match=r"sink\.owner: there is no user 'nosuchuser' -- create it first"):
        Sink.from_options("sink", {"path": str(folder / "token"), "owner": "nosuchuser"})


def test_planted_links(file: TokenFile, folder: Path) -> None:
    """Nothing is ever written through one, neither at the path nor as its directory."""
    target = folder / "victim"
    target.write_text("precious")
    path = folder / "token"
    path.unlink()
    path.symlink_to(target)
    with pytest.raises(SinkError, match="is a symbolic link"):
        file.put(TOKEN)
    with pytest.raises(SinkError, match="is a symbolic link"):
        file.remove()
    assert target.read_text() == "precious"
    path.unlink()
    folder.rename(folder.with_name("moved"))
    folder.symlink_to("moved")
    with pytest.raises(SinkError, match=r"cannot open the directory .* -- it is a symbolic link: give "):
        file.put(TOKEN)
    assert names(folder.with_name("moved")) == ["victim"]


def test_one_failing_sink_holds_up_no_other(folder: Path) -> None:
    """Each is by itself."""
    good, bad = TokenFile(Sink(str(folder / "good"))), TokenFile(Sink(str(folder / "absent" / "token")))
    with pytest.raises(SinkError):
        bad.put(TOKEN)
    good.put(TOKEN)
    assert good.holds(TOKEN)
    assert not bad.holds(TOKEN)


def test_errors_and_reprs_hold_no_token(file: TokenFile, folder: Path) -> None:
    """Whatever goes wrong."""
    (folder / "token").unlink()
    (folder / "token").mkdir()
    with pytest.raises(SinkError) as caught:
        file.put(TOKEN)
    assert "canary" not in f"{caught.value} {caught.value!r} {file!r}"


def test_no_descriptor_is_left(file: TokenFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often it is looked at and written."""
    before = sum(1 for _entry in Path("/proc/self/fd").iterdir())
    for _round in range(50):
        file.put(TOKEN)
        assert file.holds(TOKEN)
    settled(file, monkeypatch)
    assert sum(1 for _entry in Path("/proc/self/fd").iterdir()) == before
