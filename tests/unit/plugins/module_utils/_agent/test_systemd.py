# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the agent tells the service manager, seen at the other end of a real socket; and what it reads of it."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.vaultfleet.aws.plugins.module_utils._agent import systemd
from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.systemd import Notifier
from ansible_collections.vaultfleet.aws.tests.unit.plugins.module_utils._agent.manager import Manager, managed


@pytest.fixture
def manager(tmp_path: Path) -> t.Iterator[Manager]:
    """A manager that listens."""
    with managed(tmp_path / "notify") as one:
        yield one


@pytest.fixture
def notifier(manager: Manager) -> Notifier:
    """What tells it."""
    return Notifier.from_environ(manager.environ)


def open_descriptors() -> int:
    """How many this process has."""
    return sum(1 for _entry in Path("/proc/self/fd").iterdir())


def test_plain_messages(manager: Manager, notifier: Notifier) -> None:
    """In order, each by itself."""
    assert notifier.present
    assert notifier.ready()
    assert notifier.stopping()
    assert notifier.watchdog()
    assert notifier.barrier(5)
    assert manager.messages == [["READY=1"], ["STOPPING=1"], ["WATCHDOG=1"], ["BARRIER=1"]]


def test_reloading_tells_the_time(manager: Manager, notifier: Notifier) -> None:
    """In microseconds of CLOCK_MONOTONIC, which Type=notify-reload compares."""
    before = time.clock_gettime(time.CLOCK_MONOTONIC)
    assert notifier.reloading()
    assert notifier.barrier(5)
    first, second = manager.messages[0]
    assert first == "RELOADING=1"
    name, value = second.split("=")
    assert name == "MONOTONIC_USEC"
    assert before - 0.001 <= int(value) / 1e6 <= time.clock_gettime(time.CLOCK_MONOTONIC)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("token in 1 of 2 sinks", "token in 1 of 2 sinks"),
        ("two\nlines\r\nREADY=1", "two lines READY=1"),
        ("\x1b[31mred\x00 \u202ehidden", "[31mred hidden"),
        ("Zürich \udcff", "Zürich"),
        ("", ""),
        ("x" * 5000, "x" * 500),
    ],
)
def test_status_is_one_line(text: str, shown: str, manager: Manager, notifier: Notifier) -> None:
    """Nothing in it can be another message, or play with a terminal."""
    assert notifier.status(text)
    assert notifier.barrier(5)
    assert manager.messages[0] == [f"STATUS={shown}"]


def test_an_abstract_socket() -> None:
    """As containers have it."""
    name = f"vaultfleet-{secrets.token_hex(8)}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(f"\0{name}")
        assert Notifier.from_environ({"NOTIFY_SOCKET": f"@{name}"}).ready()
        assert listener.recv(100) == b"READY=1"


@pytest.mark.parametrize("address", [None, "", "vsock:2:1234", "relative/path"])
def test_no_manager(address: str | None) -> None:
    """Every call is a no-op."""
    notifier = Notifier.from_environ({} if address is None else {"NOTIFY_SOCKET": address})
    assert not notifier.present
    calls: list[bool] = [
        notifier.ready(),
        notifier.reloading(),
        notifier.stopping(),
        notifier.status("x"),
        notifier.watchdog(),
        notifier.store("x", 0),
        notifier.remove("x"),
        notifier.barrier(5),
    ]
    assert calls == [False] * 8


def test_a_manager_that_has_gone(tmp_path: Path) -> None:
    """No error, no descriptor left open, and it is found again when it comes back."""
    path = tmp_path / "notify"
    with managed(path) as manager:
        notifier = Notifier.from_environ(manager.environ)
        assert notifier.ready()
    before = open_descriptors()
    assert not notifier.ready()
    assert not notifier.store("a", 0)
    assert not notifier.barrier(5)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as dead:
        dead.bind(str(path))
    assert not notifier.ready()  # nobody listens there any more
    assert not Notifier("/" + "x" * 200).ready()  # longer than an address may be
    assert open_descriptors() == before
    path.unlink()
    with managed(path) as manager:
        assert notifier.ready()
        assert notifier.barrier(5)
        assert manager.messages == [["READY=1"], ["BARRIER=1"]]


def test_a_full_queue(manager: Manager, notifier: Notifier, monkeypatch: pytest.MonkeyPatch) -> None:
    """A manager that hangs delays each message for a bounded time, asleep."""
    monkeypatch.setattr(systemd, "_PATIENCE", 0.2)
    manager.deafen()
    sent = 0
    while notifier.watchdog():
        sent += 1
        assert sent < 10_000
    begun, busy = time.monotonic(), time.process_time()
    assert not notifier.watchdog()
    assert 0.15 < time.monotonic() - begun < 5
    assert time.process_time() - busy < 0.1
    manager.deaf.clear()
    assert notifier.barrier(5)
    assert manager.messages[:sent] == [["WATCHDOG=1"]] * sent


