# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A loopback HTTP server that answers what a test tells it to, and remembers what it was asked."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import http.server
import json
import select
import socket
import socketserver
import ssl
import threading
import time
import typing as t


@dataclasses.dataclass(frozen=True)
class Seen:
    """One request. headers: by lower-case name."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> t.Any:
        """The body, parsed."""
        return json.loads(self.body)


@dataclasses.dataclass(frozen=True)
class Reply:
    """One answer. raw: instead of it, write to the socket as the test likes."""

    status: int = 200
    body: t.Any = b""
    headers: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    raw: t.Callable[[socket.socket], None] | None = None


Answers = t.Union[Reply, t.Sequence[Reply], t.Callable[[Seen], Reply]]


class Web:
    """The running server. answers: one for all requests; one after the other, the last for ever; or a function.

    At its end its threads have ended too: tests that come after it count descriptors, or replace ``time.sleep``.
    """

    def __init__(self, answers: Answers, tls: ssl.SSLContext | None = None) -> None:
        self.seen: list[Seen] = []
        self._answers = answers
        self._open: list[tuple[threading.Thread, socket.socket]] = []
        self._closing = threading.Lock()
        web = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self) -> None:
                web._serve(self)

            def log_message(self, *args: t.Any) -> None:
                pass

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            block_on_close = False
            allow_reuse_address = True
            request_queue_size = 50

            def get_request(self) -> tuple[socket.socket, t.Any]:
                sock, address = super().get_request()
                if tls:  # the handshake is the handler's: a client that stops in it holds up nobody else
                    sock = tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
                return sock, address

            def process_request(self, request: t.Any, client_address: t.Any) -> None:
                target = self.process_request_thread
                thread = threading.Thread(target=target, args=(request, client_address), daemon=True)
                thread.start()
                web._open = [*(one for one in web._open if one[0].is_alive()), (thread, request)]

            def close_request(self, request: t.Any) -> None:
                with web._closing:
                    super().close_request(request)

            def handle_error(self, *args: t.Any) -> None:
                pass  # the client went away; it is the client that is under test

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.002,), daemon=True)
        self.port = int(self._server.server_address[1])
        self.scheme = "https" if tls else "http"
        self.url = f"{self.scheme}://127.0.0.1:{self.port}"

    def _serve(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        line = handler.rfile.readline(65537)
        handler.raw_requestline = line  # type: ignore[attr-defined] # typeshed leaves it out
        going_on = bool(line) and handler.parse_request()
        handler.close_connection = True
        if not going_on:
            return
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in handler.headers.items()}
        seen = Seen(handler.command, handler.path, headers, body)
        self.seen.append(seen)
        reply = self._reply(seen)
        if reply.raw:
            reply.raw(handler.connection)
            return
        content = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        kind = "text/plain" if isinstance(reply.body, bytes) else "application/json"
        handler.send_response_only(reply.status)
        given = {"Content-Type": kind, "Content-Length": str(len(content)), "Connection": "close", **reply.headers}
        for name, value in given.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(content)

    def _reply(self, seen: Seen) -> Reply:
        if isinstance(self._answers, Reply):
            return self._answers
        if callable(self._answers):
            return self._answers(seen)
        return self._answers[min(len(self.seen), len(self._answers)) - 1]

    def __enter__(self) -> Web:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        for thread, sock in self._open:
            # Who waits for the client is woken; past TLS, whose own way would take the socket from under its reader.
            with self._closing, contextlib.suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)
            thread.join(30)
            assert not thread.is_alive()


def drip(head: bytes, piece: bytes, pause: float = 0.05) -> Reply:
    """Writes ``head``, then ``piece`` again and again, until the client hangs up."""

    def raw(sock: socket.socket) -> None:
        with contextlib.suppress(OSError):
            sock.sendall(head)
            while True:
                sock.sendall(piece)
                time.sleep(pause)

    return Reply(raw=raw)


def hang(seconds: float) -> Reply:
    """Takes the request and says nothing for so long, or until the client hangs up."""

    def raw(sock: socket.socket) -> None:
        select.select([sock], [], [], seconds)

    return Reply(raw=raw)


_BOUND: list[socket.socket] = []


@functools.cache
def closed_port() -> int:
    """A port of this machine on which nothing listens; it stays taken, so that nobody else comes to listen on it."""
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    _BOUND.append(sock)
    return int(sock.getsockname()[1])
