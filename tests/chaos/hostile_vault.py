# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A hostile Vault, or something in its place, that wants our memory, our time, our terminal or somebody's token."""

from __future__ import annotations

import contextlib
import functools
import gzip
import json
import socket
import typing as t
import zlib
from collections.abc import Callable, Iterator, Mapping

from ansible_collections.vaultfleet.aws.tests.unit.support.vaults import AUTH, LOGIN, LOOKUP, TOKEN
from ansible_collections.vaultfleet.aws.tests.unit.support.web import Reply, Seen, Web, drip
from tests.chaos import front_ends as victims
from tests.chaos.trial import NO_SECRET, NO_WRONG_TOKEN, Finding, Ground, Trial

GROUP = "hostile Vault"
_JSON = {"Content-Type": "application/json"}
_ESCAPES = "\x1b[2J\x1b]0;owned\x07 \r\n2026-11-21 [INFO] agent: all is well\x00\x85\u2028\u202e"
_HOST = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
Answer = Reply | Callable[[Seen], Reply]


def trials() -> list[Trial]:
    """One trial for each answer to a login, with all four front ends; then those that need more than an answer."""
    refused = [
        Trial(GROUP, f"{GROUP}: {name}", functools.partial(_lied_to, answer, True), seconds=4)
        for name, answer in _REFUSED.items()
    ]
    taken = [
        Trial(GROUP, f"{GROUP}: {name}", functools.partial(_lied_to, answer, False), seconds=4)
        for name, answer in _TAKEN.items()
    ]
    return [
        *refused,
        *taken,
        Trial(GROUP, f"{GROUP}: redirects to another host", _redirected, seconds=12),
        Trial(GROUP, f"{GROUP}: wrapping tokens made elsewhere", _swapped, seconds=12),
    ]


def _auth(**block: t.Any) -> Reply:
    return Reply(200, {**LOGIN, "auth": {**AUTH, **block}})


def _text(text: str) -> Reply:
    return Reply(200, text.encode(), _JSON)


def _lease(number: str) -> Reply:
    """A login whose lease is written like that."""
    return _text(f'{{"auth": {{"client_token": "{TOKEN}", "lease_duration": {number}}}}}')


