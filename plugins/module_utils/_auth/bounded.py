# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An end to what AWS's identity services may make botocore take: it reads whatever comes, for as long as it comes."""

from __future__ import annotations

import contextlib
import time
import typing as t

from .cutoff import Cutoff
from .lib_chain import botocore

LARGEST = 65536  # bytes of an answer; one with credentials has two KiB
_PATIENCE = 4  # times the timeout of one read: how long one answer may take in all


class _Session:
    """Asks as botocore's session does; an answer too large or too slow is an error of botocore's own kinds."""

    def __init__(self, session: t.Any) -> None:
        self._session = session
        self._seconds = _PATIENCE * session._timeout
        self._cutoff = Cutoff()
        self._cutoff.watch(session._manager)

    def send(self, request: t.Any) -> t.Any:
        """Return the whole answer to a prepared request."""
        if not all(text.isascii() and text.isprintable() for text in map(str, request.headers.values())):
            # What refuses it further down repeats it, and it may be the service's session token.
            raise botocore.exceptions.HTTPClientError(error="the service's session token is garbled")
        request.stream_output = True  # so that it is left to us to read
        give_up = time.monotonic() + self._seconds
        try:
            with self._cutoff.after(self._seconds):
                answer = self._session.send(request)
                body = _read(answer.raw)
        except botocore.exceptions.HTTPClientError:
            # A connection that was cut looks as if the service had closed it.
            if time.monotonic() < give_up:
                raise
        if time.monotonic() >= give_up:
            raise botocore.exceptions.ReadTimeoutError(endpoint_url=request.url, error="it takes too long")
        return botocore.awsrequest.AWSResponse(answer.url, answer.status_code, answer.headers, _Whole(body))


class _Whole:
    """A body that was read."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self) -> t.Iterator[bytes]:
        """Yield it."""
        yield self._body


def _read(raw: t.Any) -> bytes:
    try:
        body: bytes = raw.read(LARGEST + 1)
    except Exception as e:  # noqa: BLE001 - urllib3's, http.client's and the socket's
        raise botocore.exceptions.HTTPClientError(error=e) from None
    raw.close()
    if len(body) > LARGEST:
        raise botocore.exceptions.HTTPClientError(error=f"the answer is over {LARGEST} bytes")
    return body


def bound(session: botocore.session.Session) -> None:
    """Let what ``session`` asks AWS's identity services end, of an instance and of a container."""
    providers = {provider.METHOD: provider for provider in session.get_component("credential_provider").providers}
    for method, name in (("iam-role", "_role_fetcher"), ("container-role", "_fetcher")):
        # botocore has no other way in; where a release of it moves this, it reads without an end again.
        with contextlib.suppress(AttributeError):
            fetcher = getattr(providers.get(method), name)
            fetcher._session = _Session(fetcher._session)
