# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A proxy in front of a real server, on 127.0.0.1: it passes requests on, or does to them what a fault says."""

from __future__ import annotations

import contextlib
import enum
import http.client
import re
import socket
import ssl
import struct
import threading
import time
import typing as t
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

_PATIENCE = 60.0  # seconds that the real server has for an answer
_ITS_OWN = {"connection", "content-length", "keep-alive", "transfer-encoding"}  # headers of one connection
_LARGEST_HEAD = 65536  # bytes


class Stage(enum.Enum):
    """Where a fault strikes: nobody listens; a connection was made; its TLS begins; a request came."""

    LISTEN = enum.auto()
    CONNECT = enum.auto()
    TLS = enum.auto()
    REQUEST = enum.auto()


@dataclass(frozen=True)
class Request:
    """What a client sent."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """What the real server answered."""

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def head(self) -> bytes:
        """Its first line and headers, as they are passed on."""
        lines = [f"HTTP/1.1 {self.status} {self.reason}", *(f"{name}: {value}" for name, value in self.headers)]
        if self.status not in (204, 304):
            lines.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join([*lines, "", ""]).encode("latin-1")


@dataclass(frozen=True)
class Visit:
    """A client's connection in the hands of a fault. request: None before there is one.

    real: asks the real server. upstream, own, traps: addresses of the real server, of the proxy, and of servers that
    must never be asked, by name. gone: wait until the client leaves, or for so many seconds.
    """

    sock: socket.socket
    request: Request | None
    real: Callable[[], Answer]
    upstream: str
    own: str
    traps: t.Mapping[str, str]
    gone: Callable[[float], bool]


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong. certificate: of stage TLS, the name of the one that is shown. prepare: done before it
    strikes, as whoever meets it waits for so long only.
    """

    name: str
    stage: Stage
    act: Callable[[Visit], None] = lambda _visit: None
    certificate: str = ""
    prepare: Callable[[], object] = lambda: None


@dataclass(frozen=True)
class Passed:
    """A request that was passed on. at: on ``time.monotonic()``, when its answer was there."""

    at: float
    path: str
    status: int


