# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The few lines of HTTP that the stack's own parts need: JSON in, JSON out, loopback only, no proxies."""

from __future__ import annotations

import http.client
import json
import ssl
import typing as t
from dataclasses import dataclass
from urllib.parse import urlsplit

from .errors import StackError


@dataclass(frozen=True)
class Answer:
    """What a server answered; ``body`` is the parsed JSON, or an empty dict where there was none."""

    status: int
    body: dict[str, t.Any]

    @property
    def errors(self) -> str:
        """Vault's error texts on one line."""
        return "; ".join(str(item) for item in self.body.get("errors") or [])


def call(
    url: str,
    method: str = "GET",
    body: t.Mapping[str, t.Any] | None = None,
    headers: t.Mapping[str, str] | None = None,
    cafile: str | None = None,
    timeout: float = 30.0,
) -> Answer:
    """One request. Raises OSError where no answer came, StackError where it was not JSON."""
    parts = urlsplit(url)
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cafile)
        connection = http.client.HTTPSConnection(parts.netloc, timeout=timeout, context=context)
    else:
        connection = http.client.HTTPConnection(parts.netloc, timeout=timeout)
    data = None if body is None else json.dumps(body).encode()
    try:
        connection.request(
            method, f"{parts.path}?{parts.query}" if parts.query else parts.path, data, dict(headers or {})
        )
        answer = connection.getresponse()
        raw = answer.read()
    except http.client.HTTPException as exc:
        raise OSError(f"no usable HTTP answer: {type(exc).__name__}") from exc
    finally:
        connection.close()
    try:
        parsed = json.loads(raw) if raw.strip() else {}
    except ValueError:
        raise StackError(f"{method} {parts.path} answered {answer.status} without JSON") from None
    return Answer(answer.status, parsed if isinstance(parsed, dict) else {"data": parsed})
