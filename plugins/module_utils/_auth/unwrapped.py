# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A token that somebody else's login brought, handed over in a wrapping token."""

from __future__ import annotations

import dataclasses
import json
import typing as t

from . import clock
from .config import mount_path
from .errors import ConfigError, VaultError
from .token import Standing, Token, token_of_data, token_of_login
from .vault import Vault

_HINT = "give the wrapping token itself, or all that a wrapped sink of the agent holds"


@dataclasses.dataclass(frozen=True)
class Wrapping:
    """A wrapping token, and where it must have been made; build it with ``from_options``."""

    token: str = dataclasses.field(repr=False)
    path: str

    @classmethod
    def from_options(cls, options: t.Mapping[str, t.Any]) -> Wrapping:
        """Judge wrapping_token, wrapping_path and mount_path (None is absent). Raises ConfigError."""
        path = options.get("wrapping_path") or f"auth/{mount_path(options.get('mount_path') or 'aws')}/login"
        if not isinstance(path, str) or not path.isprintable() or " " in path:
            raise ConfigError("wrapping_path", "is not a path", hint="give where it was made, such as auth/aws/login")
        return cls(_token_in(options.get("wrapping_token")), path.strip("/"))


@dataclasses.dataclass(frozen=True)
class Unwrapped:
    """What was wrapped. auth: the token and what is known of its lease, by the names of Vault's API. token: None if the
    server does not tell how long it lives.
    """

    auth: dict[str, t.Any] = dataclasses.field(repr=False)
    token: Token | None


def unwrap(vault: Vault, wrapping: Wrapping) -> Unwrapped:
    """Return the token inside, after a look at where it was wrapped. Raises VaultError."""
    answer = vault.unwrap(wrapping.token, wrapping.path)
    since = clock.now()
    of_login = isinstance(answer.get("auth"), dict)
    token = token_of_login(answer, since) if of_login else token_of_data(answer, since)
    known = _auth(token, token.ttl) if of_login else {"client_token": token.client_token}
    try:
        standing, seen = vault.standing(token, fresh=True)
    except VaultError:
        return Unwrapped(known, None)  # what was unwrapped must not be lost for that
    # The policy "default" lets a token look itself up, so one that may not is none any more.
    if standing is Standing.GONE or (standing is Standing.UNKNOWN and _may_look(token)):
        raise VaultError("the token that was wrapped works no more", hint="it was revoked, or has ended: log in anew")
    if standing is Standing.LIVE:
        return Unwrapped(_auth(seen, 0 if seen.ttl == 0 else int(seen.left(clock.now()))), seen)
    return Unwrapped(known, None)


def _may_look(token: Token) -> bool:
    return "default" in token.policies and not token.num_uses


def _auth(token: Token, lease_duration: int) -> dict[str, t.Any]:
    return {
        "client_token": token.client_token,
        "accessor": token.accessor,
        "lease_duration": lease_duration,
        "policies": list(token.policies),
        "renewable": token.renewable,
    }


def _token_in(value: object) -> str:
    """The wrapping token in what a user gave, which is repeated nowhere."""
    text = str(value or "").strip()
    if text.startswith("{"):
        try:
            text = str(json.loads(text).get("token", ""))
        except (ValueError, RecursionError):
            raise ConfigError("wrapping_token", "starts as JSON, and is none", hint=_HINT) from None
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise ConfigError("wrapping_token", "is not a wrapping token", hint=_HINT)
    return text
