# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A token kept in a sink from one run to the next: is it still the one that a login would give?

The server does not tell the role of an iam token, so a record beside the sink does: ``<path>.meta``, JSON, 0600,
without a secret (``fingerprint`` is the SHA-256 of the token, which is random and long enough not to be guessed).
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
import typing as t

from . import clock, sink
from .config import LoginConfig
from .errors import SinkError, VaultError
from .sink import Sink
from .token import Standing, Token
from .vault import Vault

_VERSION = 1
_LATEST = 253402300800  # seconds: the year 10000, which no date of Python reaches


@dataclasses.dataclass(frozen=True)
class Record:
    """What is known of the token in a sink. expires_at: seconds since the epoch, None for never.

    trusted: the server cannot be asked about the token (lookup-self is forbidden to it, or would use it up), so the
    lease of its login counts.
    """

    fingerprint: str
    accessor: str
    url: str
    namespace: str
    mount_path: str
    role: str
    type: str
    expires_at: float | None
    trusted: bool
    version: int = _VERSION


@dataclasses.dataclass(frozen=True)
class Kept:
    """What a sink holds. token: the usable one, or None, and then ``why`` a login is due; record: if there is one."""

    token: Token | None
    why: str
    record: Record | None


def examine(place: Sink, config: LoginConfig, vault: Vault, min_ttl: int) -> Kept:
    """Tell whether the token in ``place`` works, is of this login, and has ``min_ttl`` seconds left.

    A token is only ever sent to the server that it came from. Raises SinkError; VaultError if the server cannot be
    asked, which is no reason to replace a token.
    """
    text = sink.read(place.path)
    record = read_record(place.path)
    if text is None:
        return Kept(None, "there is no token yet", record)
    if record is None:
        return Kept(None, "there is no record of the token's login beside it", None)
    other = _difference(record, config, vault)
    if other:
        return Kept(None, f"the token is of another {other}", record)
    if record.fingerprint != _fingerprint(text):
        return Kept(None, "the token was altered", record)
    token = _token(text, record)
    if not record.trusted:
        standing, token = vault.standing(token)
        if standing is Standing.GONE:
            return Kept(None, "the token is revoked or expired", record)
    left = token.left(clock.now())
    if left < min_ttl:
        return Kept(None, f"the token has {max(left, 0):.0f} s left, less than min_ttl", record)
    return Kept(token, "", record)


def keep(place: Sink, token: Token, config: LoginConfig, vault: Vault) -> Record:
    """Write ``token``, just handed out, and its record. Raises SinkError, and has tried to revoke the token then."""
    left = token.left(clock.now())
    try:
        record = Record(
            fingerprint=_fingerprint(token.client_token),
            accessor=token.accessor,
            url=vault.connection.url,
            namespace=vault.connection.namespace,
            mount_path=config.mount_path,
            role=config.role,
            type=config.type,
            expires_at=None if token.ttl == 0 else round(time.time() + left, 3),
            trusted=not vault.tells_of(token),
        )
        # The record first: without room for it, the old token stays in place with the old record.
        sink.write(_record_place(place), json.dumps(dataclasses.asdict(record), sort_keys=True, indent=1) + "\n")
        sink.write(place, token.client_token)
    except SinkError as e:
        try:
            vault.revoke_self(token.client_token)
        except VaultError:
            e.what += f" (and its token could not be revoked: accessor {token.accessor})"
        raise
    return record


def discard(place: Sink, vault: Vault) -> tuple[bool, bool]:
    """Revoke the token in ``place`` and remove it and its record: (was there anything, did the server revoke it).

    Raises SinkError for a token without a record or of another server, VaultError if the server cannot be asked; the
    files stay then.
    """
    text = sink.read(place.path)
    record = read_record(place.path)
    if text is None:
        return sink.remove(_record_place(place).path), False
    check_origin(place, record, vault)
    revoked = vault.revoke_self(text.strip())
    sink.remove(place.path)
    sink.remove(_record_place(place).path)
    return True, revoked


def check_origin(place: Sink, record: Record | None, vault: Vault) -> None:
    """Refuse to touch what this collection did not write, and to show a token to another server. Raises SinkError."""
    if record is None:
        raise SinkError(
            f"{place.path} was not written by a login of this collection (there is no usable {place.path}.meta)",
            hint="revoke and remove it yourself, or correct sink.path",
        )
    for name in ("url", "namespace"):
        theirs, ours = getattr(record, name), getattr(vault.connection, name)
        if theirs != ours:
            raise SinkError(
                f"the token in {place.path} is of {name} {theirs[:80]!r}, not {ours!r}",
                hint=f"set {name} to that, or remove it",
            )


def _record_place(place: Sink) -> Sink:
    return Sink(f"{place.path}.meta")  # of the writer, whoever owns the sink


def read_record(path: str) -> Record | None:
    """The record, or None if it is missing, garbled or of another version: then a login is due, and nothing worse."""
    text = sink.read(f"{path}.meta")
    if text is None:
        return None
    try:
        fields = json.loads(text)
        record = Record(**fields)
    except (ValueError, TypeError, RecursionError):
        return None
    kinds: dict[str, tuple[type, ...]] = {"expires_at": (float, int, type(None)), "trusted": (bool,), "version": (int,)}
    well_formed = all(isinstance(value, kinds.get(name, (str,))) for name, value in fields.items())
    if not well_formed or record.version != _VERSION:
        return None
    return record if record.expires_at is None or 0 <= record.expires_at < _LATEST else None


def _difference(record: Record, config: LoginConfig, vault: Vault) -> str:
    """The first thing in which the record is of another login, or nothing."""
    asked: dict[str, t.Any] = {
        "url": vault.connection.url,
        "namespace": vault.connection.namespace,
        "mount_path": config.mount_path,
        "role": config.role,
        "type": config.type,
    }
    return next((name for name, value in asked.items() if getattr(record, name) != value), "")


def _token(text: str, record: Record) -> Token:
    """The token as its record has it, with the lease that was counted when it was handed out."""
    now = clock.now()
    if record.expires_at is None:
        return Token(text.strip(), record.accessor, 0, False, 0, (), {}, now)
    left = record.expires_at - time.time()  # below 0 if it has ended; a ttl of 0 would be for ever
    ttl = max(1, int(left))
    return Token(text.strip(), record.accessor, ttl, False, 0, (), {}, now + left - ttl)


def _fingerprint(text: str) -> str:
    return hashlib.sha256(text.strip().encode()).hexdigest()
