# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The store: where it may be, what is refused, and its files."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.vaultfleet.aws.plugins.plugin_utils import _hit, _store
from ansible_collections.vaultfleet.aws.plugins.plugin_utils._run import this_run
from ansible_collections.vaultfleet.aws.plugins.plugin_utils._store import BusyError, Store, StoreError, open_store

FORK = multiprocessing.get_context("fork")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount, and become another user")


def user_folder(base: Path) -> Path:
    return base / f"vaultfleet-aws-{os.geteuid()}"


def test_made_for_this_user_and_run_alone(memory: Path) -> None:
    store = open_store()
    run = this_run()
    assert run is not None
    assert store.path == str(user_folder(memory) / run.name)
    for folder in (user_folder(memory), Path(store.path)):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    store.write("key", {"token": "secret"})
    store.add_created({"token": "secret"})
    store.count_hit()
    with store.lock("key", 0):
        modes = {stat.S_IMODE(file.stat().st_mode) for file in Path(store.path).iterdir()}
    assert modes == {0o600}


def test_a_wide_umask_changes_nothing(memory: Path) -> None:
    before = os.umask(0)
    try:
        store = open_store()
        store.write("key", {})
        store.count_hit()
    finally:
        os.umask(before)
    assert {stat.S_IMODE(file.stat().st_mode) for file in Path(store.path).iterdir()} == {0o600}


def test_opened_again_is_the_same() -> None:
    open_store(callback=True)
    store = open_store()
    assert _store.has_callback(store)
    assert open_store() == store


def test_is_new() -> None:
    assert _store.is_new()
    assert _store.store_of_callback() is None
    store = open_store()
    assert not _store.is_new()
    assert _store.store_of_callback() is None
    open_store(callback=True)
    assert _store.store_of_callback() == store


def test_never_on_a_disk(monkeypatch: pytest.MonkeyPatch, memory: Path) -> None:
    disk = Path(tempfile.mkdtemp(dir="/var/tmp"))
    try:
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(disk))
        if _store._in_memory(str(disk)):
            pytest.fail("/var/tmp is in memory here, so this test shows nothing")
        monkeypatch.setattr(_store, "_SHARED_MEMORY", str(memory))
        assert open_store().path.startswith(str(memory))
        monkeypatch.setattr(_store, "_SHARED_MEMORY", str(disk))
        with pytest.raises(StoreError, match="there is no file system in memory"):
            open_store()
        assert not list(disk.iterdir())
    finally:
        shutil.rmtree(disk)


@pytest.mark.parametrize("value", ["", "relative", "/nowhere"])
def test_a_useless_runtime_directory(value: str, monkeypatch: pytest.MonkeyPatch, memory: Path) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", value)
    monkeypatch.setattr(_store, "_SHARED_MEMORY", str(memory))
    assert open_store().path.startswith(str(memory))


@pytest.mark.parametrize(("mode", "safe"), [(0o700, True), (0o755, True), (0o777, False), (0o770, False)])
def test_where_others_could_swap_our_folder(mode: int, safe: bool, memory: Path) -> None:
    memory.chmod(mode)
    assert _hit.is_safe(str(memory)) is safe


@as_root
def test_the_runtime_directory_of_another_user(memory: Path) -> None:
    """As sudo leaves it to root."""
    os.chown(memory, 65534, 65534)
    assert not _hit.is_safe(str(memory))


@pytest.mark.parametrize("mode", [0o777, 0o750, 0o701])
def test_a_folder_that_others_may_enter(mode: int, memory: Path) -> None:
    user_folder(memory).mkdir()
    user_folder(memory).chmod(mode)
    with pytest.raises(StoreError, match="not a folder of this user alone"):
        open_store()


