# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The HTTP session that hvac speaks through: TLS, proxies, redirects, sizes and the deadline are decided here.

hvac's own session follows a redirect to any host with the token, and requests reads ``.netrc``, trusts certifi instead
of the system's store, and has no deadline.
"""

from __future__ import annotations

import io
import ipaddress
import re
import time
import typing as t
import warnings
from urllib.parse import urljoin, urlsplit

from . import tls
from .config import VaultConnection
from .cutoff import Cutoff
from .errors import Retry, VaultError
from .lib_hvac import requests, urllib3
from .version import VERSION

LARGEST_ANSWER = 1024 * 1024  # bytes; an answer with a token has a few KiB
_CONNECT_TIMEOUT = 10.0  # seconds
_REDIRECTS = (301, 302, 307, 308)


class _Adapter(requests.adapters.HTTPAdapter):
    """Makes connections that can be cut, and with our TLS settings, whatever requests would set."""

    def __init__(self, cutoff: Cutoff, settings: dict[str, t.Any]) -> None:
        self._cutoff = cutoff
        self._tls = settings
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: t.Any, **kwargs: t.Any) -> None:
        super().init_poolmanager(*args, **{**kwargs, **self._tls})
        self._cutoff.watch(self.poolmanager)

    def proxy_manager_for(self, *args: t.Any, **kwargs: t.Any) -> t.Any:
        manager = super().proxy_manager_for(*args, **{**kwargs, **self._tls})
        self._cutoff.watch(manager)
        return manager

    def build_connection_pool_key_attributes(self, *args: t.Any, **kwargs: t.Any) -> t.Any:
        # requests >= 2.32: keep its certificates and files out of the pool's key, the context has them.
        host, _pool = super().build_connection_pool_key_attributes(*args, **kwargs)
        return host, {}

    def cert_verify(self, *args: t.Any, **kwargs: t.Any) -> None:
        # requests of any version sets its CA bundle on the pool here; our context is already there.
        pass


class Transport(requests.Session):
    """A session for one Vault server. ``deadline`` (``time.monotonic()``) bounds every request; set it before."""

    def __init__(self, connection: VaultConnection, front_end: str) -> None:
        super().__init__()
        self.deadline = time.monotonic() + connection.timeout
        self.trust_env = False  # no .netrc, no REQUESTS_CA_BUNDLE; proxies are looked up in proxies_for
        self.headers = requests.structures.CaseInsensitiveDict(
            {"User-Agent": f"vaultfleet.aws/{VERSION} ({front_end})", "Accept-Encoding": "identity"}
        )
        self._connection = connection
        self._cutoff = Cutoff()
        self.mount("https://", _Adapter(self._cutoff, _tls_settings(connection)))
        self.mount("http://", _Adapter(self._cutoff, {}))

    def request(self, method: str, url: str, **kwargs: t.Any) -> requests.Response:  # type: ignore[override]
        """Send one request, follow at most one redirect, and return the whole answer. Raises VaultError for what is
        refused here, requests' exceptions for faults on the way.
        """
        response = self._send(method, url, kwargs)
        if response.status_code in _REDIRECTS:
            target = self._redirect(response, url)
            response = self._send(method, target, kwargs)
            if response.status_code in _REDIRECTS:
                raise VaultError(f"{_origin(target)} redirects once more", hint="set url to the active node's address")
        return response

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """None: requests looks at the next request even if it is not to follow, and a garbled one makes it fail."""
        return None

    def _send(self, method: str, url: str, kwargs: t.Mapping[str, t.Any]) -> requests.Response:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise requests.exceptions.Timeout("the deadline has passed")
        options = dict(
            kwargs,
            timeout=(min(_CONNECT_TIMEOUT, left), left),
            allow_redirects=False,
            stream=True,
            proxies=proxies_for(self._connection, url),
            cert=None,  # hvac puts the environment's here; our context has what the options say
        )
        try:
            with self._cutoff.after(left), warnings.catch_warnings():
                if not self._connection.validate_certs:  # said by the front ends, where somebody might not know
                    warnings.simplefilter("ignore", urllib3.exceptions.InsecureRequestWarning)
                response = super().request(method, url, **options)
                whole = requests.Response()
                whole.raw = io.BytesIO(_read(response))
        except requests.exceptions.RequestException:
            # A connection that was cut at the deadline looks as if the server had closed it.
            if time.monotonic() >= self.deadline:
                raise requests.exceptions.Timeout("the deadline has passed") from None
            raise
        if time.monotonic() > self.deadline:
            raise requests.exceptions.Timeout("the deadline has passed")
        whole.status_code = response.status_code
        whole.headers = response.headers
        return whole

    def _redirect(self, response: requests.Response, url: str) -> str:
        """Return the URL that a redirect leads to, if it may be followed with the same method, body and token."""
        target = ""
        try:
            target = urljoin(url, response.headers.get("Location", ""))
            before, after = urlsplit(url), urlsplit(target)
            host, port = after.hostname, after.port
        except ValueError:
            host = port = None
        # What connects reads a backslash or a user name in an address in its own way, and so another host in it.
        odd = not host or not target.isprintable() or "\\" in target or "@" in after.netloc
        if odd or after.scheme not in ("http", "https") or port == 0:
            raise VaultError(f"{_origin(url)} redirects to something that is no URL", hint="check url")
        if before.scheme == "https" and after.scheme == "http":
            raise VaultError(
                f"{_origin(url)} redirects from https to http, at {_origin(target)}: not followed",
                hint="set url to the server's https address",
            )
        own_ca = self._connection.validate_certs and (self._connection.ca_cert or self._connection.ca_path)
        if host != before.hostname and not (after.scheme == "https" and own_ca):
            raise VaultError(
                f"{_origin(url)} redirects to another host, {_origin(target)}: not followed",
                hint="set url to that address if it is your Vault (another host is followed only over https, verified"
                " by ca_cert or ca_path)",
            )
        return target


def proxies_for(connection: VaultConnection, url: str) -> dict[str, str]:
    """Return the proxies for requests to ``url``, by scheme, as requests takes them; they may hold passwords."""
    if _is_link_local(urlsplit(url).hostname or ""):
        return {}
    if connection.proxies is not None:
        return dict(connection.proxies)
    return dict(requests.utils.get_environ_proxies(url))


def _tls_settings(connection: VaultConnection) -> dict[str, t.Any]:
    """The arguments of urllib3's pools for https."""
    settings: dict[str, t.Any] = {"ssl_context": tls.context(connection)}
    if connection.tls_server_name:
        settings["server_hostname"] = connection.tls_server_name
        if connection.validate_certs:
            settings["assert_hostname"] = connection.tls_server_name
    return settings


def _read(response: requests.Response) -> bytes:
    """Read the body, at most LARGEST_ANSWER bytes of it, and give the connection back."""
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in ("", "identity"):
        # Not asked for; a few KiB unpack to gigabytes, and urllib3 before 2.6 unpacks all of it at once.
        response.close()
        name = encoding if re.fullmatch("[a-z]{1,8}", encoding) else "oddly"
        raise VaultError(f"the answer is packed ({name})", hint="is url a Vault server? check proxies")
    parts: list[bytes] = []
    size = 0
    for part in response.iter_content(65536):
        parts.append(part)
        size += len(part)
        if size > LARGEST_ANSWER:
            response.close()
            raise VaultError(
                f"the answer is over {LARGEST_ANSWER} bytes", hint="is url a Vault server?", retry=Retry.PERMANENT
            )
    # urllib3 before 2.0 takes a body that ends early for a whole one.
    length = response.headers.get("Content-Length", "")
    counted = re.fullmatch(r"\d{1,15}", length, re.ASCII)
    if counted and size < int(length) and response.status_code not in (204, 304):
        raise requests.exceptions.ConnectionError("the answer ends early")
    return b"".join(parts)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _is_link_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_link_local
    except ValueError:
        return False
