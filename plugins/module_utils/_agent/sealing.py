# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Encryption of what a sink holds, for one reader: Vault Agent's format, in both directions.

The writer makes a key pair of Curve25519 and agrees with the reader's public key on a secret (X25519, RFC 7748). That
is the key, or with ``derive_key`` what HKDF (RFC 5869) with SHA-256 makes of it: salt and info are the two public keys,
the one that is less as bytes first. AES-256-GCM with a random nonce encrypts the text, and the ``aad`` is checked with
it. The file is JSON on one line: the writer's public key, the nonce, and the ciphertext with its tag, all in base64.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import importlib.util
import json
import os
import site
import sys
import typing as t

from .._auth.errors import LoginError
from . import peer_keys

_NONCE, _PAYLOAD = "nonce", "encrypted_payload"
_NONCE_SIZE = 12  # bytes (NIST SP 800-38D, 5.2.1.1)
_HINT = "install the package python3-cryptography of this system, or cryptography for that Python"


@dataclasses.dataclass(frozen=True)
class Pair:
    """A key pair, 32 bytes each."""

    private: bytes = dataclasses.field(repr=False)
    public: bytes


def load() -> None:
    """Load the library, from the host's packages if there is none beside the agent. Raises LoginError without one.

    It is compiled, so that no bundle has it. Of the host's packages nothing else comes in but what it imports itself.
    """
    if "cryptography" in sys.modules:
        return
    away = importlib.util.find_spec("cryptography") is None
    try:
        with _host_packages() if away else contextlib.nullcontext():
            # All of it is used once, so that nothing is left to be looked for later.
            reader = new_pair()
            unseal(seal("", reader.public, new_pair(), True, b""), reader.private, True, b"")
    except ImportError as e:
        what = f"encrypted sinks need the Python package cryptography, which {sys.executable} cannot import ({e})"
        raise LoginError(what, hint=_HINT) from None


def new_pair() -> Pair:
    """Make a key pair."""
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    private = X25519PrivateKey.generate().private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    return Pair(private, _public_of(private))


def seal(text: str, reader: bytes, writer: Pair, derive_key: bool, aad: bytes) -> str:
    """Encrypt ``text`` for the public key ``reader``. Raises ValueError, for a person, if that is no usable key."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = os.urandom(_NONCE_SIZE)
    payload = AESGCM(_agreed(writer.private, writer.public, reader, derive_key)).encrypt(nonce, text.encode(), aad)
    fields = {peer_keys.PUBLIC: writer.public, _NONCE: nonce, _PAYLOAD: payload}
    encoded = {name: base64.b64encode(value).decode() for name, value in fields.items()}
    return json.dumps(encoded, separators=(",", ":")) + "\n"


def unseal(text: str, private: bytes, derive_key: bool, aad: bytes) -> str:
    """Decrypt what ``seal`` or Vault Agent wrote for the public key of ``private``. Raises ValueError, for a person."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    fields = peer_keys.fields_of(text.encode())
    writer = peer_keys.decoded(fields, peer_keys.PUBLIC, peer_keys.SIZE)
    nonce = peer_keys.decoded(fields, _NONCE, _NONCE_SIZE)
    payload = peer_keys.decoded(fields, _PAYLOAD, None)
    try:
        plain = AESGCM(_agreed(private, _public_of(private), writer, derive_key)).decrypt(nonce, payload, aad)
    except InvalidTag:
        raise ValueError(
            "cannot be decrypted: it is for another key, or aad or derive_key are not those of the sink, or it was"
            " altered"
        ) from None
    return plain.decode("utf-8", "replace")


def _agreed(own: bytes, own_public: bytes, other: bytes, derive_key: bool) -> bytes:
    """The key of both sides, 32 bytes. Raises ValueError."""
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    if own_public == other:
        raise ValueError("has the key of the side that reads it")
    try:
        secret = X25519PrivateKey.from_private_bytes(own).exchange(X25519PublicKey.from_public_bytes(other))
    except ValueError:  # the points with which every secret is zero (RFC 7748, 6.1)
        raise ValueError("has a key with which nothing would be secret") from None
    if not derive_key:
        return secret
    salt, info = sorted((own_public, other))
    return HKDF(SHA256(), 32, salt, info).derive(secret)


def _public_of(private: bytes) -> bytes:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


@contextlib.contextmanager
def _host_packages() -> t.Iterator[None]:
    """Let Python look among the host's packages, too, from which a bundle keeps itself apart."""
    before = list(sys.path)
    sys.path += [folder for folder in site.getsitepackages() if folder not in before]
    try:
        yield
    finally:
        sys.path[:] = before
