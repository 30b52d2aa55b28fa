# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The service manager: what it told this process at its start, and what this process tells it.

Written out here, as python-systemd is a C extension that hardly any managed host has, and the protocol is small:
sd_notify(3), sd_listen_fds(3), sd_watchdog_enabled(3), of systemd 246 (BARRIER=1) and later.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import select
import socket
import time
import typing as t

Environ = t.Mapping[str, str]

_FIRST_FD = 3  # SD_LISTEN_FDS_START
_MOST_FDS = 768  # which is what the manager takes and gives at once (NOTIFY_FD_MAX of its source)
_PATIENCE = 0.5  # seconds for a manager whose queue is full
_LONGEST_STATUS = 500  # characters


@dataclasses.dataclass(frozen=True)
class Notifier:
    """Tells the manager about this process; address: its socket, None if there is no manager.

    Each method returns whether the message was handed over: False without a manager, with one that has gone away, or
    if its queue stays full for half a second. None raises.
    """

    address: str | None

    @classmethod
    def from_environ(cls, environ: Environ) -> Notifier:
        """Read NOTIFY_SOCKET: a path, or with ``@`` an abstract name. All else is nothing that a service is given."""
        address = environ.get("NOTIFY_SOCKET", "")
        if address.startswith("@"):
            return cls("\0" + address[1:])
        return cls(address if address.startswith("/") else None)

    @property
    def present(self) -> bool:
        """Whether there is a manager that wants to be told."""
        return self.address is not None

    def ready(self) -> bool:
        """Tell that the start, or a reload, is over."""
        return self._send("READY=1")

    def reloading(self) -> bool:
        """Tell that a reload has begun; ``ready`` ends it. The time is what Type=notify-reload asks for."""
        return self._send("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> bool:
        """Tell that the end has begun."""
        return self._send("STOPPING=1")

    def status(self, text: str) -> bool:
        """Set the line that ``systemctl status`` shows; line breaks and control characters become blanks."""
        line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
        return self._send(f"STATUS={line[:_LONGEST_STATUS]}")

    def watchdog(self) -> bool:
        """Tell that this process is alive."""
        return self._send("WATCHDOG=1")

    def store(self, name: str, descriptor: int) -> bool:
        """Hand over a copy of ``descriptor``, which the next process of this service is given under ``name``.

        True does not mean that the manager keeps it: a store that is full, or has no room at all, is not told of.
        """
        return _is_name(name) and self._send("FDSTORE=1", f"FDNAME={name}", descriptors=(descriptor,))

    def remove(self, name: str) -> bool:
        """Have all descriptors of that name thrown away."""
        return _is_name(name) and self._send("FDSTOREREMOVE=1", f"FDNAME={name}")

    def barrier(self, timeout: float) -> bool:
        """Wait until the manager has worked off all messages before this one; False after ``timeout`` seconds."""
        ours, theirs = os.pipe()
        try:
            try:
                sent = self._send("BARRIER=1", descriptors=(theirs,))
            finally:
                os.close(theirs)
            # The manager closes its copy when it gets there, which hangs up the pipe.
            return sent and hung_up(ours, timeout)
        finally:
            os.close(ours)

    def _send(self, *assignments: str, descriptors: tuple[int, ...] = ()) -> bool:
        if self.address is None:
            return False
        message = "\n".join(assignments).encode("utf-8", "replace")
        # A socket for each message needs no care when the manager comes and goes. It is connected, as only then the
        # kernel lets a sender sleep while the queue of the other side is full.
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.settimeout(_PATIENCE)
            sender.connect(self.address)
            if descriptors:
                return socket.send_fds(sender, [message], descriptors) == len(message)
            return sender.send(message) == len(message)
        return False


def hung_up(descriptor: int, timeout: float) -> bool:
    """Wait at most ``timeout`` seconds until nobody holds the other end of this pipe any more; whether that is so."""
    poll = select.poll()
    poll.register(descriptor, 0)  # a hang-up is always told of
    return bool(poll.poll(timeout * 1000))


def watchdog_interval(environ: Environ) -> float | None:
    """Seconds within which the manager wants a sign of life, None if it wants none (WATCHDOG_USEC, WATCHDOG_PID)."""
    interval = _number(environ, "WATCHDOG_USEC")
    if not interval or _number(environ, "WATCHDOG_PID") not in (None, os.getpid()):
        return None
    return interval / 1_000_000


def store_limit(environ: Environ) -> int | None:
    """How many descriptors the manager keeps for this service, None if it does not tell (before systemd 254)."""
    return _number(environ, "FDSTORE")


def listen_fds(environ: Environ) -> dict[str, list[int]]:
    """Take the descriptors that the manager gave to this process: name -> descriptors, closed at an exec from now on.

    Empty if they are meant for another process (LISTEN_PID). One without a name is called ``unknown``.
    """
    if _number(environ, "LISTEN_PID") != os.getpid():
        return {}
    count = min(_number(environ, "LISTEN_FDS") or 0, _MOST_FDS)
    names = environ.get("LISTEN_FDNAMES", "").split(":")
    found: dict[str, list[int]] = {}
    for position in range(count):
        descriptor = _FIRST_FD + position
        name = names[position] if position < len(names) and names[position] else "unknown"
        with contextlib.suppress(OSError):  # not open, whatever the variable says
            os.set_inheritable(descriptor, False)
            found.setdefault(name, []).append(descriptor)
    return found


def _is_name(name: str) -> bool:
    """Whether it can be an FDNAME; a line break in it would be another message."""
    return bool(re.fullmatch(r"[!-9;-~]{1,255}", name))


def _number(environ: Environ, name: str) -> int | None:
    text = environ.get(name, "")
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else None
