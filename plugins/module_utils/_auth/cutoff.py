# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A hard end for one HTTP exchange.

urllib3's timeouts bound each read, so a server that sends a byte now and then holds a client for ever. Here a timer
shuts the exchange's sockets down, which ends any read at once. urllib3 has no total deadline of its own.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import typing as t
import weakref

if t.TYPE_CHECKING:
    from .lib_hvac import urllib3


class Cutoff:
    """Knows the open sockets of the pools that it was given to, and can shut them down."""

    def __init__(self) -> None:
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()

    def watch(self, manager: urllib3.PoolManager) -> None:
        """Let ``manager`` make connections of its own kind (direct, or through SOCKS) that this object can cut."""
        kinds = manager.pool_classes_by_scheme
        manager.pool_classes_by_scheme = {scheme: self._watched(pool) for scheme, pool in kinds.items()}

    def _watched(self, pool: t.Any) -> t.Any:
        remember = self._sockets.add

        class Connection(pool.ConnectionCls):  # type: ignore[misc]
            def _new_conn(self) -> socket.socket:
                made: socket.socket = super()._new_conn()
                remember(made)  # a proxy's answer comes before ``connect`` ends
                return made

            def connect(self) -> None:
                super().connect()
                remember(self.sock)

        class Pool(pool):  # type: ignore[misc]
            ConnectionCls = Connection

        return Pool

    @contextlib.contextmanager
    def after(self, seconds: float) -> t.Iterator[None]:
        """Shut all sockets down unless the block ends within ``seconds``."""
        timer = threading.Timer(seconds, self._cut)
        timer.daemon = True
        # Python 3.12 starts no thread once its exit handlers run; what is left there are the timeouts of each read.
        with contextlib.suppress(RuntimeError):
            timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _cut(self) -> None:
        for sock in list(self._sockets):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
