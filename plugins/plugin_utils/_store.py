# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a run's tokens are: files in memory, in a folder that is the user's alone and the run's own.

Private to this collection. Nothing here reaches a disk by itself; swap is the machine's to encrypt or to do without.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import random
import shutil
import time
import typing as t

from ansible_collections.vaultfleet.aws.plugins.module_utils._auth import sink
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.errors import SinkError
from ansible_collections.vaultfleet.aws.plugins.plugin_utils._hit import (
    HITS,
    OPEN,
    folder_in,
    is_own_file,
    is_own_folder,
    is_safe,
)
from ansible_collections.vaultfleet.aws.plugins.plugin_utils._hit import SHARED_MEMORY as _SHARED_MEMORY
from ansible_collections.vaultfleet.aws.plugins.plugin_utils._run import Run, run_of, this_run

_IN_MEMORY = ("tmpfs", "ramfs")
_OWNER = "owner.json"
_CREATED = "created"
_EVENTS = "events"
_LARGEST = 4 * 1024 * 1024  # bytes of one of our files
_POLL = (0.005, 0.03)  # seconds between two looks at a lock


class StoreError(Exception):
    """There is no place for the tokens, or it cannot be trusted; ``str()`` is for a person."""


class BusyError(Exception):
    """A lock was held for longer than the caller would wait. holder: the pid in the lock file, or None."""

    def __init__(self, holder: int | None) -> None:
        super().__init__(holder)
        self.holder = holder


@dataclasses.dataclass(frozen=True)
class Store:
    """The folder of one run. is_new: whether it was made by who holds this."""

    path: str
    is_new: bool = dataclasses.field(default=False, compare=False)

    def read(self, name: str) -> dict[str, t.Any] | None:
        """Return the record ``name``, or None if it is missing or no JSON object. Raises StoreError."""
        return _parse(self._text(name))

    def write(self, name: str, record: t.Mapping[str, t.Any]) -> None:
        """Put ``record`` at ``name`` in one step. Raises StoreError (a full file system, for one)."""
        try:
            sink.write(sink.Sink(self._file(name)), json.dumps(record))
        except SinkError as e:
            raise StoreError(str(e)) from None

    def forget(self, name: str) -> None:
        """Remove the record ``name``. Raises StoreError."""
        with _explained("remove", self._file(name)), contextlib.suppress(FileNotFoundError):
            os.unlink(self._file(name))

    @contextlib.contextmanager
    def lock(self, name: str, patience: float) -> t.Iterator[None]:
        """Hold the lock ``name``; the kernel frees it when its holder dies. Raises BusyError (patience: seconds)."""
        with _explained("open", self._file(name)):
            descriptor = self._open(f"{name}.lock", os.O_RDWR | os.O_CREAT)
        try:
            give_up = time.monotonic() + patience
            while not _try_lock(descriptor):
                if time.monotonic() >= give_up:
                    raise BusyError(_holder(descriptor))
                time.sleep(random.uniform(*_POLL))  # noqa: S311 - no secret, only a pause
            with contextlib.suppress(OSError):  # on a full file system only the pid in a message is lost
                os.pwrite(descriptor, b"%-10d" % os.getpid(), 0)
            yield
        finally:
            os.close(descriptor)

    def count(self, event: str, seconds: float) -> None:
        """Note an event (``login``, ``renewal``) that took ``seconds``; lost when there is no room for it."""
        with contextlib.suppress(StoreError):
            self._append(_EVENTS, f"{event} {seconds:.3f}\n")

    def count_hit(self) -> None:
        """Note that the shared token served: one byte each, since there may be millions."""
        with contextlib.suppress(StoreError):
            self._append(HITS, ".")

    def events(self) -> dict[str, tuple[int, float]]:
        """How often each event was noted, and the seconds they took together."""
        sums: dict[str, tuple[int, float]] = {}
        for line in self._text(_EVENTS).splitlines():
            event, _gap, seconds = line.partition(" ")
            with contextlib.suppress(ValueError):
                times, total = sums.get(event, (0, 0.0))
                sums[event] = times + 1, total + float(seconds)
        return sums

    def hits(self) -> int:
        """How often ``count_hit`` was called."""
        try:
            return os.lstat(self._file(HITS)).st_size
        except OSError:
            return 0

    def add_created(self, entry: t.Mapping[str, t.Any]) -> None:
        """Remember a token to revoke at the end of the run, or that its end is another one now. Raises StoreError."""
        self._append(_CREATED, json.dumps(entry) + "\n")

    def created(self) -> list[dict[str, t.Any]]:
        """The entries of ``add_created``; torn ones are left out. Raises StoreError."""
        return [entry for entry in map(_parse, self._text(_CREATED).splitlines()) if entry is not None]

    def _file(self, name: str) -> str:
        return os.path.join(self.path, name)

    def _open(self, name: str, flags: int) -> int:
        """Open a file that is ours alone. Raises OSError, and StoreError if it is not."""
        path = self._file(name)
        descriptor = os.open(path, flags | OPEN, 0o600)
        if not is_own_file(os.fstat(descriptor)):
            os.close(descriptor)
            raise StoreError(f"{path} is not a file of this user alone (somebody may have put it there): remove it")
        return descriptor

    def _append(self, name: str, text: str) -> None:
        with _explained("write", self._file(name)):
            descriptor = self._open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            try:
                if os.write(descriptor, text.encode()) < len(text):
                    raise StoreError(f"cannot write {self._file(name)}: there is no room left")
            finally:
                os.close(descriptor)

    def _text(self, name: str) -> str:
        """What is in the file, or nothing if there is none. Raises StoreError."""
        with _explained("read", self._file(name)):
            try:
                descriptor = self._open(name, os.O_RDONLY)
            except FileNotFoundError:
                return ""
            with open(descriptor, "rb") as file:
                return file.read(_LARGEST).decode("utf-8", "replace")


