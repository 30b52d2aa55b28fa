# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A server on this machine that answers nothing, and counts who comes."""

from __future__ import annotations

import contextlib
import socket
import threading
import typing as t


class Counter:
    """``port`` of 127.0.0.1, and how many connections it had."""

    def __init__(self, listener: socket.socket) -> None:
        self.port = int(listener.getsockname()[1])
        self.visitors = 0
        self._listener = listener

    def serve(self) -> None:
        """Count until the socket is shut down."""
        with contextlib.suppress(OSError):
            while True:
                visitor, _address = self._listener.accept()
                self.visitors += 1
                visitor.close()


@contextlib.contextmanager
def counter() -> t.Iterator[Counter]:
    """One that serves as long as the block lasts."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        one = Counter(listener)
        thread = threading.Thread(target=one.serve, daemon=True)
        thread.start()
        try:
            yield one
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