def test_a_link_in_place_of_the_folder(memory: Path, tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    user_folder(memory).symlink_to(tmp_path)
    with pytest.raises(StoreError, match="not a folder of this user alone"):
        open_store()
    assert not (tmp_path / "owner.json").exists()


def test_a_file_in_place_of_the_folder(memory: Path) -> None:
    user_folder(memory).touch()
    with pytest.raises(StoreError, match="not a folder"):
        open_store()


@as_root
def test_a_folder_of_another_user(memory: Path) -> None:
    user_folder(memory).mkdir(mode=0o700)
    os.chown(user_folder(memory), 65534, 65534)
    with pytest.raises(StoreError, match="not a folder of this user alone"):
        open_store()


def test_the_runs_own_folder_is_looked_at_too(store: Store) -> None:
    Path(store.path).chmod(0o755)
    with pytest.raises(StoreError, match="not a folder of this user alone"):
        open_store()


@pytest.mark.parametrize("kind", ["symbolic link", "hard link", "open to others", "FIFO", "directory"])
@pytest.mark.parametrize("use", ["read", "lock", "add_created"])
def test_what_is_planted_in_the_store(kind: str, use: str, store: Store, memory: Path) -> None:
    """Nobody else gets that far; it is refused all the same, and nothing waits for a FIFO."""
    name = {"read": "key", "lock": "key.lock", "add_created": "created"}[use]
    victim = memory / "victim"
    victim.write_text('{"token": "planted"}')
    victim.chmod(0o600)
    place = Path(store.path) / name
    if kind == "symbolic link":
        place.symlink_to(victim)
    elif kind == "hard link":
        place.hardlink_to(victim)
    elif kind == "FIFO":
        os.mkfifo(place, 0o600)
    elif kind == "directory":
        place.mkdir()
    else:
        place.touch()
        place.chmod(0o644)
    uses: dict[str, t.Callable[[], t.Any]] = {
        "read": lambda: store.read("key"),
        "lock": lambda: store.lock("key", 0).__enter__(),
        "add_created": lambda: store.add_created({"token": "ours"}),
    }
    with pytest.raises(StoreError):
        uses[use]()
    assert victim.read_text() == '{"token": "planted"}'


def test_records(store: Store) -> None:
    assert store.read("key") is None
    store.write("key", {"a": 1})
    store.write("key", {"b": 2})
    assert store.read("key") == {"b": 2}
    store.forget("key")
    store.forget("key")
    assert store.read("key") is None


def test_a_large_record(store: Store) -> None:
    record = {"policies": [f"policy-{number}" for number in range(50000)]}
    store.write("key", record)
    assert store.read("key") == record


@pytest.mark.parametrize("text", ["", "{", '{"a": 1', "[1]", "null", "\0\0", "[" * 100000, "\xff"])
def test_a_broken_record(text: str, store: Store) -> None:
    place = Path(store.path) / "key"
    place.write_text(text, encoding="latin-1")
    place.chmod(0o600)
    assert store.read("key") is None


def test_created_tokens_and_torn_lines(store: Store) -> None:
    store.add_created({"token": "one"})
    with (Path(store.path) / "created").open("a") as file:
        file.write('{"token": "to\n')
    store.add_created({"token": "two"})
    assert store.created() == [{"token": "one"}, {"token": "two"}]


def test_numbers(store: Store) -> None:
    for _time in range(3):
        store.count_hit()
    store.count("login", 1.5)
    store.count("login", 0.25)
    store.count("renewal", 0.5)
    assert store.hits() == 3
    assert store.events() == {"login": (2, 1.75), "renewal": (1, 0.5)}


@contextlib.contextmanager
def locked_by_another(store: Store) -> t.Iterator[int]:
    ours, theirs = FORK.Pipe()

    def hold() -> None:
        with store.lock("key", 1):
            theirs.send("held")
            time.sleep(60)

    holder = FORK.Process(target=hold)
    holder.start()
    assert ours.recv() == "held"
    try:
        yield t.cast(int, holder.pid)
    finally:
        holder.kill()
        holder.join()


def test_a_bounded_wait_that_names_the_holder(store: Store) -> None:
    with locked_by_another(store) as holder:
        start = time.monotonic()
        with pytest.raises(BusyError) as caught, store.lock("key", 0.3):
            pass
        assert caught.value.holder == holder
        assert 0.3 <= time.monotonic() - start < 2
        with store.lock("another key", 0):
            pass


def test_a_killed_holder_frees_the_lock(store: Store) -> None:
    with locked_by_another(store) as holder:
        os.kill(holder, signal.SIGKILL)
        with store.lock("key", 5):
            pass


@as_root
@pytest.mark.parametrize("full", ["before", "meanwhile"])
def test_a_full_tmpfs(full: str, memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = memory / "small"
    small.mkdir(mode=0o700)
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k,mode=0700", "tmpfs", str(small)]
    subprocess.run(mount, check=True)
    try:
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(small))
        if full == "before":
            fill(small)
            with pytest.raises(StoreError, match="No space left"):
                open_store()
            assert not list(user_folder(small).iterdir())  # nothing half-made is left
            return
        store = open_store()
        store.write("key", {"a": 1})
        fill(small)
        with pytest.raises(StoreError, match="No space left"):
            store.write("key", {"b": 2})
        with pytest.raises(StoreError, match="No space left"):
            store.add_created({"token": "t"})
        assert store.read("key") == {"a": 1}
        store.count("login", 1.0)
        store.count_hit()
        with store.lock("key", 0):
            pass
    finally:
        subprocess.run(["umount", str(small)], check=True)


def fill(folder: Path) -> None:
    with (folder / "ballast").open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"\0" * 512)


