# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The requests that the lifecycle asks for, each a function that ends in an event. They block; the runner has threads.

What takes AWS's libraries is asked of ``aws``.
"""

from __future__ import annotations

import dataclasses
import json
import typing as t

from .._auth import clock
from .._auth.config import LoginConfig
from .._auth.errors import ConfigError, CredentialsError, LoginError, Retry, VaultError
from .._auth.request import LoginRequest
from .._auth.token import Standing, Token
from .._auth.vault import Login, Vault
from . import aws
from .messages import Checked, Event, Failed, Failure, Lease, LoggedIn, Polled, Purpose, Renewed, Retired, Revoked
from .store import Store, nonce_key

_NO_CERTIFICATE = "document-signature"  # of hints.ROWS
# identity is checked with one kind of certificate, the two others with another kind.
_OTHER_PROOF = {"identity": "rsa2048", "rsa2048": "identity", "pkcs7": "identity"}


@dataclasses.dataclass(frozen=True)
class Held:
    """The token that the agent has; with ``wrapped`` it is a wrapping token. number: which one it is.

    text: what a sink gets. vault: the server that it is of.
    """

    number: int
    text: str = dataclasses.field(repr=False)
    token: Token
    vault: Vault = dataclasses.field(repr=False)
    wrapped: bool = False

    def lease(self, asks: bool | None = None) -> Lease:
        """The token as the lifecycle sees it."""
        token = self.token
        return Lease(
            self.number, token.since, token.ttl, token.renewable, token.num_uses, asks=asks, wrapped=self.wrapped
        )


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a job brings back. held: the token after a login or a renewal. keys: after a login that failed, a
    fingerprint of the AWS credentials that there are. misconfigured: why no login with this configuration can work.
    signature_type: the proof that the next ec2 login is to bring.
    """

    event: Event
    held: Held | None = None
    keys: str | None = None
    misconfigured: ConfigError | None = None
    signature_type: str | None = None


def log_in(config: LoginConfig, vault: Vault, store: Store, number: int) -> Outcome:
    """Log in as ``config`` says. The nonce of an ec2 login is in the store before it is sent to the server.

    If the server has no certificate for the proof of an instance, the next login is to bring another kind: which of
    AWS's certificates are registered there is nothing that this host knows.
    """
    since = clock.now()
    keys: str | None = None

    def proof(_fresh: bool) -> LoginRequest:
        nonlocal keys
        made = aws.prove(ready, vault.connection.timeout)
        keys = made.keys
        return made.request

    try:
        ready = config if config.type == "iam" else dataclasses.replace(config, nonce=_nonce(config, vault, store))
        answer = vault.login(ready.mount_path, proof, wrap_ttl=ready.wrap_ttl)
    except aws.MisconfiguredError as e:
        return Outcome(Failed(Purpose.LOGIN, _failure(e)), misconfigured=e)
    except LoginError as e:
        # Other keys may help where these are missing or refused; so may the same keys if a role was granted to them.
        theirs = config.type == "iam" and (isinstance(e, CredentialsError) or e.retry is not Retry.TRANSIENT)
        failure = dataclasses.replace(_failure(e), credentials=theirs)
        if isinstance(e, VaultError) and e.row == _NO_CERTIFICATE:
            other = _OTHER_PROOF[config.signature_type]
            text = f"{failure.text}; the next login brings {other} instead of {config.signature_type}"
            failure = dataclasses.replace(failure, text=text, retry=Retry.RESIGN)
            return Outcome(Failed(Purpose.LOGIN, failure), signature_type=other)
        return Outcome(Failed(Purpose.LOGIN, failure), keys=keys if theirs else None)
    held = _held(answer, vault, number, since)
    return Outcome(LoggedIn(held.lease()), held)


def renew(held: Held) -> Outcome:
    """Renew the token for as long as its role says."""
    try:
        token = held.vault.renew_self(held.token.client_token)
    except VaultError as e:
        return Outcome(Failed(Purpose.RENEW, _failure(e)))
    renewed = dataclasses.replace(held, token=dataclasses.replace(token, client_token=held.token.client_token))
    return Outcome(Renewed(renewed.lease()), renewed)


def check(held: Held, fresh: bool) -> Outcome:
    """Ask the server whether the token lives; a wrapping token does until it was used."""
    try:
        if held.wrapped:
            lives = held.vault.still_wraps(held.token.client_token)
            return Outcome(Checked(held.number, Standing.LIVE if lives else Standing.GONE))
        standing, token = held.vault.standing(held.token, fresh=fresh)
    except VaultError as e:
        return Outcome(Failed(Purpose.CHECK, _failure(e)))
    seen = dataclasses.replace(held, token=token)
    return Outcome(Checked(held.number, standing, seen.lease() if standing is Standing.LIVE else None))


def poll(config: LoginConfig, vault: Vault, keys: str | None) -> Outcome:
    """Look whether the AWS credentials are others than those of fingerprint ``keys``."""
    now = aws.keys(config, vault.connection.timeout)
    return Outcome(Polled(now is not None and now != keys), keys=now)


def revoke(held: Held) -> Outcome:
    """Revoke the token."""
    try:
        if held.vault.revoke_self(held.token.client_token):
            return Outcome(Revoked())
    except VaultError as e:
        return Outcome(Failed(Purpose.REVOKE, _failure(e)))
    text = "the server refuses (it is gone already, a batch token, or its policies forbid revoke-self)"
    return Outcome(Failed(Purpose.REVOKE, Failure(text, Retry.PERMANENT)))


def retire(replaced: Held) -> Outcome:
    """Revoke the token that was replaced."""
    event = revoke(replaced).event
    return Outcome(Failed(Purpose.RETIRE, event.failure) if isinstance(event, Failed) else Retired())


def wrapped_text(info: t.Mapping[str, t.Any]) -> str:
    """What Vault Agent writes of an answer's ``wrap_info``, byte for byte."""
    names = ("token", "accessor", "ttl", "creation_time", "creation_path", "wrapped_accessor")
    return json.dumps({name: info.get(name, "") for name in names}, separators=(",", ":")) + "\n"


def _held(login: Login, vault: Vault, number: int, since: float) -> Held:
    if login.wrapped is None:
        token = t.cast(Token, login.token)
        return Held(number, token.client_token, token, vault)
    wrapped = login.wrapped
    token = Token(wrapped.token, wrapped.accessor, wrapped.ttl, False, 0, (), {}, since)
    return Held(number, wrapped_text(login.answer["wrap_info"]), token, vault, wrapped=True)


def _nonce(config: LoginConfig, vault: Vault, store: Store) -> str:
    """The nonce to send, which the store holds from now on. Raises LoginError if it should and does not."""
    if config.nonce:
        return config.nonce  # the configuration outlives us anyway
    import uuid

    key = nonce_key(vault.connection, config)
    nonce = store.nonce(key) or str(uuid.uuid4())
    if not store.put_nonce(key, nonce) and store.available():
        raise LoginError(
            "the service manager did not take the nonce in time, and no login is sent before it has",
            hint="look at its load; this is tried again",
            retry=Retry.TRANSIENT,
        )
    return nonce


def _failure(error: LoginError) -> Failure:
    return Failure(
        str(error),
        # Missing credentials are often there a moment later: at boot, or when a mount or a sidecar is late.
        retry=Retry.TRANSIENT if isinstance(error, CredentialsError) else error.retry,
        retry_after=getattr(error, "retry_after", None),
        denied=getattr(error, "status", None) == 403,
    )
