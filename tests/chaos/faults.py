# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The faults: what a network, a load balancer, or a server in trouble does to a request."""

from __future__ import annotations

import functools
import json
import zlib
from collections.abc import Callable

from tests.chaos.proxy import Fault, Stage, Visit, reset

_FOR_EVER = 300.0  # seconds; clients have left long before
_MIB = 1024 * 1024
HUGE = 200 * _MIB  # bytes
_PAGE = b"<html><head><title>Service unavailable</title></head><body>The load balancer has no target.</body></html>"

REFUSED = Fault("connection refused", Stage.LISTEN)


# ---- before there is a request


def _hang(visit: Visit) -> None:
    visit.gone(_FOR_EVER)


def _reset(visit: Visit) -> None:
    reset(visit.sock)


def _no_tls(visit: Visit) -> None:
    visit.sock.sendall(b"\x00garbage, and no TLS at all\r\n" * 20)
    visit.gone(1)


SILENT = Fault("accepted, then silence", Stage.CONNECT, _hang)
RESET = Fault("reset at once", Stage.CONNECT, _reset)
NO_TLS = Fault("garbage in place of TLS", Stage.CONNECT, _no_tls)
EXPIRED = Fault("expired certificate", Stage.TLS, certificate="expired")
ELSEWHERE = Fault("certificate of another name", Stage.TLS, certificate="elsewhere")
FOREIGN = Fault("certificate of another CA", Stage.TLS, certificate="foreign")


# ---- answers that do not come, or not whole


def _withheld(visit: Visit) -> None:
    visit.real()
    visit.gone(_FOR_EVER)


def _lost(visit: Visit) -> None:
    visit.real()
    reset(visit.sock)