def open_store(*, callback: bool = False) -> Store:
    """Return this run's store, made if it is not there. callback: this run revokes its tokens at the end.

    Raises StoreError where there is no file system in memory, or where somebody else has been at work.
    """
    run = this_run()
    if run is None:
        raise StoreError("this system has no /proc to tell runs apart")
    path = os.path.join(_user_folder(), run.name)
    store = Store(path, is_new=_own_folder(path))
    if callback or not os.path.lexists(os.path.join(path, _OWNER)):
        try:
            store.write(_OWNER, {"run": dataclasses.asdict(run), "callback": callback})
        except StoreError:
            with contextlib.suppress(OSError):  # without that record nobody could tell whose it is
                os.rmdir(path)
            raise
    return store


def is_new() -> bool:
    """Whether this run has no store yet. Raises StoreError."""
    run = this_run()
    return run is None or not os.path.lexists(os.path.join(_user_folder(), run.name))


def store_of_callback() -> Store | None:
    """Return this run's store if it is one that is emptied and revoked at the end of the run."""
    try:
        store = None if is_new() else open_store()
    except StoreError:
        return None
    return store if store and has_callback(store) else None


def dead_stores() -> list[tuple[Store, bool]]:
    """The stores of runs that are gone for certain, and whether their tokens were to be revoked."""
    found = []
    for base in _bases():
        folder = folder_in(base)
        if not is_own_folder(folder):
            continue
        for name in os.listdir(folder):
            store = Store(os.path.join(folder, name))
            run, callback = _owner(store)
            if run is not None and run.is_dead() and run.name == name:
                found.append((store, callback))
    return found


def destroy(store: Store) -> None:
    """Remove the store and all in it."""
    shutil.rmtree(store.path, ignore_errors=True)


def has_callback(store: Store) -> bool:
    """Whether the run of ``store`` revokes its tokens at the end."""
    return _owner(store)[1]


def _owner(store: Store) -> tuple[Run | None, bool]:
    try:
        record = store.read(_OWNER)
    except StoreError:
        record = None
    fields = record.get("run") if record else None
    run = run_of(fields) if isinstance(fields, dict) else None
    return run, bool(record and record.get("callback") is True)


def _user_folder() -> str:
    base = next(_bases(), None)
    if base is None:
        raise StoreError("there is no file system in memory (XDG_RUNTIME_DIR on a tmpfs, or /dev/shm)")
    path = folder_in(base)
    _own_folder(path)
    return path


def _bases() -> t.Iterator[str]:
    """Where the user's folder can be, the best place first."""
    for base in (os.environ.get("XDG_RUNTIME_DIR"), _SHARED_MEMORY):
        if base and os.path.isabs(base) and os.access(base, os.W_OK | os.X_OK) and is_safe(base) and _in_memory(base):
            yield base


def _own_folder(path: str) -> bool:
    """Make the folder, or make sure that it is ours and nobody else's; whether it was made. Raises StoreError."""
    made = False
    with _explained("use", path), contextlib.suppress(FileExistsError):
        os.mkdir(path, 0o700)
        made = True
    if not is_own_folder(path):
        raise StoreError(f"{path} is not a folder of this user alone (somebody may have put it there): remove it")
    return made


@contextlib.contextmanager
def _explained(action: str, path: str) -> t.Iterator[None]:
    try:
        yield
    except OSError as e:
        raise StoreError(f"cannot {action} {path}: {e.strerror or type(e).__name__}") from None


def _in_memory(base: str) -> bool:
    """Whether ``base`` is on a file system in memory: proc_pid_mountinfo(5), third field and the first one after -."""
    try:
        device = os.stat(base).st_dev
        wanted = f"{os.major(device)}:{os.minor(device)}"
        with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as file:
            for line in file:
                fields, _dash, rest = line.partition(" - ")
                if fields.split()[2] == wanted:
                    return rest.split()[0] in _IN_MEMORY
    except (OSError, IndexError):
        pass
    return False


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as e:
        raise StoreError(f"locks do not work there: {e.strerror}") from None
    return True


def _holder(descriptor: int) -> int | None:
    text = os.pread(descriptor, 20, 0).strip()
    return int(text) if text.isdigit() else None


def _parse(text: str | None) -> dict[str, t.Any] | None:
    try:
        record = json.loads(text) if text else None
    except (ValueError, RecursionError):
        record = None
    return record if isinstance(record, dict) else None
