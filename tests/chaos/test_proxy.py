# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each fault of the proxy, seen with a plain client; and that all passes before and after it."""

from __future__ import annotations

import http.client
import http.server
import socket
import ssl
import threading
import time
import typing as t
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos import faults
from tests.chaos.front_ends import until
from tests.chaos.proxy import Fault, Proxy, Stage
from tests.stack import pki

BODY = b'{"auth": {"client_token": "of the real server"}}'
PATIENCE = 20.0  # seconds; far longer than anything takes that comes at all


class Real(http.server.BaseHTTPRequestHandler):
    """The real server: it counts what it is asked."""

    protocol_version = "HTTP/1.1"
    asked: t.ClassVar[list[tuple[str, bytes]]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        Real.asked.append((self.path, body))
        self.send_response(200)
        self.send_header("Content-Length", str(len(BODY)))
        self.send_header("X-Own", "kept")
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, *_args: object) -> None:
        pass


@pytest.fixture(scope="module")
def upstream() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Real)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def proxy(upstream: str) -> Iterator[Proxy]:
    Real.asked.clear()
    with Proxy(upstream) as made:
        made.traps = {"http": "http://127.0.0.1:9", "https": "https://localhost:9"}
        yield made


def ask(proxy: Proxy, timeout: float = PATIENCE, path: str = "/v1/auth/aws/login") -> tuple[int, bytes, float]:
    """Status, body and seconds of one request."""
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=timeout)
    start = time.monotonic()
    try:
        connection.request("POST", path, b"a body")
        answer = connection.getresponse()
        return answer.status, answer.read(), time.monotonic() - start
    finally:
        connection.close()


def raw(proxy: Proxy, size: int, timeout: float = PATIENCE) -> bytes:
    """The first bytes of an answer."""
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=timeout) as sock:
        sock.sendall(b"POST /v1/x HTTP/1.1\r\nHost: here\r\nContent-Length: 0\r\n\r\n")
        data = b""
        while len(data) < size and (part := sock.recv(65536)):
            data += part
        return data


def test_passes_on(proxy: Proxy) -> None:
    """Also several requests on one connection, with headers and body as they are."""
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=PATIENCE)
    for number in range(3):
        connection.request("POST", f"/v1/{number}", f"body {number}")
        answer = connection.getresponse()
        assert (answer.status, answer.headers["X-Own"], answer.read()) == (200, "kept", BODY)
    connection.close()
    assert Real.asked == [(f"/v1/{number}", f"body {number}".encode()) for number in range(3)]
    assert [one.path for one in proxy.answered("/v1/", 0)] == ["/v1/0", "/v1/1", "/v1/2"]


@pytest.mark.parametrize(
    ("fault", "error", "reaches"),
    [
        (faults.REFUSED, ConnectionRefusedError, False),
        (faults.SILENT, TimeoutError, False),
        (faults.RESET, ConnectionResetError, False),
        (faults.SWALLOWED, TimeoutError, False),
        (faults.WITHHELD, TimeoutError, True),
        (faults.LOST, ConnectionResetError, True),
        (faults.CUT_BODY, http.client.IncompleteRead, True),
        (faults.NO_TLS, http.client.BadStatusLine, False),
        (faults.ENDLESS_HEADERS, http.client.HTTPException, False),
        (faults.ENDLESS_LINE, http.client.LineTooLong, False),
    ],
    ids=lambda value: value.name if isinstance(value, Fault) else None,
)
def test_no_answer(fault: Fault, error: type[Exception], reaches: bool, proxy: Proxy) -> None:
    proxy.begin(fault)
    with pytest.raises(error):
        ask(proxy, 0.7 if error is TimeoutError else PATIENCE)
    if reaches:  # where no answer comes, perhaps only now
        until(lambda: bool(Real.asked))
    assert bool(Real.asked) is reaches
    proxy.clear()
    assert ask(proxy)[:2] == (200, BODY)


def test_cut_in_the_headers(proxy: Proxy) -> None:
    """Python's client takes that for an empty answer, so that it is looked at here."""
    proxy.begin(faults.CUT_HEADERS)
    found = raw(proxy, 10_000)
    assert found.startswith(b"HTTP/1.1 200")
    assert b"\r\n\r\n" not in found


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (faults.PAGE_200, 200),
        (faults.PAGE_502, 502),
        (faults.EMPTY, 200),
        (faults.LIST, 200),
        (faults.THROTTLED, 429),
        (faults.DR_SECONDARY, 472),
        (faults.STANDBY, 473),
        (faults.UNINITIALISED, 501),
        (faults.SEALED, 503),
        (faults.FAILED, 500),
    ],
    ids=lambda value: value.name if isinstance(value, Fault) else None,
)
def test_answers_of_somebody_else(fault: Fault, status: int, proxy: Proxy) -> None:
    proxy.begin(fault)
    found = ask(proxy)
    assert found[0] == status
    assert found[1] != BODY
    assert Real.asked == []
    proxy.clear()
    assert ask(proxy)[:2] == (200, BODY)