def _cut_headers(visit: Visit) -> None:
    head = visit.real().head
    visit.sock.sendall(head[: len(head) // 2])


def _cut_body(visit: Visit) -> None:
    answer = visit.real()
    visit.sock.sendall(answer.head + answer.body[: len(answer.body) // 2])


def _drip(visit: Visit, data: bytes) -> None:
    for number in range(len(data)):
        visit.sock.sendall(data[number : number + 1])
        if visit.gone(0.3):
            return


def _drip_headers(visit: Visit) -> None:
    answer = visit.real()
    _drip(visit, answer.head + answer.body)


def _drip_body(visit: Visit) -> None:
    answer = visit.real()
    visit.sock.sendall(answer.head)
    _drip(visit, answer.body)


SWALLOWED = Fault("request taken, no answer", Stage.REQUEST, _hang)
WITHHELD = Fault("request done, no answer", Stage.REQUEST, _withheld)
LOST = Fault("request done, then reset", Stage.REQUEST, _lost)
CUT_HEADERS = Fault("answer cut in its headers", Stage.REQUEST, _cut_headers)
CUT_BODY = Fault("answer cut in its body", Stage.REQUEST, _cut_body)
DRIP_HEADERS = Fault("slow drip from the first byte", Stage.REQUEST, _drip_headers)
DRIP_BODY = Fault("slow drip of the body", Stage.REQUEST, _drip_body)


# ---- answers of somebody else


def _says(status: int, body: bytes, kind: str = "application/json", **headers: str) -> Callable[[Visit], None]:
    lines = [f"HTTP/1.1 {status} As planned", f"Content-Type: {kind}", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    data = "\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1") + body
    return lambda visit: visit.sock.sendall(data)


def _errors(*texts: str) -> bytes:
    return json.dumps({"errors": list(texts)}).encode()


PAGE_200 = Fault("a load balancer's page, 200", Stage.REQUEST, _says(200, _PAGE, "text/html"))
PAGE_502 = Fault("a load balancer's page, 502", Stage.REQUEST, _says(502, _PAGE, "text/html"))
EMPTY = Fault("an empty answer, 200", Stage.REQUEST, _says(200, b""))
LIST = Fault("JSON of another shape", Stage.REQUEST, _says(200, b'["no", {"auth": null}]'))
THROTTLED = Fault("429 without Retry-After", Stage.REQUEST, _says(429, _errors("too many requests")))
THROTTLED_1 = Fault("429, Retry-After 1 s", Stage.REQUEST, _says(429, _errors("too many requests"), Retry_After="1"))
THROTTLED_AGES = Fault(
    "429, Retry-After 31 years", Stage.REQUEST, _says(429, _errors("too many requests"), Retry_After="999999999")
)
THROTTLED_WORDS = Fault(
    "429, Retry-After in words", Stage.REQUEST, _says(429, _errors("too many requests"), Retry_After="a while; -1e9")
)
DR_SECONDARY = Fault("472, disaster recovery secondary", Stage.REQUEST, _says(472, _errors("this is a DR secondary")))
STANDBY = Fault("473, performance standby", Stage.REQUEST, _says(473, _errors("this is a performance standby")))
UNINITIALISED = Fault("501, not initialised", Stage.REQUEST, _says(501, _errors("server is not yet initialized")))
SEALED = Fault("503, sealed", Stage.REQUEST, _says(503, _errors("Vault is sealed")))
FAILED = Fault("500, internal error", Stage.REQUEST, _says(500, _errors("internal error")))


# ---- huge answers


def _head(*headers: str) -> bytes:
    lines = ["HTTP/1.1 200 OK", "Content-Type: application/json", *headers, "", ""]
    return "\r\n".join(lines).encode()


def _pour(visit: Visit, piece: bytes, size: int) -> None:
    for _number in range(size // len(piece)):
        visit.sock.sendall(piece)


def _huge_body(visit: Visit) -> None:
    visit.sock.sendall(_head(f"Content-Length: {HUGE}") + b'{"auth": "')
    _pour(visit, b"x" * 65536, HUGE)


def _endless_body(visit: Visit) -> None:
    visit.sock.sendall(_head("Transfer-Encoding: chunked"))
    _pour(visit, b"10000\r\n" + b"y" * 65536 + b"\r\n", 2**40)


@functools.cache
def _packed() -> bytes:
    """200 MiB of spaces, packed piece by piece: memory is measured in this process."""
    packer = zlib.compressobj(6, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    return b"".join([*(packer.compress(b" " * _MIB) for _number in range(HUGE // _MIB)), packer.flush()])


def _bomb(visit: Visit) -> None:
    body = _packed()
    visit.sock.sendall(_head("Content-Encoding: gzip", f"Content-Length: {len(body)}") + body)


def _endless_headers(visit: Visit) -> None:
    visit.sock.sendall(b"HTTP/1.1 200 OK\r\n")
    _pour(visit, b"X-More: " + b"z" * 1000 + b"\r\n", 2**40)


def _endless_line(visit: Visit) -> None:
    visit.sock.sendall(b"HTTP/1.1 200 OK\r\nX-More: ")
    _pour(visit, b"z" * 65536, 2**40)


HUGE_BODY = Fault("an answer of 200 MiB", Stage.REQUEST, _huge_body)
ENDLESS_BODY = Fault("an endless answer", Stage.REQUEST, _endless_body)
BOMB = Fault("200 MiB packed in 200 KiB", Stage.REQUEST, _bomb, prepare=_packed)
ENDLESS_HEADERS = Fault("endless headers", Stage.REQUEST, _endless_headers)
ENDLESS_LINE = Fault("one endless header", Stage.REQUEST, _endless_line)


# ---- redirects


def _redirect(target: Callable[[Visit], str]) -> Callable[[Visit], None]:
    def act(visit: Visit) -> None:
        assert visit.request is not None
        _says(307, b"", Location=target(visit) + visit.request.path)(visit)

    return act


ACTIVE = Fault("307 to the active node", Stage.REQUEST, _redirect(lambda visit: visit.upstream))
LOOP = Fault("307 to itself, for ever", Stage.REQUEST, _redirect(lambda visit: visit.own))
TO_HTTP = Fault("307 from https to http", Stage.REQUEST, _redirect(lambda visit: visit.traps["http"]))
TO_OTHER = Fault("307 to another host", Stage.REQUEST, _redirect(lambda visit: visit.traps["https"]))


OF_THE_NETWORK = (REFUSED, SILENT, RESET, SWALLOWED, WITHHELD, LOST, CUT_HEADERS, CUT_BODY, DRIP_HEADERS, DRIP_BODY)
OF_TLS = (NO_TLS, EXPIRED, ELSEWHERE, FOREIGN)
OF_OTHERS = (PAGE_200, PAGE_502, EMPTY, LIST)
OF_STATES = (
    THROTTLED,
    THROTTLED_1,
    THROTTLED_AGES,
    THROTTLED_WORDS,
    DR_SECONDARY,
    STANDBY,
    UNINITIALISED,
    SEALED,
    FAILED,
)
OF_SIZE = (HUGE_BODY, ENDLESS_BODY, BOMB, ENDLESS_HEADERS, ENDLESS_LINE)
REDIRECTS = (ACTIVE, LOOP, TO_HTTP, TO_OTHER)
