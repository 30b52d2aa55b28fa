# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Token files: always whole, never through a link, with mode and owner from the start."""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import signal
import stat
import subprocess
import sys
import threading
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.vaultfleet.aws.plugins.module_utils._auth import sink
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.errors import ConfigError, LoginError, SinkError
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.sink import Sink

TOKEN = "hvs.canary"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a token goes."""
    folder = tmp_path / "run"
    folder.mkdir()
    return folder / "token"


@pytest.fixture(params=[0o077, 0o000, 0o777])
def umask(request: pytest.FixtureRequest) -> t.Iterator[None]:
    """Whatever the process's umask is."""
    before = os.umask(request.param)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    """The permission bits of a file."""
    return stat.S_IMODE(path.lstat().st_mode)


def names(path: Path) -> list[str]:
    """What is in the directory of the token."""
    return sorted(entry.name for entry in path.parent.iterdir())


@pytest.mark.parametrize("wanted", [0o600, 0o640, 0o644, 0o400, 0o660])
def test_mode(path: Path, umask: None, wanted: int) -> None:
    """As given, whatever the umask; also where the file was there with another."""
    sink.write(Sink(str(path), wanted), TOKEN)
    assert (mode(path), path.read_text(encoding="utf-8")) == (wanted, TOKEN)
    path.chmod(0o666)
    assert sink.differs(Sink(str(path), wanted))
    sink.write(Sink(str(path), wanted), "other")
    assert (mode(path), path.read_text(encoding="utf-8")) == (wanted, "other")
    assert not sink.differs(Sink(str(path), wanted))
    assert names(path) == ["token"]


def test_read(path: Path) -> None:
    """The text, or None where there is nothing."""
    assert sink.read(str(path)) is None
    assert sink.current_mode(str(path)) is None
    assert not sink.differs(Sink(str(path)))
    sink.write(Sink(str(path)), TOKEN)
    assert sink.read(str(path)) == TOKEN
    assert sink.current_mode(str(path)) == 0o600


def test_remove(path: Path) -> None:
    """True if there was a file."""
    assert sink.remove(str(path)) is False
    sink.write(Sink(str(path)), TOKEN)
    assert sink.remove(str(path)) is True
    assert names(path) == []


def test_owner_is_the_own(path: Path) -> None:
    """The own user and group can always be given."""
    made = Sink.from_options("sink", {"path": str(path), "owner": str(os.getuid()), "group": os.getgid()})
    sink.write(made, TOKEN)
    assert (path.stat().st_uid, path.stat().st_gid) == (os.getuid(), os.getgid())