def test_store_and_remove(manager: Manager, notifier: Notifier, tmp_path: Path) -> None:
    """It gets a copy of the descriptor; removal is by name."""
    file = tmp_path / "file"
    file.write_text("content")
    for name in ("a", "b"):
        with file.open() as opened:
            assert notifier.store(name, opened.fileno())
    assert notifier.barrier(5)
    assert manager.names() == ["a", "b"]
    assert os.pread(manager.held[0][1], 100, 0) == b"content"
    assert notifier.remove("a")
    assert notifier.barrier(5)
    assert manager.names() == ["b"]


@pytest.mark.parametrize("name", ["", "a\nREADY=1", "a:b", "a b", "ä", "x" * 256, "\x7f"])
def test_names_that_are_none(name: str, manager: Manager, notifier: Notifier) -> None:
    """They are not sent: a line break in one would be another message."""
    assert not notifier.store(name, 0)
    assert not notifier.remove(name)
    assert notifier.barrier(5)
    assert manager.messages == [["BARRIER=1"]]


def test_barrier_waits(manager: Manager, notifier: Notifier) -> None:
    """False after its time for a manager that does not get there, True when it has."""
    manager.deafen()
    before, begun = open_descriptors(), time.monotonic()
    assert not notifier.barrier(0.1)
    assert time.monotonic() - begun < 5
    assert open_descriptors() == before  # the one in flight is in no table
    manager.deaf.clear()
    assert notifier.barrier(5)


@pytest.mark.parametrize(
    ("environ", "interval"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "1500000", "WATCHDOG_PID": "ours"}, 1.5),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "-1"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "9" * 5000}, None),
        ({}, None),
    ],
)
def test_watchdog_interval(environ: dict[str, str], interval: float | None) -> None:
    """In seconds, and only if it is meant for this process."""
    # Not the one of the collection: ansible-test runs each test in a process of its own.
    environ = {name: value.replace("ours", str(os.getpid())) for name, value in environ.items()}
    assert systemd.watchdog_interval(environ) == interval


@pytest.mark.parametrize(("environ", "limit"), [({"FDSTORE": "8"}, 8), ({"FDSTORE": ""}, None), ({}, None)])
def test_store_limit(environ: dict[str, str], limit: int | None) -> None:
    """As newer managers tell."""
    assert systemd.store_limit(environ) == limit


LISTENER = """
import fcntl, json, os, sys
sys.path[:0] = [sys.argv[1]]
from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.systemd import listen_fds
environ = {**os.environ, "LISTEN_PID": os.environ["LISTEN_PID"].replace("SELF", str(os.getpid()))}
found = listen_fds(environ)
closed = all(fcntl.fcntl(fd, fcntl.F_GETFD) & fcntl.FD_CLOEXEC for fds in found.values() for fd in fds)
print(json.dumps([found, closed]))
"""


@pytest.mark.parametrize(
    ("variables", "given", "expected"),
    [
        ({"LISTEN_PID": "SELF", "LISTEN_FDS": "3", "LISTEN_FDNAMES": "a:b:a"}, 3, {"a": [3, 5], "b": [4]}),
        ({"LISTEN_PID": "SELF", "LISTEN_FDS": "2"}, 2, {"unknown": [3, 4]}),
        ({"LISTEN_PID": "SELF", "LISTEN_FDS": "2", "LISTEN_FDNAMES": "a"}, 2, {"a": [3], "unknown": [4]}),
        ({"LISTEN_PID": "SELF", "LISTEN_FDS": "1", "LISTEN_FDNAMES": "a:b"}, 2, {"a": [3]}),
        ({"LISTEN_PID": "SELF", "LISTEN_FDS": "900000", "LISTEN_FDNAMES": "a:b"}, 2, {"a": [3], "b": [4]}),
        ({"LISTEN_PID": "SELF", "LISTEN_FDS": "nonsense"}, 2, {}),
        ({"LISTEN_PID": "1", "LISTEN_FDS": "2"}, 2, {}),
        ({"LISTEN_PID": "", "LISTEN_FDS": "2"}, 2, {}),
    ],
)
def test_listen_fds(variables: dict[str, str], given: int, expected: dict[str, list[int]]) -> None:
    """In a process of its own, which is given descriptors from 3 on."""
    root = next(path for path in sys.path if Path(path, "ansible_collections/vaultfleet/aws/plugins").is_dir())
    shell = "".join(f"exec {number}</dev/null; " for number in range(3, 3 + given))
    done = subprocess.run(
        ["sh", "-c", f'{shell} exec "$@"', "sh", sys.executable, "-c", LISTENER, root],
        env={"PATH": os.environ["PATH"], **variables},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == [expected, True]


def test_what_is_sent_does_not_leak(manager: Manager, notifier: Notifier) -> None:
    """Descriptors stay as many."""
    before = open_descriptors()
    for _round in range(50):
        assert notifier.watchdog()
    assert notifier.barrier(5)
    assert open_descriptors() == before
