# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Vault Agent's encrypted sinks once more, from the description of the format alone: nothing of the agent is used here.

X25519 as RFC 7748 writes it down, HKDF as RFC 5869 does; AES-GCM is a library's, by another door than the agent's.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

P = 2**255 - 19
BASE = (9).to_bytes(32, "little")


def x25519(scalar: bytes, point: bytes) -> bytes:
    """RFC 7748, section 5: the Montgomery ladder."""
    k = int.from_bytes(scalar, "little") & ~7 & ~(1 << 255) | (1 << 254)
    x1 = int.from_bytes(point, "little") % 2**255
    x2, z2, x3, z3, swap = 1, 0, x1, 1, 0
    for bit in range(254, -1, -1):
        now = (k >> bit) & 1
        if swap ^ now:
            x2, x3, z2, z3 = x3, x2, z3, z2
        swap = now
        a, b, c, d = (x2 + z2) % P, (x2 - z2) % P, (x3 + z3) % P, (x3 - z3) % P
        aa, bb, da, cb = a * a % P, b * b % P, d * a % P, c * b % P
        e = (aa - bb) % P
        x3, z3 = (da + cb) ** 2 % P, x1 * (da - cb) ** 2 % P
        x2, z2 = aa * bb % P, e * (aa + 121665 * e) % P
    if swap:
        x2, z2 = x3, z3
    return (x2 * pow(z2, P - 2, P) % P).to_bytes(32, "little")


def key_of(private: bytes, other: bytes, derive: bool) -> bytes:
    """What both sides encrypt with."""
    secret, own = x25519(private, other), x25519(private, BASE)
    if not derive:
        return secret
    salt, info = (own, other) if own < other else (other, own)
    extracted = hmac.new(salt, secret, hashlib.sha256).digest()
    return hmac.new(extracted, info + b"\x01", hashlib.sha256).digest()


def read(text: str, private: bytes, derive: bool, aad: bytes) -> bytes:
    """What a sink's text holds for the reader with ``private``."""
    assert text.endswith("}\n")
    assert text.count("\n") == 1
    assert " " not in text
    fields: dict[str, str] = json.loads(text)
    assert list(fields) == ["curve25519_public_key", "nonce", "encrypted_payload"]
    theirs, nonce, payload = (base64.b64decode(value, validate=True) for value in fields.values())
    assert (len(theirs), len(nonce)) == (32, 12)
    key = key_of(private, theirs, derive)
    gcm = Cipher(algorithms.AES(key), modes.GCM(nonce, payload[-16:])).decryptor()
    gcm.authenticate_additional_data(aad)
    plain: bytes = gcm.update(payload[:-16]) + gcm.finalize()
    return plain


def write(plain: bytes, reader: bytes, derive: bool, aad: bytes) -> str:
    """A sink's text for the reader with the public key ``reader``."""
    private, nonce = os.urandom(32), os.urandom(12)
    gcm = Cipher(algorithms.AES(key_of(private, reader, derive)), modes.GCM(nonce)).encryptor()
    gcm.authenticate_additional_data(aad)
    payload = gcm.update(plain) + gcm.finalize() + gcm.tag
    fields = {"curve25519_public_key": x25519(private, BASE), "nonce": nonce, "encrypted_payload": payload}
    encoded = {name: base64.b64encode(value).decode() for name, value in fields.items()}
    return json.dumps(encoded, separators=(",", ":")) + "\n"


class Reader:
    """Somebody with a key pair. public_file: the text of the file that the agent reads at ``dh_path``."""

    def __init__(self) -> None:
        self.private = os.urandom(32)
        self.public = x25519(self.private, BASE)
        self.public_file = json.dumps({"curve25519_public_key": base64.b64encode(self.public).decode()})
        self.private_file = json.dumps({"curve25519_private_key": base64.b64encode(self.private).decode()})
