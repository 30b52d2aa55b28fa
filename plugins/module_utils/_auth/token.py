# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Vault token, or the wrapping of one, as data."""

from __future__ import annotations

import dataclasses
import enum
import math
import typing as t

from .errors import Retry, VaultError

Answer = t.Mapping[str, t.Any]
_LARGEST = 65536  # characters of a token, as many as a sink may hold
_LONGEST = 10**10  # seconds; Vault's own durations end at 292 years


class Standing(enum.Enum):
    """What is known of a token: it lives; it is gone; or the server does not say (lookup-self is forbidden to it)."""

    LIVE = "live"
    GONE = "gone"
    UNKNOWN = "unknown"


@dataclasses.dataclass(frozen=True)
class Token:
    """A token and its lease.

    ttl: seconds, counted from ``since``; 0 is for ever. since: ``clock.now()`` just before it was asked for, so that
    the token is never thought to live longer than it does. num_uses: 0 is unlimited.
    """

    client_token: str = dataclasses.field(repr=False)
    accessor: str
    ttl: int
    renewable: bool
    num_uses: int
    policies: tuple[str, ...]
    metadata: t.Mapping[str, str] = dataclasses.field(repr=False)  # the server may put a nonce there
    since: float

    def left(self, now: float) -> float:
        """Seconds of the lease that are left at ``now`` (``clock.now()``); infinite without an end."""
        return math.inf if self.ttl == 0 else self.since + self.ttl - now


@dataclasses.dataclass(frozen=True)
class Wrapped:
    """A response-wrapping token. ttl: seconds. creation_path: where the wrapped answer came from."""

    token: str = dataclasses.field(repr=False)
    accessor: str
    ttl: int
    creation_path: str


def token_of_login(answer: Answer, since: float) -> Token:
    """Read the token from an answer to login or renew-self. Raises VaultError if there is none."""
    auth = answer.get("auth")
    if not isinstance(auth, dict):
        raise garbled("has no auth block")
    return _token(auth, auth.get("client_token"), auth.get("lease_duration"), auth.get("metadata"), since)


def token_of_lookup(answer: Answer, client_token: str, since: float) -> Token:
    """Read the token ``client_token`` from an answer to lookup-self. Raises VaultError if that is garbled."""
    data = answer.get("data")
    if not isinstance(data, dict):
        raise garbled("has no data block")
    ttl = data.get("ttl")
    # The server rounds: in its last second or so a token has a ttl of 0, too, but unlike one for ever it has an end.
    if ttl == 0 and data.get("expire_time"):
        ttl = 1
    return _token(data, client_token, ttl, data.get("meta"), since)


def token_of_data(answer: Answer, since: float) -> Token:
    """Read the bare token that was wrapped by itself (``Vault.wrap``); nothing is known of its lease. Raises VaultError
    if there is none.
    """
    data = answer.get("data")
    token = _credential(data.get("token") if isinstance(data, dict) else None)
    return Token(token, "", 0, False, 0, (), {}, since)


def wrapped_of_login(answer: Answer) -> Wrapped:
    """Read the wrapping token from a wrapped answer. Raises VaultError if there is none."""
    info = answer.get("wrap_info")
    if not isinstance(info, dict):
        raise garbled("has no wrap_info block")
    return Wrapped(
        token=_credential(info.get("token")),
        accessor=_text(info, "accessor"),
        ttl=_seconds(info, "ttl", info.get("ttl")),
        creation_path=_text(info, "creation_path"),
    )


def garbled(how: str) -> VaultError:
    """The error for an answer that is not Vault's; it repeats nothing of the answer, which may hold a token.

    It may pass: a load balancer's page while Vault is away comes with status 200, too.
    """
    hint = "check that url is a Vault server, and proxies on the way"
    return VaultError(f"Vault's answer {how}", hint=hint, retry=Retry.TRANSIENT)


def _token(block: Answer, client_token: t.Any, ttl: t.Any, metadata: t.Any, since: float) -> Token:
    policies = block.get("policies")
    return Token(
        client_token=_credential(client_token),
        accessor=_text(block, "accessor"),
        ttl=_seconds(block, "lease_duration", ttl),
        renewable=block.get("renewable") is True,
        num_uses=_seconds(block, "num_uses", block.get("num_uses") or 0),
        policies=tuple(str(name) for name in policies) if isinstance(policies, list) else (),
        metadata={str(k): str(v) for k, v in metadata.items()} if isinstance(metadata, dict) else {},
        since=since,
    )


def _credential(value: t.Any) -> str:
    # It ends up in headers and files: nothing but printable ASCII without blanks.
    if not isinstance(value, str) or not 0 < len(value) <= _LARGEST:
        raise garbled("has no usable token")
    if not value.isascii() or not value.isprintable() or " " in value:
        raise garbled("has no usable token")
    return value


def _text(block: Answer, key: str) -> str:
    value = block.get(key)
    if value is None:
        return ""
    if not isinstance(value, str) or not value.isprintable():
        raise garbled(f"has a {key} that is not text")
    return value


def _seconds(block: Answer, key: str, value: t.Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0 or value > _LONGEST:
        raise garbled(f"has a {key} that is not a number")
    return value
