# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The way to Vault, step by step, for ``check --connect``: name, connection, TLS, the server's health, its clock."""

from __future__ import annotations

import dataclasses
import ipaddress
import socket
import ssl
import time
import typing as t
from urllib.parse import urlsplit

from .._auth import refusal, tls
from .._auth.config import VaultConnection
from .._auth.errors import Retry, VaultError
from .._auth.lib_hvac import requests
from .._auth.transport import proxies_for
from .._auth.vault import Health, Vault
from .findings import Finding, attempt

_PATIENCE = 10  # seconds of one step
_LEAST = 1.0  # seconds for one address, however many there are
_AROUND = 5.0  # seconds beyond a step's own time-out
_DNS = "check url, /etc/hosts, and the name servers in /etc/resolv.conf"
_NETWORK = "check url, and what stands between"
_PORTS = {"https": 443, "http": 80}

Address = tuple[socket.AddressFamily, tuple[t.Any, ...]]


def reach(connection: VaultConnection, *, signs: bool) -> list[Finding]:
    """Go the way to Vault until a step fails. signs: the login is signed, so that it depends on this host's clock."""
    # The namespace stays out of it, since sys/health is the root namespace's.
    hurried = dataclasses.replace(connection, timeout=min(connection.timeout, _PATIENCE), retries=0, namespace="")
    proxy = attempt("proxy", lambda: _proxy(hurried), hint=_DNS)
    if isinstance(proxy, Finding):
        return [proxy]
    if proxy:
        findings = [Finding("note", "proxy", f"requests to {connection.url} go through the proxy {proxy}")]
    else:
        findings = list(_direct(hurried))
    if all(finding.fine for finding in findings):
        findings += _health(hurried, signs)
    return findings


def _proxy(connection: VaultConnection) -> str:
    """Host and port of the proxy in the way, without its password, or nothing."""
    proxy = requests.utils.select_proxy(connection.url, proxies_for(connection, connection.url))
    if not proxy:
        return ""
    try:
        return urlsplit(proxy if "//" in proxy else f"//{proxy}").netloc.rpartition("@")[2] or "without a host"
    except ValueError:
        return "that is no URL"


def _direct(connection: VaultConnection) -> t.Iterator[Finding]:
    """Name, connection and TLS, where no proxy does these for us."""
    url = urlsplit(connection.url)
    host, port = str(url.hostname), url.port or _PORTS[url.scheme]
    addresses = attempt("DNS", lambda: _resolve(host, port), _PATIENCE, hint=_DNS)
    if isinstance(addresses, Finding):
        yield addresses
        return
    if not _is_address(host):
        yield Finding("ok", "DNS", f"{host} is {', '.join(str(address[0]) for _family, address in addresses)}")
    opened = attempt("TCP", lambda: _open(connection, addresses), _PATIENCE + _AROUND, hint=_NETWORK)
    if isinstance(opened, Finding):
        yield opened
        return
    sock, address, failures = opened
    yield from (Finding("note", "TCP", failure) for failure in failures)
    yield Finding("ok", "TCP", f"{address} takes connections")
    with sock:
        if url.scheme == "https":
            yield attempt("TLS", lambda: _handshake(connection, sock, host), _PATIENCE + _AROUND, hint=_NETWORK)
        elif not sock.getpeername()[0].startswith(("127.", "::1")):
            yield Finding("note", "TLS", "url is http://, so anybody on the way can take the token")


def _resolve(host: str, port: int) -> list[Address]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as e:
        reason = getattr(e, "strerror", None) or "this is no name that DNS takes"
        raise VaultError(f"{host} has no address", server=reason, hint=_DNS, retry=Retry.TRANSIENT) from None
    return list(dict.fromkeys((family, address) for family, _type, _protocol, _name, address in found))