@pytest.mark.parametrize("fault", [faults.DRIP_HEADERS, faults.DRIP_BODY], ids=lambda fault: fault.name)
def test_drips(fault: Fault, proxy: Proxy) -> None:
    """Each read gets something, and it takes longer than anybody waits."""
    proxy.begin(fault)
    start = time.monotonic()
    assert 2 <= len(raw(proxy, 4)) < 400
    assert time.monotonic() - start > 0.5 if fault is faults.DRIP_HEADERS else True


def test_huge_answers(proxy: Proxy) -> None:
    proxy.begin(faults.HUGE_BODY)
    assert f"Content-Length: {200 * 1024 * 1024}".encode() in raw(proxy, 300)
    proxy.begin(faults.ENDLESS_BODY)
    assert len(raw(proxy, 3_000_000)) >= 3_000_000
    proxy.begin(faults.BOMB)
    found = ask(proxy)
    assert len(found[1]) < 1_000_000  # packed


def test_redirects(proxy: Proxy) -> None:
    for fault, target in (
        (faults.ACTIVE, proxy.upstream),
        (faults.LOOP, proxy.url),
        (faults.TO_HTTP, "http://127.0.0.1:9"),
        (faults.TO_OTHER, "https://localhost:9"),
    ):
        proxy.begin(fault)
        assert f"Location: {target}/v1/x\r\n".encode() in raw(proxy, 1000)


def test_retry_after(proxy: Proxy) -> None:
    for fault, value in (
        (faults.THROTTLED, None),
        (faults.THROTTLED_1, b"Retry-After: 1\r"),
        (faults.THROTTLED_AGES, b"Retry-After: 999999999\r"),
        (faults.THROTTLED_WORDS, b"Retry-After: a while"),
    ):
        proxy.begin(fault)
        found = raw(proxy, 1000)
        assert b" 429 " in found
        assert value in found if value else b"Retry-After" not in found


def test_a_fault_lasts_as_long_as_it_is_told(proxy: Proxy) -> None:
    """For so many requests of a path, or for so many seconds; when it was over is known."""
    proxy.begin(faults.SEALED, count=2, path="login$")
    assert [ask(proxy, path=path)[0] for path in ("/login", "/other", "/login", "/login")] == [503, 200, 503, 200]
    assert proxy.hits == 2
    before = time.monotonic()
    proxy.begin(faults.SEALED, seconds=2)
    refused = []
    while (asked := time.monotonic()) < before + PATIENCE and ask(proxy)[0] == 503:
        refused.append(asked)
        time.sleep(0.02)
    assert before + 2 <= proxy.over_at < time.monotonic()
    assert refused
    assert refused[-1] < proxy.over_at
    assert len(proxy.answered("login", proxy.over_at)) == 1


def test_a_fault_cuts_open_connections(proxy: Proxy) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=5)
    connection.request("POST", "/v1/x", b"")
    connection.getresponse().read()
    proxy.begin(faults.REFUSED)
    connection.sock.settimeout(5)
    assert connection.sock.recv(1) == b""
    connection.close()


def test_certificates(upstream: str, tmp_path: Path) -> None:
    pki.make_certificates(tmp_path)
    ca = pki.authority(tmp_path)
    pki.issue(tmp_path, "old", pki.HERE, ca, until=-pki.LIFETIME / 30)
    pki.issue(tmp_path, "other", ["elsewhere.test"], ca)
    pki.issue(tmp_path, "own", pki.HERE, None)
    files = {}
    for kind, name in (("", "server"), ("expired", "old"), ("elsewhere", "other"), ("foreign", "own")):
        files[kind] = tmp_path / f"{name}-both"
        files[kind].write_bytes((tmp_path / f"{name}.pem").read_bytes() + (tmp_path / f"{name}-key.pem").read_bytes())
    context = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))

    def shake(proxy: Proxy) -> str:
        with socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as sock:
            try:
                with context.wrap_socket(sock, server_hostname="127.0.0.1"):
                    return "fine"
            except ssl.SSLCertVerificationError as exc:
                return exc.verify_message

    with Proxy(upstream, certificates=files) as proxy:
        assert shake(proxy) == "fine"
        for fault, said in (
            (faults.EXPIRED, "expired"),
            (faults.ELSEWHERE, "mismatch"),
            (faults.FOREIGN, "self-signed"),
        ):
            proxy.begin(fault)
            assert said in shake(proxy)
        proxy.clear()
        assert shake(proxy) == "fine"


def test_every_fault_is_tried_here() -> None:
    """So that none is thought to do what it does not."""
    groups = (
        faults.OF_THE_NETWORK,
        faults.OF_TLS,
        faults.OF_OTHERS,
        faults.OF_STATES,
        faults.OF_SIZE,
        faults.REDIRECTS,
    )
    everything = {fault for group in groups for fault in group}
    assert everything == {value for value in vars(faults).values() if isinstance(value, Fault)}
    assert len({fault.name for fault in everything}) == len(everything) == 36
    assert {fault.stage for fault in everything} == set(Stage)