class Proxy:
    """One listening port. ``begin`` and ``clear`` switch a fault; in between, and always else, requests are passed on.

    upstream: the real server's address. cafile: to verify it. certificates: PEM files with key by name, "" for the
    usual one; without any it speaks plain HTTP.
    """

    def __init__(
        self, upstream: str, cafile: str | None = None, certificates: t.Mapping[str, Path] | None = None
    ) -> None:
        self.upstream = upstream.rstrip("/")
        self.traps: dict[str, str] = {}
        self.trapped: Callable[[], int] = lambda: 0
        self.hits = 0
        self.over_at = time.monotonic()
        self.asked: list[tuple[float, str]] = []
        self.passed: list[Passed] = []
        self._client = ssl.create_default_context(cafile=cafile) if upstream.startswith("https:") else None
        self._contexts = {name: _context(file) for name, file in (certificates or {}).items()}
        self._turn = threading.Lock()
        self._fault: Fault | None = None
        self._left: int | None = None
        self._path = ""
        self._timer: threading.Timer | None = None
        self._closing = threading.Event()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listener = _bound(0)
        self.port = int(self._listener.getsockname()[1])
        self._listen()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"{'https' if self._contexts else 'http'}://127.0.0.1:{self.port}"

    def __enter__(self) -> t.Self:
        return self

    def __exit__(self, *_args: object) -> None:
        self.close()

    def begin(self, fault: Fault, count: int | None = None, seconds: float | None = None, path: str = "") -> None:
        """Do ``fault`` from now on: to ``count`` connections or requests, for ``seconds``, or until ``clear``.

        path: only requests whose path has this (a regular expression). Connections that are open are cut.
        """
        self.clear()
        fault.prepare()
        with self._turn:
            self._fault, self._left, self._path, self.hits = fault, count, path, 0
        if fault.stage is Stage.LISTEN:
            self._close_listener()
            # A port that is bound, but not listened on, refuses, and nobody else can take it.
            self._listener = _bound(self.port)
        for one in list(self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        if seconds is not None:
            self._timer = threading.Timer(seconds, self.clear)
            self._timer.start()

    def clear(self) -> None:
        """Pass everything on from now on."""
        if self._timer and self._timer is not threading.current_thread():
            self._timer.cancel()
            self._timer = None
        with self._turn:
            fault, self._fault = self._fault, None
            if fault:
                self.over_at = time.monotonic()
        if fault and fault.stage is Stage.LISTEN:
            self._listener.close()
            self._listener = _bound(self.port)
            self._listen()

    def answered(self, path: str, after: float) -> list[Passed]:
        """What was passed on and worked since ``after``; path: a regular expression that is in their paths."""
        return [one for one in self.passed if one.at > after and one.status < 300 and re.search(path, one.path)]

    def close(self) -> None:
        """Stop listening, and cut every connection."""
        self._closing.set()
        self.clear()
        self._close_listener()
        for one in list(self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)

    def _listen(self) -> None:
        self._listener.listen(64)
        self._start(self._accept, self._listener)

    def _close_listener(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept
        self._listener.close()

    def _start(self, function: Callable[..., None], *args: t.Any) -> None:
        thread = threading.Thread(target=function, args=args, daemon=True)
        self._threads = [one for one in self._threads if one.is_alive()]
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _address = listener.accept()
            except OSError:
                return
            self._start(self._serve, near)

    def _serve(self, near: socket.socket) -> None:
        near.settimeout(_PATIENCE)
        with near, contextlib.suppress(OSError):
            near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open.add(near)
            sock = near
            try:
                fault = self._take(Stage.CONNECT)
                if fault:
                    self._act(fault, near, None)
                    return
                if self._contexts:
                    fault = self._take(Stage.TLS)
                    sock = self._contexts[fault.certificate if fault else ""].wrap_socket(near, server_side=True)
                    self._open.add(sock)
                with sock:
                    while self._exchange(sock):
                        pass
            finally:
                self._open -= {near, sock}
                self._count_down()

    def _exchange(self, sock: socket.socket) -> bool:
        """One request and its answer; whether there may be more on this connection."""
        request = _read_request(sock)
        if request is None:
            return False
        self.asked.append((time.monotonic(), request.path))
        fault = self._take(Stage.REQUEST, request.path)
        if fault:
            self._act(fault, sock, request)
            return False
        answer = self._forward(request)
        self.passed.append(Passed(time.monotonic(), request.path, answer.status))
        sock.sendall(answer.head + answer.body)
        return True

    def _act(self, fault: Fault, sock: socket.socket, request: Request | None) -> None:
        def real() -> Answer:
            assert request is not None
            return self._forward(request)

        def gone(seconds: float) -> bool:
            return self._gone(sock, seconds)

        with contextlib.suppress(OSError):
            fault.act(Visit(sock, request, real, self.upstream, self.url, self.traps, gone))

    def _take(self, stage: Stage, path: str = "") -> Fault | None:
        """The fault, if it strikes here."""
        with self._turn:
            fault = self._fault
            if fault is None or fault.stage is not stage or self._left == 0 or not re.search(self._path, path):
                return None
            self.hits += 1
            if self._left is not None:
                self._left -= 1
            return fault

    def _count_down(self) -> None:
        with self._turn:
            over = self._fault is not None and self._left == 0
        if over:
            self.clear()

    def _forward(self, request: Request) -> Answer:
        parts = urlsplit(self.upstream)
        connection: http.client.HTTPConnection
        if self._client:
            connection = http.client.HTTPSConnection(parts.netloc, timeout=_PATIENCE, context=self._client)
        else:
            connection = http.client.HTTPConnection(parts.netloc, timeout=_PATIENCE)
        with contextlib.closing(connection):
            try:
                connection.putrequest(
                    request.method, parts.path + request.path, skip_host=True, skip_accept_encoding=True
                )
                for name, value in request.headers:
                    if name.lower() not in _ITS_OWN - {"content-length"}:
                        connection.putheader(name, value)
                connection.endheaders(request.body)
                answer = connection.getresponse()
                body = answer.read()
            except http.client.HTTPException as exc:
                raise OSError(f"the real server: {exc}") from exc
        headers = tuple((name, value) for name, value in answer.getheaders() if name.lower() not in _ITS_OWN)
        return Answer(answer.status, answer.reason, headers, body)

    def _gone(self, sock: socket.socket, seconds: float) -> bool:
        """Wait until the client has left, or the proxy is closed; False if neither came within ``seconds``."""
        deadline = time.monotonic() + seconds
        plain = socket.socket(fileno=sock.fileno())  # peeks, which TLS sockets cannot
        try:
            plain.settimeout(0.1)
            while time.monotonic() < deadline:
                if self._closing.is_set():
                    return True
                try:
                    if not plain.recv(1, socket.MSG_PEEK):
                        return True
                    time.sleep(0.1)  # there is something to read, perhaps for ever
                except TimeoutError:
                    continue
                except OSError:
                    return True
        finally:
            plain.detach()
        return False


def reset(sock: socket.socket) -> None:
    """Close a connection so that the other side gets a reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def _bound(port: int) -> socket.socket:
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", port))
    return sock


def _context(file: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


def _read_request(sock: socket.socket) -> Request | None:
    """The next request; None if the client is done, or sends anything else."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = sock.recv(65536)
        if not part or len(data) > _LARGEST_HEAD:
            return None
        data += part
    head, _empty, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    words = first.split(" ")
    if len(words) != 3:
        return None
    headers = tuple((name, value.strip()) for name, _colon, value in (line.partition(":") for line in lines))
    length = next((int(value) for name, value in headers if name.lower() == "content-length"), 0)
    while len(body) < length:
        part = sock.recv(65536)
        if not part:
            return None
        body += part
    return Request(words[0], words[1], headers, body)
