# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The little of a Redis server that the server's own database engine needs: users come and go.

Credentials, leases, renewals and revocations are the engine's; this only keeps its users.
"""

from __future__ import annotations

import socketserver
import threading
import typing as t


class Redis(socketserver.ThreadingTCPServer):
    """A server on a port of its own. users: names of those that the engine has made and not taken away."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.users: set[str] = set()
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])

    def answer(self, words: list[str]) -> str:
        """What a command gets (RESP, the protocol of Redis)."""
        command = " ".join(words[:2]).upper()
        if command == "ACL SETUSER":
            self.users.add(words[2])
            return "+OK\r\n"
        if command == "ACL DELUSER":
            count = len(self.users & set(words[2:]))
            self.users -= set(words[2:])
            return f":{count}\r\n"
        if command == "ACL LIST":
            return "".join([f"*{len(self.users)}\r\n", *(f"${len(one)}\r\n{one}\r\n" for one in sorted(self.users))])
        return "+PONG\r\n" if words[0].upper() == "PING" else "+OK\r\n"


class _Connection(socketserver.StreamRequestHandler):
    server: t.Any

    def handle(self) -> None:
        while True:
            head = self.rfile.readline()
            if not head.startswith(b"*"):
                return
            words = []
            for _word in range(int(head[1:])):
                length = int(self.rfile.readline()[1:])
                words.append(self.rfile.read(length + 2)[:-2].decode())
            self.wfile.write(self.server.answer(words).encode())
