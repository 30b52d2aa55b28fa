# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A bare service that runs on a host: tells what it was started with, and sends systemd what it is told to send.

``fdstore_probe.py`` is the service; ``fdstore_probe.py COMMAND...`` has it carry out a command and prints the answer.
Written without the agent's code, so that it can judge systemd alone.
"""

from __future__ import annotations

import array
import fcntl
import json
import os
import select
import socket
import sys
import typing as t
from pathlib import Path

CONTROL = "/run/probe/control"
STARTED = Path("/run/probe/started")
SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


def notify(text: str, *descriptors: int) -> None:
    """Send one message to systemd."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
        sender.sendmsg([text.encode()], rights, 0, os.environ["NOTIFY_SOCKET"])


def memfd(text: str) -> int:
    """A sealed piece of memory."""
    descriptor = os.memfd_create("probe", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.write(descriptor, text.encode())
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, SEALS)
    return descriptor


def store(name: str, *texts: str) -> None:
    """Store one piece of memory for each text, all under one name."""
    for text in texts:
        descriptor = memfd(text)
        notify(f"FDSTORE=1\nFDNAME={name}", descriptor)
        os.close(descriptor)


def twice(first: str, second: str) -> None:
    """Store the same piece of memory under two names."""
    descriptor = memfd("same")
    notify(f"FDSTORE=1\nFDNAME={first}", descriptor)
    notify(f"FDSTORE=1\nFDNAME={second}", descriptor)


def remove(name: str) -> None:
    """Take everything of a name out of the store."""
    notify(f"FDSTOREREMOVE=1\nFDNAME={name}")


def barrier() -> bool:
    """Whether systemd closes its end of a pipe within 5 s, as it does once it has worked off what came before."""
    ours, theirs = os.pipe()
    notify("BARRIER=1", theirs)
    os.close(theirs)
    poll = select.poll()
    poll.register(ours, select.POLLHUP)
    done = bool(poll.poll(5000))
    os.close(ours)
    return done


def starve() -> None:
    """Have systemd's watchdog bite soon, as nobody will feed it."""
    notify("WATCHDOG_USEC=1000000")


COMMANDS: dict[str, t.Callable[..., t.Any]] = {
    "store": store,
    "twice": twice,
    "remove": remove,
    "barrier": barrier,
    "starve": starve,
}


def received() -> list[tuple[str, str, bool]]:
    """Name, content and sealed or not, of each descriptor that systemd gave to this process."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return []
    found = []
    for number, name in enumerate(os.environ["LISTEN_FDNAMES"].split(":"), 3):
        sealed = fcntl.fcntl(number, fcntl.F_GET_SEALS) == SEALS
        found.append((name, os.pread(number, 4096, 0).decode(), sealed))
    return found


def serve() -> None:
    """Be the service."""
    state = {"pid": os.getpid(), "fds": received(), "limit": os.environ.get("FDSTORE")}
    fresh = STARTED.with_suffix(".new")
    fresh.write_text(json.dumps(state), encoding="utf-8")
    Path(CONTROL).unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(CONTROL)
        server.listen()
        fresh.replace(STARTED)
        notify("READY=1\nWATCHDOG=1")
        while True:
            connection, _address = server.accept()
            with connection, connection.makefile("rw") as stream:
                command, *arguments = json.loads(stream.readline())
                print(json.dumps(COMMANDS[command](*arguments)), file=stream)


def ask(*words: str) -> None:
    """Have the service carry out a command."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.connect(CONTROL)
        with client.makefile("rw") as stream:
            print(json.dumps(words), file=stream, flush=True)
            print(stream.readline(), end="")


if __name__ == "__main__":
    if sys.argv[1:]:
        ask(*sys.argv[1:])
    else:
        serve()
