# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The deadline holds against servers that say a little now and then, and for ever."""

from __future__ import annotations

import socket
import threading
import time
import typing as t

import pytest

from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.config import VaultConnection
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.errors import VaultError
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.vault import Vault
from ansible_collections.vaultfleet.aws.tests.unit.support import certificates
from ansible_collections.vaultfleet.aws.tests.unit.support.vaults import TOKEN, Proofs
from ansible_collections.vaultfleet.aws.tests.unit.support.web import Reply, Web, drip, hang

TIMEOUT = 0.15  # options take whole seconds; the core counts in any
ROOMY = 1.0  # where something must be answered before the deadline, on a busy machine too
LENIENT = 5.0  # a busy machine; what dawdles here does so for ever, or far longer

DRIPS = {
    "status line": drip(b"HTTP/1.1 200 O", b"K"),
    "headers": drip(b"HTTP/1.1 200 OK\r\n", b"X-Some: header\r\n"),
    "one header": drip(b"HTTP/1.1 200 OK\r\nX-Some: ", b"x"),
    "interim answers": drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "body": drip(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b" "),
    "body without length": drip(b"HTTP/1.1 200 OK\r\n\r\n{", b" "),
    "chunks": drip(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "refusal": drip(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 100000\r\n\r\n", b"x"),
    "silence": hang(60),
}


def ends_in_time(url: str, **options: t.Any) -> VaultError:
    """A login fails, by the deadline."""
    given = {"timeout": TIMEOUT, "ca_cert": certificates.CA, **options}
    connection = VaultConnection(url=url, **given)
    vault = Vault(connection, "unit tests")
    started = time.monotonic()
    try:
        with pytest.raises(VaultError) as caught:
            vault.login("aws", Proofs())
        assert time.monotonic() - started < given["timeout"] + LENIENT
    finally:
        vault.close()
    return caught.value


@pytest.mark.parametrize("reply", DRIPS.values(), ids=list(DRIPS))
def test_drip(reply: Reply) -> None:
    """Each place where a server can dawdle."""
    with Web(reply) as web:
        error = ends_in_time(web.url)
    assert "no answer within" in error.server
    assert "timeout" in error.hint


def test_drip_over_tls() -> None:
    """The same inside TLS."""
    with Web(DRIPS["body"], certificates.server_side()) as web:
        error = ends_in_time(web.url, ca_cert=certificates.CA)
    assert "no answer within" in error.server


def test_drip_of_a_proxy() -> None:
    """A proxy that dawdles over CONNECT."""
    with Web(drip(b"HTTP/1.1 200 OK\r\n", b"X-Some: header\r\n")) as proxy:
        ends_in_time("https://vault.test", proxies={"https": proxy.url})


def test_drip_after_a_redirect() -> None:
    """Both requests share the deadline."""
    with Web([Reply(307, headers={"Location": "/v1/other"}), DRIPS["body"]]) as web:
        ends_in_time(web.url, timeout=ROOMY)
    assert len(web.seen) == 2


def test_busy_server() -> None:
    """Retries end at the deadline too."""
    with Web(Reply(503)) as web:
        ends_in_time(web.url, timeout=ROOMY, retries=100)
    assert 2 <= len(web.seen) <= 100


@pytest.mark.parametrize("words", [b"", b"\x16"])
def test_handshake(words: bytes) -> None:
    """A port that takes connections and stops in the handshake."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        held: list[socket.socket] = []

        def hold() -> None:
            sock, _address = listening.accept()
            held.append(sock)
            sock.sendall(words)

        thread = threading.Thread(target=hold, daemon=True)
        thread.start()
        ends_in_time(f"https://127.0.0.1:{listening.getsockname()[1]}")
        thread.join()
        held[0].close()


def test_the_next_operation_has_its_own_deadline() -> None:
    """A deadline that has passed does not poison the object, nor the connections that were cut."""
    replies = [DRIPS["body"], Reply(body={"data": {"ttl": 5}})]
    with Web(replies) as web:
        vault = Vault(VaultConnection(url=web.url, timeout=ROOMY), "unit tests")  # type: ignore[arg-type]
        with pytest.raises(VaultError):
            vault.login("aws", Proofs())
        assert vault.lookup_self(TOKEN).ttl == 5
        vault.close()
