# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A network of its own for a host: nothing is in reach there but what is let in or out by name.

The namespace has no name. Only those that use it keep it, so that nothing is left once they are gone.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import ctypes
import os
import socket
import subprocess
import typing as t
from dataclasses import dataclass

from .errors import FleetError
from .relay import Relay

CLONE_NEWNET = 0x40000000
LOOPBACK = "127.0.0.1"
METADATA = "169.254.169.254"
# The far end of the cable stays in the same namespace: it only gives the near end a carrier.
SETUP = """\
link set lo up
address add {metadata}/32 dev lo
link add eth0 type veth peer name cable
address add {address}/16 dev eth0
link set cable up
link set eth0 up
"""

_Result = t.TypeVar("_Result")


@dataclass(frozen=True)
class Network:
    """A host's network. ``namespace`` is a file descriptor; ``address`` that of the host's eth0."""

    namespace: int
    address: str
    relay: Relay

    def reach(self, port: int, at: tuple[str, int] | None = None) -> None:
        """Show what listens on this machine's 127.0.0.1:``port`` to the host, there at the same or ``at`` an address.

        While nothing listens here, the host's connections are reset.
        """
        listener = self._inside(lambda: socket.create_server(at or (LOOPBACK, port)))
        self.relay.add(listener, lambda: (socket.socket(), (LOOPBACK, port)))

    def publish(self, port: int) -> int:
        """Show a port of the host on a free port of this machine's 127.0.0.1, and return that one."""
        listener = socket.create_server((LOOPBACK, 0))
        self.relay.add(listener, lambda: (self._inside(socket.socket), (self.address, port)))
        return int(listener.getsockname()[1])

    def _inside(self, work: t.Callable[[], _Result]) -> _Result:
        """Do ``work`` in the namespace: a socket stays in the one that it was made in."""

        def moved() -> _Result:
            _system_call("setns", self.namespace, CLONE_NEWNET)
            return work()

        return _in_thread(moved)


@contextlib.contextmanager
def network(address: str, relay: Relay) -> t.Iterator[Network]:
    """A new network with the private ``address``. Raises FleetError if this machine cannot have it."""
    namespace = _in_thread(lambda: _make(address))
    try:
        yield Network(namespace, address, relay)
    finally:
        os.close(namespace)


def _make(address: str) -> int:
    _system_call("unshare", CLONE_NEWNET)
    # A child is where its thread is.
    done = subprocess.run(
        ["ip", "-batch", "-"],
        check=False,
        input=SETUP.format(metadata=METADATA, address=address),
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise FleetError(f"a host's network could not be set up:\n{done.stderr.strip()}")
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY)


def _in_thread(work: t.Callable[[], _Result]) -> _Result:
    """Do ``work`` in a thread that ends with it, as one that has moved to a namespace is fit for nothing else."""
    with concurrent.futures.ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(work).result()


def _system_call(name: str, *arguments: int) -> None:
    # Python has these from 3.12 on.
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments) != 0:
        raise FleetError(f"a host's network takes root's rights ({name}: {os.strerror(ctypes.get_errno())})")