def _open(connection: VaultConnection, addresses: t.Sequence[Address]) -> tuple[socket.socket, str, list[str]]:
    """Connect to the first address that lets us: the socket, its address, what is wrong with those before it."""
    deadline = time.monotonic() + connection.timeout
    failures: list[str] = []
    error: Exception = OSError("no address")
    for number, (family, address) in enumerate(addresses):
        shown = f"[{address[0]}]:{address[1]}" if ":" in address[0] else f"{address[0]}:{address[1]}"
        try:
            sock = socket.socket(family, socket.SOCK_STREAM)
            try:
                # One that drops packets leaves time for those after it.
                sock.settimeout(max(_LEAST, (deadline - time.monotonic()) / (len(addresses) - number)))
                sock.connect(address)
                return sock, shown, failures
            except BaseException:
                sock.close()
                raise
        except OSError as e:
            error = e
            failures.append(f"{shown}: {e.strerror or 'no answer'}")
    raise refusal.fault(", ".join(failures), connection, _as_of_requests(error))


def _handshake(connection: VaultConnection, sock: socket.socket, host: str) -> Finding:
    context = tls.context(connection)
    context.check_hostname = connection.validate_certs  # which an old urllib3 would do itself
    sock.settimeout(connection.timeout)
    try:
        with context.wrap_socket(sock, server_hostname=connection.tls_server_name or host.partition("%")[0]) as secured:
            version, certificate = secured.version(), secured.getpeercert()
    except OSError as e:
        raise refusal.fault("the handshake failed", connection, _as_of_requests(e)) from None
    if not connection.validate_certs or not certificate:
        text = f"{version}, but the certificate is not checked, so anybody on the way can take the token -- set ca_cert"
        return Finding("note", "TLS", text)
    until = time.gmtime(ssl.cert_time_to_seconds(str(certificate["notAfter"])))
    return Finding("ok", "TLS", f"{version}, a valid certificate until {time.strftime('%Y-%m-%d', until)}")


def _as_of_requests(error: Exception) -> Exception:
    """The error as the core knows it from its own requests."""
    if isinstance(error, socket.timeout):
        return requests.exceptions.Timeout(error)
    if isinstance(error, ssl.SSLError):
        return requests.exceptions.SSLError(error)
    return requests.exceptions.ConnectionError(error)


def _health(connection: VaultConnection, signs: bool) -> list[Finding]:
    def ask() -> Health:
        vault = Vault(connection, "agent, check")
        try:
            return vault.health()
        finally:
            vault.close()

    health = attempt("Vault", ask, _PATIENCE + _AROUND, hint=_NETWORK)
    if isinstance(health, Finding):
        return [health]
    return [_state(health), *_clock(health.clock_ahead, signs)]


def _state(health: Health) -> Finding:
    version = f"version {health.version}" if health.version else "of unknown version"
    if not health.initialized:
        return Finding("wrong", "Vault", f"{version}, was never initialised -- is url the right one?", Retry.PERMANENT)
    if health.sealed:
        return Finding("wrong", "Vault", f"{version}, is sealed -- an operator must unseal it")
    if health.recovery_secondary:
        hint = "set url to the primary cluster"
        text = f"{version}, is a disaster recovery secondary, which lets nobody log in -- {hint}"
        return Finding("wrong", "Vault", text, Retry.PERMANENT)
    if health.standby:
        return Finding("ok", "Vault", f"{version}, unsealed, a standby, which passes logins on to the active node")
    return Finding("ok", "Vault", f"{version}, unsealed and active")


def _clock(ahead: float | None, signs: bool) -> list[Finding]:
    if ahead is None:
        return []
    remark = refusal.skew(ahead)
    if not remark:
        return [Finding("ok", "clock", "that of this host and Vault's agree")]
    if not signs:
        return [Finding("note", "clock", f"{remark} -- set the one that is wrong (chrony, ntp)")]
    hint = "AWS takes a signature for 15 minutes only: set the one that is wrong (chrony, ntp)"
    return [Finding("wrong", "clock", f"{remark} -- {hint}", Retry.PERMANENT)]


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True