def test_owner_comes_before_the_mode(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change of owner clears bits of the mode; and nobody may open the file before both are set."""
    order: list[str] = []
    monkeypatch.setattr(os, "fchown", lambda *_args: order.append("owner"))
    monkeypatch.setattr(os, "fchmod", lambda *_args: order.append("mode"))
    sink.write(Sink(str(path), 0o640, uid=1, gid=2), TOKEN)
    assert order == ["owner", "mode"]


def test_owner_that_cannot_be_given(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The old file stays, and nothing is left behind."""
    sink.write(Sink(str(path)), "old")

    def refuse(*_args: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "fchown", refuse)
    with pytest.raises(SinkError, match="not permitted"):
        sink.write(Sink(str(path), uid=0), TOKEN)
    with pytest.raises(SinkError):
        sink.check_writable(Sink(str(path), uid=0))
    assert path.read_text(encoding="utf-8") == "old"
    assert names(path) == ["token"]


def test_readers_see_old_or_new(path: Path) -> None:
    """A reader beside many writes never sees a part, nor nothing."""
    contents = {"a" * 4000, "b" * 4000}
    sink.write(Sink(str(path)), "a" * 4000)
    seen: set[str] = set()
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            seen.add(path.read_text(encoding="utf-8"))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for turn in range(60):
            sink.write(Sink(str(path)), ("a", "b")[turn % 2] * 4000)
    finally:
        stop.set()
        reader.join()
    assert seen <= contents


KINDS: dict[str, t.Callable[[Path], t.Any]] = {
    "a symbolic link": lambda path: path.symlink_to(path.parent / "target"),
    "a directory": lambda path: path.mkdir(),
    "not a regular file": os.mkfifo,
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_file(path: Path, kind: str) -> None:
    """Refused by every operation, at once, and left alone."""
    KINDS[kind](path)
    (path.parent / "target").write_text("precious", encoding="utf-8")
    for operation in (
        lambda: Sink.from_options("sink", {"path": str(path)}),
        lambda: sink.write(Sink(str(path)), TOKEN),
        lambda: sink.read(str(path)),
        lambda: sink.remove(str(path)),
        lambda: sink.differs(Sink(str(path))),
        lambda: sink.current_mode(str(path)),
    ):
        with pytest.raises(SinkError, match=kind) as caught:
            operation()
        assert caught.value.hint
    assert (path.parent / "target").read_text(encoding="utf-8") == "precious"
    assert names(path) == ["target", "token"]


def test_directory_missing(tmp_path: Path) -> None:
    """Not made: its mode is the user's to decide."""
    path = str(tmp_path / "no" / "token")
    for operation in (
        lambda: Sink.from_options("sink", {"path": path}),
        lambda: sink.read(path),
        lambda: sink.write(Sink(path), TOKEN),
    ):
        with pytest.raises(SinkError, match="cannot open the directory") as caught:
            operation()
        assert "create it first" in caught.value.hint


def test_directory_is_a_link(path: Path, tmp_path: Path) -> None:
    """Not followed; the cure is the real path."""
    (tmp_path / "link").symlink_to(path.parent)
    with pytest.raises(SinkError, match="cannot open the directory") as caught:
        sink.write(Sink(str(tmp_path / "link" / "token")), TOKEN)
    assert str(path.parent) in caught.value.hint


def test_directory_is_a_file(path: Path) -> None:
    """A path through a file."""
    path.write_text("x", encoding="utf-8")
    with pytest.raises(SinkError, match="cannot open the directory"):
        sink.read(str(path / "token"))


def test_read_only_directory(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Told before a login is made, and the old file stays."""
    sink.write(Sink(str(path)), "old")
    real = os.open

    def refuse(name: t.Any, flags: int, *args: t.Any, **kwargs: t.Any) -> int:
        if flags & os.O_CREAT:  # root may write everywhere, so the kernel's answer is put in its mouth
            raise OSError(30, "Read-only file system")
        return real(name, flags, *args, **kwargs)

    monkeypatch.setattr(os, "open", refuse)
    for operation in (sink.check_writable, lambda place: sink.write(place, TOKEN)):
        with pytest.raises(SinkError, match=r"cannot write .* Read-only file system"):
            operation(Sink(str(path)))
    assert path.read_text(encoding="utf-8") == "old"


FULL = """
import resource, signal, sys
sys.path[:0] = sys.argv[2:]
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth import sink
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
try:
    sink.write(sink.Sink(sys.argv[1]), "x" * 4000)
except sink.SinkError as e:
    print(e)
"""


def in_process(script: str, path: Path) -> subprocess.CompletedProcess[str]:
    """Run ``script`` in a process of its own, with this one's modules."""
    return subprocess.run(
        [sys.executable, "-c", script, str(path), *sys.path], capture_output=True, text=True, timeout=20, check=False
    )


def test_no_room(path: Path) -> None:
    """A write that ends half way leaves the old token, and no litter."""
    sink.write(Sink(str(path)), "old")
    done = in_process(FULL, path)
    assert f"cannot write {path}: File too large" in done.stdout, done.stderr
    assert path.read_text(encoding="utf-8") == "old"
    assert names(path) == ["token"]
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 100


KILLED = """
import os, signal, sys
sys.path[:0] = sys.argv[2:]
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth import sink
os.fsync = lambda _descriptor: os.kill(os.getpid(), signal.SIGKILL)
sink.write(sink.Sink(sys.argv[1]), "new")
"""


def test_killed_writer(path: Path) -> None:
    """The old token is whole; what is left is private, and goes with a later write, once it is old."""
    sink.write(Sink(str(path)), "old")
    assert in_process(KILLED, path).returncode == -signal.SIGKILL
    assert path.read_text(encoding="utf-8") == "old"
    (left,) = [path.parent / name for name in names(path) if name != "token"]
    assert mode(left) == 0o600
    sink.write(Sink(str(path)), "next")
    assert left.exists()  # as it could be a live writer's
    os.utime(left, (time.time() - 3600,) * 2)
    sink.write(Sink(str(path)), "next")
    assert names(path) == ["token"]


def test_leftovers_of_others(path: Path) -> None:
    """Only what this sink's writers left is removed; what cannot be removed holds nothing up."""
    kept_names = [
        ".other.tmp-0123456789abcdef",
        ".token.tmp-short",
        ".token.tmp-0123456789ABCDEF",
        "token.tmp-0123456789abcdef",
    ]
    for name in [*kept_names, ".token.tmp-0123456789abcdef"]:
        (path.parent / name).write_text("", encoding="utf-8")
    (path.parent / ".token.tmp-aaaaaaaaaaaaaaaa").mkdir()
    for entry in path.parent.iterdir():
        os.utime(entry, (time.time() - 3600,) * 2)
    sink.write(Sink(str(path)), TOKEN)
    assert names(path) == sorted([*kept_names, ".token.tmp-aaaaaaaaaaaaaaaa", "token"])


def test_what_is_too_large(path: Path) -> None:
    """A file that is no token is not read into memory."""
    path.write_bytes(b"x" * 70000)
    with pytest.raises(SinkError, match="over 65536 bytes"):
        sink.read(str(path))


def test_bytes_that_are_no_text(path: Path) -> None:
    """Read all the same; it will match no record."""
    path.write_bytes(b"\xff\xfe")
    assert sink.read(str(path))


@pytest.mark.parametrize(
    ("given", "expected"),
    [("0600", 0o600), ("600", 0o600), ("0o640", 0o640), ("0644", 0o644), (0o600, 0o600), (0o640, 0o640), (None, 0o600)],
)
def test_good_mode(path: Path, given: object, expected: int) -> None:
    """Quoted octal, or an integer that YAML read as octal."""
    assert Sink.from_options("sink", {"path": str(path), "mode": given}).mode == expected


@pytest.mark.parametrize(
    "given",
    ["", "rw", "u=rw", "0800", "60", "00600", "-600", "01777", "4755", "0755", "0611", "0040", "0200", "0000", 600, 640,
     644, 660, 400, 440, 444, 0, -1, True, 1.5, [], {}, "\u0660600", "0600\n", 2**70],
)  # fmt: skip
def test_bad_mode(path: Path, given: object) -> None:
    """What is none, what would lock the owner out, and what an unquoted number turns into."""
    with pytest.raises(ConfigError) as caught:
        Sink.from_options("sink", {"path": str(path), "mode": given})
    assert caught.value.option == "sink.mode"
    assert caught.value.hint


@pytest.mark.parametrize(
    "given", [None, "", "token", "./token", "/run/", "/run/a\0b", "/run/a\nb", "/run/a\x1bb", 5, []]
)
def test_bad_path(given: object) -> None:
    """Absolute, and of a file."""
    with pytest.raises(ConfigError) as caught:
        Sink.from_options("sink", {"path": given})
    assert caught.value.option == "sink.path"
    assert caught.value.hint


@pytest.mark.parametrize("option", ["owner", "group"])
@pytest.mark.parametrize(
    "given",
    ["no-such-name-here", "", "-1", -1, "a\0b", "\udc80", "4294967295", 2**32, "9" * 40, "9" * 5000, 1.5, [], "x" * 500]
)  # fmt: skip
def test_unknown_owner(path: Path, option: str, given: object) -> None:
    """Unknown names, and numbers that are no ids."""
    with pytest.raises(ConfigError) as caught:
        Sink.from_options("sink", {"path": str(path), option: given})
    assert caught.value.option == f"sink.{option}"
    assert caught.value.hint
    assert len(str(caught.value)) < 300


def test_home(path: Path) -> None:
    """``~`` is the user's home."""
    assert Sink.from_options("sink", {"path": "~/token"}).path == os.path.join(os.environ["HOME"], "token")  # noqa: PTH118


def test_one_at_a_time(path: Path) -> None:
    """The second waits for the first, no longer than it has patience."""
    order: list[str] = []

    def second() -> None:
        with sink.turn(str(path), 5):
            order.append("second")

    with sink.turn(str(path), 5):
        waiting = threading.Thread(target=second)
        waiting.start()
        time.sleep(0.1)
        order.append("first")
    waiting.join()
    assert order == ["first", "second"]
    with sink.turn(str(path), 5):
        started = time.monotonic()
        with sink.turn(str(path), 0.15):
            assert 0.1 < time.monotonic() - started < 2


def test_errors_are_of_the_family(tmp_path: Path) -> None:
    """One except for all."""
    with pytest.raises(LoginError):
        sink.read(str(tmp_path / "no" / "token"))


def test_turn_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that has no locks is not waited for."""

    def refuse(*_args: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    started = time.monotonic()
    with sink.turn(str(tmp_path / "token"), 5):
        assert time.monotonic() - started < 1
