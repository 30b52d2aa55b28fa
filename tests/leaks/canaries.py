# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The secrets that are hunted: what kind each is of, and the forms in which it could show."""

from __future__ import annotations

import base64
import json
import re
import secrets
import typing as t
from dataclasses import dataclass, field
from urllib.parse import quote
from xml.sax.saxutils import escape

TOKEN, NONCE, SECRET_KEY, SESSION_TOKEN = "token", "nonce", "secret key", "session token"
PRIVATE_KEY, WRAPPING_TOKEN, TEMPLATE_SECRET = "private key", "wrapping token", "template secret"
KINDS = (TOKEN, NONCE, SECRET_KEY, SESSION_TOKEN, PRIVATE_KEY, WRAPPING_TOKEN, TEMPLATE_SECRET)
HALF = 16  # characters; what a mask that forgets an end would show
_SHORTEST = 12  # bytes of a form: a shorter one could be there by chance
_PEM = re.compile(r"-----BEGIN [^-]+-----(.*?)-----END", re.DOTALL)


@dataclass(frozen=True)
class Canary:
    """One secret. It does not show in its repr."""

    kind: str
    value: str = field(repr=False)

    def forms(self) -> dict[bytes, str]:
        """The bytes to look for, each with the name of its form."""
        found: dict[bytes, str] = {}
        for form, needle in _forms(self.value):
            # A search by lines cannot have these within.
            piece = max(re.split(rb"[\n\r\0]", needle), key=len)
            if len(piece) >= _SHORTEST:
                found.setdefault(piece, form)
        return found


class Book:
    """All canaries of a hunt; more come while it goes on, as the server makes them."""

    def __init__(self) -> None:
        self._canaries: dict[Canary, None] = {}

    def add(self, kind: str, value: str) -> str:
        """Enter a secret, and return it. A private key in PEM is entered by two of its lines, which are its alone."""
        pem = _PEM.search(value)
        lines = [line for line in pem[1].split() if len(line) >= _SHORTEST][1:] if pem else [value]
        for one in {lines[0], lines[-1]} if lines else {value}:
            self._canaries[Canary(kind, one)] = None
        return value

    def all(self) -> list[Canary]:
        """What is in it."""
        return list(self._canaries)

    def kinds(self) -> set[str]:
        """Of which kinds there are some."""
        return {one.kind for one in self._canaries}


def made(kind: str) -> Canary:
    """A new one that no program made, for planting; with what has to be escaped in URLs, JSON and XML."""
    return Canary(kind, f'{secrets.token_urlsafe(21)}+/&"{secrets.token_urlsafe(15)}')


def plain(kind: str) -> Canary:
    """One of letters and digits alone."""
    return Canary(kind, secrets.token_hex(20))


def _forms(value: str) -> t.Iterator[tuple[str, bytes]]:
    raw = value.encode()
    yield "plain", raw
    if len(value) > HALF:
        yield "first half", raw[:HALF]
        yield "last half", raw[-HALF:]
    yield "URL", quote(value, safe="").encode()
    yield "JSON", json.dumps(value)[1:-1].encode()
    yield "XML", escape(value, {'"': "&quot;"}).encode()
    yield "hex", raw.hex().encode()
    yield "HEX", raw.hex().upper().encode()
    for shift, lost in ((0, 0), (1, 2), (2, 3)):
        encoded = base64.b64encode(b"\0" * shift + raw)
        # The last character before the padding depends on what follows.
        whole = encoded[lost:] if (len(raw) + shift) % 3 == 0 else encoded.rstrip(b"=")[lost:-1]
        yield f"base64+{shift}", whole
        yield f"base64url+{shift}", whole.translate(bytes.maketrans(b"+/", b"-_"))
