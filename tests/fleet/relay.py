# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A relay between networks: what connects to a listening socket is connected to somewhere else."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
import typing as t

# Gives a socket that is not connected yet, and where it is to connect to.
Target = t.Callable[[], tuple[socket.socket, tuple[str, int]]]


@contextlib.contextmanager
def relays() -> t.Iterator[Relay]:
    """A relay that closes all its sockets in the end."""
    relay = Relay()
    try:
        yield relay
    finally:
        relay.close()


class Relay:
    """Any number of listening sockets, served by one thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._run, name="relay", daemon=True)
        self._thread.start()

    def add(self, listener: socket.socket, target: Target) -> None:
        """Connect what comes to ``listener``, which is the relay's from here on."""
        listener.setblocking(False)
        self._loop.call_soon_threadsafe(self._start, listener, target)

    def close(self) -> None:
        """Close all sockets."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        self._loop.run_forever()
        for task in self._tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*self._tasks, return_exceptions=True))
        self._loop.close()

    def _start(self, listener: socket.socket, target: Target) -> None:
        self._keep(self._serve(listener, target))

    def _keep(self, work: t.Coroutine[t.Any, t.Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, listener: socket.socket, target: Target) -> None:
        with listener:
            while True:
                near, _address = await self._loop.sock_accept(listener)
                self._keep(self._connect(near, target))

    async def _connect(self, near: socket.socket, target: Target) -> None:
        with near:
            near.setblocking(False)
            far, address = target()
            with far:
                far.setblocking(False)
                try:
                    await self._loop.sock_connect(far, address)
                except OSError:
                    # Nobody is there: a reset is the nearest to a refusal that an accepted connection can have.
                    near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    return
                await self._carry_both(near, far)

    async def _carry_both(self, near: socket.socket, far: socket.socket) -> None:
        for one in (near, far):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        ways = [self._loop.create_task(self._carry(*way)) for way in ((near, far), (far, near))]
        try:
            with contextlib.suppress(OSError):
                await asyncio.gather(*ways)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _carry(self, source: socket.socket, target: socket.socket) -> None:
        while data := await self._loop.sock_recv(source, 65536):
            await self._loop.sock_sendall(target, data)
        target.shutdown(socket.SHUT_WR)