@as_root
def test_a_read_only_place(memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frozen = memory / "frozen"
    frozen.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro,mode=0700", "tmpfs", str(frozen)], check=True)
    try:
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(frozen))
        monkeypatch.setattr(_store, "_SHARED_MEMORY", str(frozen))
        with pytest.raises(StoreError, match="there is no file system in memory"):
            open_store()
    finally:
        subprocess.run(["umount", str(frozen)], check=True)


def as_nobody(action: t.Callable[[], object]) -> str:
    """Do it in a process of another user, and return what it says."""
    ours, theirs = FORK.Pipe()
    nobody = pwd.getpwnam("nobody")

    def work() -> None:
        os.setgroups([])
        os.setgid(nobody.pw_gid)
        os.setuid(nobody.pw_uid)
        os.environ.pop("XDG_RUNTIME_DIR", None)
        try:
            theirs.send(str(action()))
        except (OSError, StoreError) as e:
            theirs.send(f"{type(e).__name__}: {e}")

    process = FORK.Process(target=work)
    process.start()
    said = str(ours.recv())
    process.join()
    return said


@pytest.fixture
def shared_memory(monkeypatch: pytest.MonkeyPatch) -> t.Iterator[Path]:
    """A place for all users, as /dev/shm is, in its stead."""
    folder = Path(tempfile.mkdtemp(dir="/dev/shm", prefix="vaultfleet-unit-shared-"))
    folder.chmod(0o1777)
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    monkeypatch.setattr(_store, "_SHARED_MEMORY", str(folder))
    yield folder
    shutil.rmtree(folder)


@as_root
def test_another_user_reads_and_plants_nothing(shared_memory: Path) -> None:
    store = open_store()
    store.write("key", {"token": "secret"})
    ours = user_folder(shared_memory)
    record = Path(store.path, "key")
    attempts: list[t.Callable[[], object]] = [
        lambda: list(ours.iterdir()),
        record.read_text,
        lambda: record.with_name("planted").write_text("{}"),
        lambda: ours.rename(shared_memory / "away"),
        lambda: (shared_memory / "link").hardlink_to(record),
    ]
    for attempt in attempts:
        assert as_nobody(attempt).startswith("PermissionError")
    assert store.read("key") == {"token": "secret"}


@as_root
def test_what_another_user_prepared_is_refused(shared_memory: Path) -> None:
    ours = user_folder(shared_memory)
    assert as_nobody(lambda: ours.mkdir(mode=0o777)) == "None"
    with pytest.raises(StoreError, match="not a folder of this user alone"):
        open_store()
    assert _store.dead_stores() == []


@as_root
def test_two_users_at_once(shared_memory: Path) -> None:
    mine = open_store()
    mine.write("key", {"whose": "mine"})

    def theirs() -> str:
        store = open_store()
        assert store.read("key") is None
        store.write("key", {"whose": "theirs"})
        return store.path

    path = as_nobody(theirs)
    assert path.startswith(str(shared_memory))
    assert path != mine.path
    assert mine.read("key") == {"whose": "mine"}