def _packed(encoding: str, layers: int, size: int) -> Reply:
    """A JSON answer of ``size`` bytes and more, in as many layers of compression."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    parts = [packer.compress(json.dumps(LOGIN).encode()[:-1] + b', "more": "')]
    parts += [packer.compress(b"x" * (1 << 20)) for _megabyte in range(size >> 20)]
    body = b"".join([*parts, packer.compress(b'"}'), packer.flush()])
    for _layer in range(layers - 1):
        body = gzip.compress(body)
    return Reply(200, body, {**_JSON, "Content-Encoding": ", ".join([encoding] * layers)})


def _endless(head: str, piece: bytes) -> Reply:
    """As fast as the line allows."""
    return drip(head.encode(), piece, 0)


def _header(line: bytes) -> Reply:
    """An answer that is right but for one line of its head."""
    body = json.dumps(LOGIN).encode()

    def raw(sock: socket.socket) -> None:
        with contextlib.suppress(OSError):
            sock.sendall(
                _HOST.encode() + line + b"\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body
            )

    return Reply(raw=raw)


_DEEP = '{"auth": ' + "[" * 1_000_000
_REFUSED: Mapping[str, Answer] = {
    "JSON a million levels deep": _text(_DEEP),
    "JSON of deep objects": _text('{"a":' * 170_000),
    "array of 100 MB": Reply(raw=lambda sock: _pour(sock, b"[" + b"0," * 50_000, 1000)),
    "endless body without a length": _endless(_HOST + "\r\n", b"x" * 65536),
    "endless chunks": _endless(_HOST + "Transfer-Encoding: chunked\r\n\r\n", b"1000\r\n" + b"x" * 4096 + b"\r\n"),
    "endless chunk length": _endless(_HOST + "Transfer-Encoding: chunked\r\n\r\n", b"0" * 4096),
    "endless headers": _endless(_HOST, b"X-More: " + b"x" * 1000 + b"\r\n"),
    "one endless header": _endless(_HOST + "X-More: ", b"x" * 65536),
    "endless 100 Continue": _endless("", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "a byte now and then": drip(_HOST.encode() + b"Content-Length: 100000\r\n\r\n", b"x", 0.3),
    "a byte of a header now and then": drip(_HOST.encode(), b"x", 0.3),
    "gzip bomb": _packed("gzip", 1, 256 << 20),
    "gzip bomb in three layers": _packed("gzip", 3, 1024 << 20),
    "integer of a million digits": _lease("9" * 1_000_000),
    "lease of NaN": _lease("NaN"),
    "lease of 1e308": _lease("1e308"),
    "lease of 1e999": _lease("1e999"),
    "lease below nothing": _auth(lease_duration=-1),
    "lease without end in an integer": _auth(lease_duration=2**63),
    "lease in words": _auth(lease_duration="3600"),
    "lease that is true": _auth(lease_duration=True),
    "token with a line break": _auth(client_token=f"{TOKEN}\r\nX-Vault-Namespace: other"),
    "token with control characters": _auth(client_token=f"{TOKEN}\x1b[2J\x00"),
    "token with other scripts": _auth(client_token=f"{TOKEN}\u202e\u2028"),
    "token with a lone surrogate": _text('{"auth": {"client_token": "hvs.\\ud800", "lease_duration": 60}}'),
    "token of 10 MB": _auth(client_token="x" * 10_000_000),
    "token of 100 kB": _auth(client_token="x" * 100_000),
    "empty token": _auth(client_token=""),
    "token that is a list": _auth(client_token=[TOKEN]),
    "token that is a number": _auth(client_token=1234567890),
    "accessor with a line break": _auth(accessor="a\nb"),
    "escape codes in errors": Reply(400, {"errors": [_ESCAPES, _ESCAPES]}),
    "escape codes in a page": Reply(502, f"<html>{_ESCAPES}</html>".encode(), {"Content-Type": "text/html"}),
    "escape codes in the content type": Reply(200, b"x", {"Content-Type": "a\x1b[2Jb"}),
    "errors of a megabyte": Reply(400, {"errors": ["<" * 500_000, "&" * 500_000]}),
    "errors that repeat our secrets": lambda seen: Reply(
        400, {"errors": [seen.body.decode(), victims.SECRET_KEY, seen.headers.get("authorization", "")]}
    ),
    "status 999": Reply(999, LOGIN),
    "status 204": Reply(204),
    "Retry-After of a year": Reply(429, {"errors": ["later"]}, {"Retry-After": "31536000"}),
}
# Odd, but a login all the same: it works, and what is odd goes no further.
_TAKEN: Mapping[str, Answer] = {
    "escape codes in warnings": Reply(200, {**LOGIN, "warnings": [_ESCAPES, 7, None, [_ESCAPES]]}),
    "escape codes in policies": _auth(policies=[_ESCAPES], metadata={_ESCAPES: _ESCAPES}),
    "a length that is none": Reply(200, LOGIN, {"Content-Length": "-1"}),
    "the same key twice": _text(f'{{"auth": {{"client_token": "s.0"}}, "auth": {json.dumps(AUTH)}}}'),
    "cookies and headers": _header(b"Set-Cookie: a=b\r\nX-Vault-Token: other\r\nLocation: http://127.0.0.1:9/"),
    "header with a bare line feed": _header(b"X-One: 1\nX-Two: \x1b[2J"),
    "header with a bare carriage return": _header(b"X-One: 1\rX-Two: 2"),
}


def _pour(sock: socket.socket, piece: bytes, times: int) -> None:
    with contextlib.suppress(OSError):
        sock.sendall(_HOST.encode() + b"\r\n")
        for _time in range(times):
            sock.sendall(piece)


def _lied_to(answer: Answer, refused: bool, ground: Ground) -> list[Finding]:
    """Each front end logs in, and gets this for an answer."""

    def reply(seen: Seen) -> Reply:
        if not seen.path.endswith("/login"):
            return Reply(200, LOOKUP)
        return answer(seen) if callable(answer) else answer

    with Web(reply) as web:
        world = victims.World(ground.folder, web.url)
        ran = victims.side_by_side({name: functools.partial(run, world) for name, run in victims.ALL.items()})
    findings = victims.judge(ran, refused=refused)
    sink = ground.folder / "agent-token"
    if refused:
        findings.append(Finding(NO_WRONG_TOKEN, not sink.exists(), "the agent's sink was not written"))
    else:
        findings.append(Finding(NO_WRONG_TOKEN, sink.read_text() == TOKEN, "the agent's sink holds the token"))
    return findings


@contextlib.contextmanager
def _elsewhere() -> Iterator[Web]:
    """A host of somebody else, who would be glad of a token."""
    with Web(Reply(200, LOGIN)) as web:
        yield web


def _redirected(ground: Ground) -> list[Finding]:
    """Login, lookup and revocation lead elsewhere: by another name, to a file, to the metadata, round."""
    with _elsewhere() as other:
        elsewhere = other.url.replace("127.0.0.1", "localhost")
        targets = (
            f"{elsewhere}/v1/auth/aws/login",
            f"//{elsewhere.partition('//')[2]}/v1/auth/aws/login",
            f"http://127.0.0.1@localhost:{other.port}/",
            f"http://localhost:{other.port}\\@127.0.0.1/",
            "file:///etc/passwd",
            "http://169.254.169.254/latest/meta-data/",
            "gopher://localhost/",
            "http://[::1",
            "/v1/auth/aws/login",
            "",
        )
        findings = []
        for target in targets:
            status = ground.random.choice([301, 302, 307, 308])
            with Web(Reply(status, b"", {"Location": target})) as web:
                world = victims.World(ground.folder, web.url)
                ran = victims.side_by_side({name: functools.partial(run, world) for name, run in victims.ALL.items()})
            findings += [one for one in victims.judge(ran, refused=True) if not one.kept]
        # The token itself: the server that gave it redirects whatever it is used for.
        with Web(lambda seen: _once(seen, elsewhere)) as web:
            world = victims.World(ground.folder, web.url)
            victims.side_by_side({name: functools.partial(run, world) for name, run in victims.ALL.items()})
        seen = len(other.seen)
        return [
            *findings,
            Finding(NO_SECRET, seen == 0, f"the other host saw {seen} requests after {len(targets) + 1} kinds"),
        ]


def _once(seen: Seen, elsewhere: str) -> Reply:
    if seen.path.endswith("/login"):
        return Reply(200, LOGIN)
    return Reply(307, b"", {"Location": f"{elsewhere}{seen.path}"})


def _swapped(ground: Ground) -> list[Finding]:
    """A wrapping token that was made at a path like ours, or whose answer is none: the module unwraps nothing."""
    paths: list[t.Any] = [
        "auth/aws/login/",
        "auth/aws/../aws/login",
        "AUTH/AWS/LOGIN",
        "auth/aws/login\n",
        "auth/aws/login\x00",
        "auth/\u0430ws/login",
        "cubbyhole/response",
        ["auth/aws/login"],
        None,
        {"auth/aws/login": 1},
        _ESCAPES,
    ]
    findings, unwrapped = [], 0
    for path in paths:
        with Web(Reply(200, {"data": {"creation_path": path}, "auth": AUTH})) as web:
            world = victims.World(ground.folder, web.url)
            options = {"wrapping_token": "hvs.CAESIwrapping0", "wrapping_path": "auth/aws/login", "role": None}
            ran = {"module": victims.module(world, **options)}
            unwrapped += sum(seen.path.endswith("/unwrap") for seen in web.seen)
        findings += [one for one in victims.judge(ran, refused=True) if not one.kept]
    return [
        *findings,
        Finding(NO_WRONG_TOKEN, unwrapped == 0, f"{unwrapped} of {len(paths)} swapped tokens were unwrapped"),
    ]
