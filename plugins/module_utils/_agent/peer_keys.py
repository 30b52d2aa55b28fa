# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files with keys of Curve25519: the public one that Vault Agent reads at ``dh_path``, and the private one beside it.

Vault Agent's file is ``{"curve25519_public_key": "..."}``, 32 bytes in base64; it leaves open how a reader keeps the
private key. Ours is of the same form, with ``curve25519_private_key``.
"""

from __future__ import annotations

import base64
import json
import os
import stat
import typing as t

from .._auth.errors import LoginError, Retry

PUBLIC, PRIVATE = "curve25519_public_key", "curve25519_private_key"
SIZE = 32  # bytes of either key (RFC 7748)
_LARGEST = 65536  # bytes


def read_public(path: str) -> bytes:
    """Return the reader's public key. Raises LoginError, a transient one as long as there is no file."""
    # Another user's file: a FIFO must not hold up the agent.
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
    return _read(
        path, flags, PUBLIC, "let the reader of the sink put its public key there (the command keygen makes one)"
    )


def read_private(path: str) -> bytes:
    """Return the reader's private key. Raises LoginError."""
    return _read(path, os.O_RDONLY | os.O_CLOEXEC, PRIVATE, "give the file that the command keygen made")


def text_of(name: str, key: bytes) -> str:
    """The file's text. name: PUBLIC or PRIVATE."""
    return json.dumps({name: base64.b64encode(key).decode()}, separators=(",", ":")) + "\n"


def decoded(fields: t.Mapping[str, t.Any], name: str, size: int | None) -> bytes:
    """Return the bytes of a field in base64. size: how many there must be. Raises ValueError, for a person."""
    value = fields.get(name)
    if not isinstance(value, str):
        raise ValueError(f"has no {name}")
    try:
        content = base64.b64decode("".join(value.split()), validate=True)
    except ValueError:
        raise ValueError(f"has a {name} that is not base64") from None
    if size is not None and len(content) != size:
        raise ValueError(f"has a {name} of {len(content)} bytes instead of {size}")
    return content


def fields_of(text: bytes) -> dict[str, t.Any]:
    """Return a JSON object. Raises ValueError, for a person."""
    try:
        fields = json.loads(text.decode("utf-8"))
    except (ValueError, RecursionError):
        raise ValueError("is not JSON") from None
    if not isinstance(fields, dict):
        raise ValueError("is not a JSON object")
    return fields


def _read(path: str, flags: int, name: str, hint: str) -> bytes:
    try:
        descriptor = os.open(path, flags)
        with open(descriptor, "rb") as file:
            if flags & os.O_NONBLOCK and not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise LoginError(f"{path} is not a file", hint=hint)
            content = file.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            raise LoginError(f"{path} is over {_LARGEST} bytes, so it is no key", hint=hint)
        return decoded(fields_of(content), name, SIZE)
    except FileNotFoundError:
        raise LoginError(f"there is no {path}", hint=hint, retry=Retry.TRANSIENT) from None
    except OSError as e:
        raise LoginError(f"cannot read {path}", server=e.strerror or type(e).__name__, hint=hint) from None
    except ValueError as e:
        raise LoginError(f"{path} {e}", hint=hint) from None
