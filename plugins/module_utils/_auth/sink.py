# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Token files: always whole, never through a symlink, with mode and owner set before anybody can open them.

Ansible's atomic_move and the like write first and restrict after, and follow what is planted in the way.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import grp
import os
import pwd
import re
import secrets
import stat
import time
import typing as t

from .errors import ConfigError, SinkError

LARGEST = 65536  # bytes; a batch token has a few hundred
_TEMPORARY = re.compile(r"\.tmp-[0-9a-f]{16}\Z")
_LEFTOVER_AGE = 600  # seconds
_FOLLOW_NOT = os.O_CLOEXEC | os.O_NOFOLLOW


@dataclasses.dataclass(frozen=True)
class Sink:
    """A token file; build it with ``from_options``. uid and gid: None leaves what the writing process has."""

    path: str
    mode: int = 0o600
    uid: int | None = None
    gid: int | None = None

    @classmethod
    def from_options(cls, option: str, options: t.Mapping[str, t.Any], *, look: bool = True) -> Sink:
        """Judge path, mode, owner and group (None is absent), and look at the place. Raises ConfigError, SinkError.

        look: False where the place is made later, or is on another host.
        """
        given = {name: value for name, value in options.items() if value is not None}
        sink = cls(
            path=_path(f"{option}.path", given.get("path")),
            mode=_mode(f"{option}.mode", given.get("mode", 0o600)),
            uid=_owner(f"{option}.owner", given["owner"]) if "owner" in given else None,
            gid=_group(f"{option}.group", given["group"]) if "group" in given else None,
        )
        if look:
            with _directory(sink.path) as (directory, name):
                _state(directory, name, sink.path)
        return sink


def read(path: str, largest: int = LARGEST) -> str | None:
    """Return the text of the file at ``path``, or None if there is none. Raises SinkError for all that is no file, and
    for what has more than ``largest`` bytes.
    """
    with _directory(path) as (directory, name):
        if _state(directory, name, path) is None:
            return None
        with _explained(path, "read"):
            # O_NONBLOCK: what replaced the file since it was looked at may be a FIFO.
            descriptor = os.open(name, os.O_RDONLY | os.O_NONBLOCK | _FOLLOW_NOT, dir_fd=directory)
            with open(descriptor, "rb") as file:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    raise SinkError(f"{path} is not a file")
                content = file.read(largest + 1)
    if len(content) > largest:
        raise SinkError(f"{path} is over {largest} bytes, so it is no token file", hint="check the path")
    return content.decode("utf-8", "replace")


def write(sink: Sink, text: str) -> None:
    """Put ``text`` at the sink's path, as one step: readers see the old file or the new one. Raises SinkError.

    A new file beside it (O_EXCL) gets mode and owner first, then the text, is synced, and takes the name; the directory
    is synced last. On any error the old file stays and the new one goes.
    """
    with _directory(sink.path) as (directory, name):
        _state(directory, name, sink.path)
        with _explained(sink.path, "write"):
            _remove_leftovers(directory, name)
            temporary, descriptor = _new_file(directory, name, sink)
            try:
                with open(descriptor, "wb", closefd=False) as file:
                    file.write(text.encode())
                os.fsync(descriptor)
                os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
            except BaseException:
                _discard(directory, temporary, descriptor)
                raise
            os.close(descriptor)
            os.fsync(directory)


@contextlib.contextmanager
def turn(path: str, patience: float) -> t.Iterator[None]:
    """Let one process at a time look after the sinks of a directory, so that several need one login between them.

    It waits at most ``patience`` seconds and then goes on: somebody else may hold the lock for ever, and without it the
    worst is a login too many. Raises SinkError if there is no such directory.
    """
    with _directory(path) as (directory, _name):
        give_up = time.monotonic() + patience
        while time.monotonic() < give_up:
            try:
                fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(0.05)
            except OSError:
                break  # a file system without locks
        yield


def check_writable(sink: Sink) -> None:
    """Find out, before anything is asked for, whether ``write`` would work. Raises SinkError."""
    with _directory(sink.path) as (directory, name), _explained(sink.path, "write"):
        _discard(directory, *_new_file(directory, name, sink))


def differs(sink: Sink) -> bool:
    """Tell whether the file's mode or owner is not what the sink says. Raises SinkError."""
    with _directory(sink.path) as (directory, name):
        found = _state(directory, name, sink.path)
    return found is not None and (
        stat.S_IMODE(found.st_mode) != sink.mode
        or (sink.uid is not None and found.st_uid != sink.uid)
        or (sink.gid is not None and found.st_gid != sink.gid)
    )


def current_mode(path: str) -> int | None:
    """Return the file's mode, or None if there is none. Raises SinkError."""
    with _directory(path) as (directory, name):
        found = _state(directory, name, path)
    return None if found is None else stat.S_IMODE(found.st_mode)


def remove(path: str) -> bool:
    """Remove the file; False if there was none. Raises SinkError."""
    with _directory(path) as (directory, name):
        if _state(directory, name, path) is None:
            return False
        with _explained(path, "remove"):
            os.unlink(name, dir_fd=directory)
            os.fsync(directory)
    return True


