# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A service manager on a real socket: it takes messages and descriptors as systemd does, and keeps what has room."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import threading
import time
import typing as t
from pathlib import Path


class Manager:
    """What systemd's PID 1 is to a service. room: FileDescriptorStoreMax=. deaf: it takes nothing from its queue."""

    def __init__(self, path: Path, room: int = 8, refuses_late: bool = False) -> None:
        self.path = path
        self.room = room
        self.refuses_late = refuses_late
        self.messages: list[list[str]] = []
        self.held: list[tuple[str, int]] = []
        self.most = 0  # descriptors ever held at once
        self.deaf = threading.Event()
        self._heeds = threading.Event()  # that it is deaf
        self._late: list[threading.Timer] = []
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._listener.bind(str(path))
        self._stop, self._stopped = os.pipe()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    @property
    def environ(self) -> dict[str, str]:
        """The variables that the service is given."""
        return {"NOTIFY_SOCKET": str(self.path)}

    def names(self) -> list[str]:
        """What it holds."""
        return [name for name, _descriptor in self.held]

    def told(self, tag: str) -> int:
        """How often it was told ``tag`` (``READY=1``)."""
        return sum(message.count(tag) for message in self.messages)

    def hand_back(self) -> dict[str, list[int]]:
        """Copies of what it holds, as the next process of the service gets them."""
        found: dict[str, list[int]] = {}
        for name, descriptor in self.held:
            found.setdefault(name, []).append(os.dup(descriptor))
        return found

    def deafen(self) -> None:
        """Be deaf, once this returns: what was about to be taken was taken."""
        self._heeds.clear()
        self.deaf.set()
        assert self._heeds.wait(30)

    def wait(self, condition: t.Callable[[], bool]) -> None:
        """Wait until it has worked off enough for ``condition``."""
        give_up = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < give_up, (self.messages, self.names())
            time.sleep(0.002)

    def close(self) -> None:
        """Go away, and throw everything away."""
        os.close(self._stopped)
        self._thread.join()
        for timer in self._late:
            timer.join()
        os.close(self._stop)
        self._listener.close()
        self.path.unlink()
        for _name, descriptor in self.held:
            os.close(descriptor)
        self.held.clear()

    def _serve(self) -> None:
        while True:
            waits_for: list[int | socket.socket] = [self._stop, self._listener]
            if self.deaf.is_set():
                del waits_for[1]
                self._heeds.set()
            ready, _out, _err = select.select(waits_for, [], [], 0.05)
            if self._stop in ready:
                return
            if self._listener in ready:
                message, descriptors, _flags, _sender = socket.recv_fds(self._listener, 4096, 16)
                self._take(message.decode().split("\n"), descriptors)

    def _take(self, tags: list[str], descriptors: list[int]) -> None:
        self.messages.append(tags)
        name = next((tag[len("FDNAME=") :] for tag in tags if tag.startswith("FDNAME=")), "stored")
        if "FDSTORE=1" in tags:
            for descriptor in descriptors:
                if len(self.held) < self.room:
                    self.held.append((name, descriptor))
                    self.most = max(self.most, len(self.held))
                elif self.refuses_late:
                    self._late.append(threading.Timer(0.02, os.close, [descriptor]))
                    self._late[-1].start()
                else:
                    os.close(descriptor)
            return
        if "FDSTOREREMOVE=1" in tags:
            for other, descriptor in [one for one in self.held if one[0] == name]:
                self.held.remove((other, descriptor))
                os.close(descriptor)
        for descriptor in descriptors:  # of BARRIER=1, which all before it has been done for
            os.close(descriptor)


@contextlib.contextmanager
def managed(path: Path, room: int = 8, refuses_late: bool = False) -> t.Iterator[Manager]:
    """A manager for as long as the block lasts."""
    manager = Manager(path, room, refuses_late)
    try:
        yield manager
    finally:
        manager.close()
