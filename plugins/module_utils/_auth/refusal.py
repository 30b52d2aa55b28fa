# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What went wrong with a request to Vault, said so that a person knows what to change."""

from __future__ import annotations

import email.utils
import json
import re
import time
import typing as t

from . import hints
from .config import VaultConnection
from .errors import Retry, VaultError, mask, redact
from .lib_hvac import requests

_SKEW_WORTH_TELLING = 60  # seconds
_LONGEST_RETRY_AFTER = 3600.0  # seconds
_STS_END = "</ErrorResponse>"
# What the status alone says (Vault docs, "/sys/health"); the words beside it differ.
_BY_STATUS = {
    472: "a disaster recovery secondary serves nobody: set url to the primary cluster's address",
    501: "the server is not initialised: check url",
}
_LONGEST_READ = 20000  # characters of a refusal that are looked at


def refused(
    what: str, response: requests.Response, facts: t.Mapping[str, str], secrets: t.Iterable[str | None]
) -> VaultError:
    """The error for an answer that says no. facts: what is known of the login, for the hint; empty for other calls."""
    status = response.status_code
    text = _said(response, tuple(secrets))
    row = hints.find(status, text, of_login=bool(facts))
    by_status = Retry.TRANSIENT if status in (412, 429, 472, 473) or status >= 500 else Retry.PERMANENT
    remark = skew(clock_ahead(response))
    known = _Facts(facts, skew=remark and f"; {remark}")
    return VaultError(
        what,
        server=f"HTTP {status}: {text}" if text else f"HTTP {status}",
        hint=row.advice.format_map(known) if row else _general_hint(response),
        retry=row.retry if row else by_status,
        status=status,
        retry_after=_retry_after(response),
        row=row.name if row else "",
    )


def fault(what: str, connection: VaultConnection, error: Exception) -> VaultError:
    """The error for a request that got no answer; ``error`` is of requests or urllib3."""
    cause = _root(error)
    reason = redact(str(cause)) or type(cause).__name__
    url = connection.url
    kind, hint = Retry.TRANSIENT, "check url, the network, and that the server runs"
    if isinstance(error, requests.exceptions.ProxyError):
        hint = "check proxies, HTTPS_PROXY and NO_PROXY"
    elif isinstance(error, requests.exceptions.SSLError):
        kind, hint = _tls_hint(reason)
    elif isinstance(error, requests.exceptions.Timeout):
        reason = f"no answer within {connection.timeout} s"
        hint = "check url and the network (a firewall that drops packets looks like this), or raise timeout"
    elif isinstance(error, requests.exceptions.InvalidSchema):
        kind, hint = (
            Retry.PERMANENT,
            "a socks proxy needs the Python package PySocks: install it, or use an http proxy",
        )
    elif isinstance(error, ValueError):  # InvalidURL, InvalidHeader, LocationParseError
        # The cause repeats the URL, perhaps that of a proxy with its password.
        reason = "a URL or a header is malformed"
        kind, hint = Retry.PERMANENT, "check url, namespace, proxies, HTTPS_PROXY and HTTP_PROXY"
    elif url.startswith("http://"):
        # A TLS server may close the connection before its answer to plain text is read.
        hint = "check url (https:// if the server speaks TLS there), the network, and that the server runs"
    return VaultError(f"{what}: {url} cannot be reached", server=reason, hint=hint, retry=kind)


class _Facts(dict[str, str]):
    """The facts of a login for a hint; what is not known of it reads as its name."""

    def __missing__(self, key: str) -> str:
        return f"<{key}>"


def _said(response: requests.Response, secrets: t.Sequence[str | None]) -> str:
    """The errors in Vault's answer, else the beginning of what came instead, else nothing."""
    try:
        errors = json.loads(response.content).get("errors")
        if isinstance(errors, list):
            return redact(_short(mask(", ".join(str(error) for error in errors), secrets)[:_LONGEST_READ]))
    except (ValueError, AttributeError, RecursionError):
        pass
    masked = mask(response.content.decode("utf-8", "replace"), secrets)[:_LONGEST_READ]
    text = redact(re.sub(r"<[^<>]*>", " ", masked))
    return f"{text[:200]} ({_content_type(response, secrets)})" if text else ""