def _new_file(directory: int, name: str, sink: Sink) -> tuple[str, int]:
    """Create the file that will take the sink's name, with its owner and mode: (name, descriptor)."""
    temporary = f".{name}.tmp-{secrets.token_hex(8)}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FOLLOW_NOT, 0o600, dir_fd=directory)
    try:
        # Owner before mode: a change of owner clears bits of the mode.
        if sink.uid is not None or sink.gid is not None:
            os.fchown(descriptor, -1 if sink.uid is None else sink.uid, -1 if sink.gid is None else sink.gid)
        os.fchmod(descriptor, sink.mode)
    except BaseException:
        _discard(directory, temporary, descriptor)
        raise
    return temporary, descriptor


def _discard(directory: int, temporary: str, descriptor: int) -> None:
    os.close(descriptor)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary, dir_fd=directory)


def _remove_leftovers(directory: int, name: str) -> None:
    """Remove what writers of this sink that were killed left behind, not what a live one is writing."""
    for entry in os.listdir(directory):
        if entry.startswith(f".{name}.tmp-") and _TEMPORARY.search(entry):
            # One that another user planted, or a directory, must not keep the token from being written.
            with contextlib.suppress(OSError):
                found = os.stat(entry, dir_fd=directory, follow_symlinks=False)
                if time.time() - found.st_mtime > _LEFTOVER_AGE:
                    os.unlink(entry, dir_fd=directory)


@contextlib.contextmanager
def _directory(path: str) -> t.Iterator[tuple[int, str]]:
    """Open the directory of ``path``, so that it cannot be swapped under us: (descriptor, file name)."""
    parent, name = os.path.split(path)
    try:
        descriptor = os.open(parent, os.O_RDONLY | os.O_DIRECTORY | _FOLLOW_NOT)
    except OSError as e:
        hint = "create it first, with a mode that lets only its users in" if isinstance(e, FileNotFoundError) else ""
        if os.path.islink(parent):
            hint = f"it is a symbolic link: give {os.path.realpath(parent)}"
        raise SinkError(f"cannot open the directory {parent}", server=str(e.strerror), hint=hint) from None
    try:
        yield descriptor, name
    finally:
        os.close(descriptor)


def _state(directory: int, name: str, path: str) -> os.stat_result | None:
    with _explained(path, "look at"):
        try:
            found = os.stat(name, dir_fd=directory, follow_symlinks=False)
        except FileNotFoundError:
            return None
    for is_kind, kind in ((stat.S_ISLNK, "a symbolic link"), (stat.S_ISDIR, "a directory")):
        if is_kind(found.st_mode):
            raise SinkError(f"{path} is {kind}", hint="give the path of a file")
    if not stat.S_ISREG(found.st_mode):
        raise SinkError(f"{path} is not a regular file", hint="give the path of a file")
    return found


@contextlib.contextmanager
def _explained(path: str, action: str) -> t.Iterator[None]:
    try:
        yield
    except OSError as e:
        raise SinkError(f"cannot {action} {path}", server=e.strerror or type(e).__name__) from None


def _path(option: str, value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ConfigError(option, "is missing", hint="give the path of a file")
    path = os.path.expanduser(value) if value.isprintable() else ""
    if not os.path.isabs(path) or path.endswith("/"):
        raise ConfigError(option, f"{value[:80]!r} is not an absolute path of a file", hint="start it with /")
    return os.path.normpath(path)


def _mode(option: str, value: object) -> int:
    """A quoted octal string, or an integer that is meant as written in YAML's octal (0o600 is 384)."""
    hint = 'give it as a quoted octal string, such as "0600" or "0640"'
    mode = value
    if isinstance(value, str):
        if not re.fullmatch(r"(0o)?[0-7]{3,4}", value, re.ASCII):
            raise ConfigError(option, f"{value[:20]!r} is not an octal mode", hint=hint)
        mode = int(value, 8)
    # 400 is the one decimal that looks like a usual mode and would pass as another one (0620).
    if isinstance(mode, bool) or not isinstance(mode, int) or not 0 <= mode <= 0o777 or value == 400:
        raise ConfigError(option, f"{value!r} is not a mode of at most 0777", hint=hint)
    if not mode & 0o400:
        raise ConfigError(option, f"{mode:04o} keeps the owner from reading the file", hint=hint)
    if mode & 0o111:
        raise ConfigError(option, f"{mode:04o} makes the file executable (an unquoted number?)", hint=hint)
    return mode


def _owner(option: str, value: object) -> int:
    return _id(option, value, "user", lambda name: pwd.getpwnam(name).pw_uid)


def _group(option: str, value: object) -> int:
    return _id(option, value, "group", lambda name: grp.getgrnam(name).gr_gid)


def _id(option: str, value: object, kind: str, of_name: t.Callable[[str], int]) -> int:
    text = str(value)
    if not text.isdecimal():
        try:
            return of_name(text)
        except (KeyError, ValueError):
            raise ConfigError(
                option, f"there is no {kind} {text[:80]!r}", hint="create it first, or give an id"
            ) from None
    number = int(text[:20])
    if number >= 2**32 - 1:  # which the kernel reads as "leave it"
        raise ConfigError(option, f"{text[:20]} is not an id", hint="give a name, or an id below 4294967295")
    return number