def _short(text: str) -> str:
    """Put STS's code and message for its XML, which Vault passes on (AWS STS API reference, "Common Errors").

    One expression for all of it would keep a hostile answer's reader busy for hours.
    """
    start, end = text.find("<ErrorResponse"), text.rfind(_STS_END)
    code, message = (re.search(f"<{name}>([^<]*)</{name}>", text[max(start, 0) : end]) for name in ("Code", "Message"))
    if start < 0 or not code or not message:
        return text
    before = re.sub(r"<\?xml[^<>]*>\s*\Z", "", text[:start])
    return f"{before}{code[1]}: {message[1]}{text[end + len(_STS_END) :]}"


def _content_type(response: requests.Response, secrets: t.Iterable[str | None]) -> str:
    return redact(response.headers.get("Content-Type", "no content type"), secrets)[:80]


def _general_hint(response: requests.Response) -> str:
    if b"HTTP request to an HTTPS server" in response.content:
        return "set url to https://"
    if "json" not in response.headers.get("Content-Type", ""):
        return "what answered is not Vault: check url, and proxies and load balancers on the way"
    at_a_loss = "look into Vault's own log" if response.status_code >= 500 else ""
    return _BY_STATUS.get(response.status_code, at_a_loss)


def _retry_after(response: requests.Response) -> float | None:
    """Seconds to wait (RFC 9110, 10.2.3: a number or a date), or None."""
    value = response.headers.get("Retry-After", "").strip()
    if re.fullmatch(r"\d{1,9}(\.\d{1,3})?", value, re.ASCII):
        return min(float(value), _LONGEST_RETRY_AFTER)
    then = _date(value)
    return None if then is None else min(max(0.0, then - time.time()), _LONGEST_RETRY_AFTER)


def clock_ahead(response: requests.Response) -> float | None:
    """How many seconds this host's clock is ahead of the server's (RFC 9110, 6.6.1: Date), or None."""
    theirs = _date(response.headers.get("Date", ""))
    return None if theirs is None else time.time() - theirs


def skew(ahead: float | None) -> str:
    """A remark on this host's clock, ``clock_ahead``, if it is far from the server's, else nothing."""
    if ahead is None or abs(ahead) < _SKEW_WORTH_TELLING:
        return ""
    return f"this host's clock is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} Vault's"


def _date(value: str) -> float | None:
    try:
        return email.utils.parsedate_to_datetime(value).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _root(error: BaseException) -> BaseException:
    """The innermost cause: requests and urllib3 wrap an OSError in up to four layers."""
    for _depth in range(10):
        inner = getattr(error, "reason", None) or next((a for a in error.args if isinstance(a, BaseException)), None)
        if not isinstance(inner, BaseException):
            break
        error = inner
    cause = error.__cause__ or error.__context__
    return cause if isinstance(cause, OSError) else error


def _tls_hint(reason: str) -> tuple[Retry, str]:
    if "Hostname mismatch" in reason or "doesn't match" in reason or "IP address mismatch" in reason:
        return Retry.PERMANENT, "the certificate is for another name: correct url, or set tls_server_name"
    if "expired" in reason or "not yet valid" in reason:
        return Retry.PERMANENT, "renew the server's certificate, or set this host's clock"
    if "certificate verify failed" in reason or "CERTIFICATE_VERIFY_FAILED" in reason:
        return Retry.PERMANENT, "set ca_cert (or VAULT_CACERT) to the CA certificate that signed the server's"
    if "WRONG_VERSION_NUMBER" in reason or "wrong version number" in reason or "record layer" in reason:
        return Retry.PERMANENT, "the server does not speak TLS on this port: check url"
    if "certificate required" in reason or "CERTIFICATE_REQUIRED" in reason:
        return Retry.PERMANENT, "the server wants a client certificate: set client_cert and client_key"
    return Retry.TRANSIENT, "the TLS connection failed: check url, and what stands between"
