# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One login per identity for all processes of a run.

Private to this collection. A hit reads one small file: it makes no request and imports neither botocore nor hvac, which
is why the parts that need them are imported where they are used.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import time
import typing as t

from ansible_collections.vaultfleet.aws.plugins.module_utils._auth import clock
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.config import LoginConfig, VaultConnection
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.errors import LoginError
from ansible_collections.vaultfleet.aws.plugins.plugin_utils._store import BusyError, Store, StoreError

if t.TYPE_CHECKING:
    from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.token import Token
    from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.vault import Vault

FRONT_END = "vault_aws_token"
_VERSION = 1
_FAILURE_LASTS = 10.0  # seconds in which a failed login is reported, not tried again
# What the AWS SDK reads to find credentials; a change of any of these may be another identity.
_CREDENTIAL_FILES = {
    "AWS_CONFIG_FILE": "~/.aws/config",
    "AWS_SHARED_CREDENTIALS_FILE": "~/.aws/credentials",
    "AWS_WEB_IDENTITY_TOKEN_FILE": None,
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": None,
}


@dataclasses.dataclass(frozen=True)
class Wish:
    """A token that somebody wants, and how.

    min_ttl: seconds it must still have (half its lifetime, where that is less). check_interval: seconds between two
    looks at whether it still lives, 0 for never. patience: seconds to wait for another process's login. revoke: whether
    the end of the run may revoke it.
    """

    config: LoginConfig
    connection: VaultConnection
    min_ttl: int = 60
    check_interval: int = 30
    patience: int = 60
    revoke: bool = True


@dataclasses.dataclass(frozen=True)
class _Record:
    """A shared token. ends, checked: ``clock.now()``; ends None is never. asks: lookup-self tells about it."""

    token: str = dataclasses.field(repr=False)
    answer: dict[str, t.Any] = dataclasses.field(repr=False)
    ttl: int
    renewable: bool
    ends: float | None
    checked: float
    asks: bool
    version: int = _VERSION


def shared_login(wish: Wish, store: Store) -> dict[str, t.Any]:
    """Return the answer of a login (shape of Vault's API) that this run shares. Raises LoginError, StoreError.

    The first process that wants it logs in, the others wait for that and get the same token, or the same error.
    """
    key = _key(wish)
    record = _read(store, key)
    if record and _fits(record, wish):
        if not _is_check_due(record, wish):
            store.count("hit")
            return record.answer
        checked = _check(wish, store, key, record)
        if checked:
            store.count("hit")
            return checked.answer
    try:
        with store.lock(key, wish.patience):
            record = _read(store, key)
            if record and _fits(record, wish):
                store.count("hit")
                return record.answer
            _raise_failure(store, key)
            return _obtain(wish, store, key, record)
    except BusyError as e:
        raise StoreError(
            f"another process of this run (pid {e.holder or 'unknown'}) has been logging in for {wish.patience} s:"
            " raise cache_timeout if Vault is that slow, or see what that process waits for"
        ) from None


def _obtain(wish: Wish, store: Store, key: str, record: _Record | None) -> dict[str, t.Any]:
    """Renew the token of ``record``, else log in; the lock is held."""
    from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.vault import Vault

    vault = Vault(wish.connection, FRONT_END)
    try:
        if record and record.renewable and _left(record) > 1:
            renewed = _renew(wish, store, key, record, vault)
            if renewed:
                return renewed.answer
        return _log_in(wish, store, key, vault)
    except LoginError as e:
        store.write(f"{key}.failed", {"message": str(e), "until": clock.now() + _FAILURE_LASTS, "version": _VERSION})
        raise
    finally:
        vault.close()


def _renew(wish: Wish, store: Store, key: str, record: _Record, vault: Vault) -> _Record | None:
    started = time.monotonic()
    try:
        token = vault.renew_self(record.token)
    except LoginError:
        return None  # it may not be renewed any more, or is gone: a login tells what is wrong
    store.count("renewal", time.monotonic() - started)
    auth = dict(record.answer.get("auth") or {}, lease_duration=token.ttl)
    renewed = dataclasses.replace(
        record,
        answer={**record.answer, "auth": auth},
        ttl=max(token.ttl, record.ttl),  # so that a lease that the server clips counts as short
        renewable=token.renewable,
        ends=_end(token),
        checked=clock.now(),
    )
    if not _fits(renewed, wish):
        return None
    store.write(key, dataclasses.asdict(renewed))
    return renewed


def _log_in(wish: Wish, store: Store, key: str, vault: Vault) -> dict[str, t.Any]:
    from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.login import check, log_in

    started = time.monotonic()
    check(wish.config)
    done = log_in(wish.config, vault)
    store.count("login", time.monotonic() - started)
    token = done.login.token
    if token is None:
        raise StoreError("wrap_ttl: a wrapped answer is for one use and cannot be shared: set cache to none")
    try:
        store.add_created(
            {
                "token": token.client_token,
                "revoke": wish.revoke,
                "connection": dataclasses.asdict(wish.connection),
                "ends": _end(token),
            }
        )
        # A token that lookups or uses would wear out belongs to one reader only.
        if not token.num_uses:
            record = _Record(
                token=token.client_token,
                answer=done.login.answer,
                ttl=token.ttl,
                renewable=token.renewable,
                ends=_end(token),
                checked=clock.now(),
                asks=wish.check_interval > 0 and vault.tells_of(token),
            )
            store.write(key, dataclasses.asdict(record))
    except StoreError:
        # Nobody else can get this token, and the end of the run would not know of it: it must not stay behind.
        vault.revoke_self(token.client_token)
        raise
    return done.login.answer


def _check(wish: Wish, store: Store, key: str, record: _Record) -> _Record | None:
    """Let one process look whether the token still lives; the others take it as it is. None: it does not."""
    from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.vault import Standing, Vault

    try:
        with store.lock(f"{key}.check", 0):
            latest = _read(store, key)
            if latest is None or not _is_check_due(latest, wish):
                return latest
            vault = Vault(wish.connection, FRONT_END)
            try:
                standing, token = vault.standing(_as_token(latest))
                ends = _end(token)
            except LoginError:
                # The server is away. The lease still counts, and the next interval asks again.
                standing, ends = Standing.UNKNOWN, latest.ends
            finally:
                vault.close()
            if standing is Standing.GONE:
                store.forget(key)
                return None
            checked = dataclasses.replace(latest, ends=ends, checked=clock.now())
            store.write(key, dataclasses.asdict(checked))
            return checked
    except BusyError:
        return record


def _read(store: Store, key: str) -> _Record | None:
    """The record, or None if there is none that can be used: then a login is due, and nothing worse."""
    fields = store.read(key)
    if fields is None or fields.get("version") != _VERSION:
        return None
    try:
        record = _Record(**fields)
    except TypeError:
        return None
    numbers = (record.ttl, record.checked, record.ends or 0)
    flags = (record.renewable, record.asks)
    sound = (
        isinstance(record.token, str)
        and isinstance(record.answer, dict)
        and all(isinstance(number, (int, float)) for number in numbers)
        and all(isinstance(flag, bool) for flag in flags)
        and (record.answer.get("auth") or {}).get("client_token") == record.token
    )
    return record if sound else None


def _raise_failure(store: Store, key: str) -> None:
    """Report a login that failed a moment ago, instead of failing once more."""
    failure = store.read(f"{key}.failed") or {}
    until, message = failure.get("until"), failure.get("message")
    if failure.get("version") == _VERSION and isinstance(until, float) and 0 <= until - clock.now() <= _FAILURE_LASTS:
        raise LoginError(str(message))


def _fits(record: _Record, wish: Wish) -> bool:
    """Whether the token has enough of its life left; of a short one, half is enough."""
    return _left(record) >= min(wish.min_ttl, record.ttl / 2 if record.ttl else wish.min_ttl)


def _left(record: _Record) -> float:
    return float("inf") if record.ends is None else record.ends - clock.now()


def _is_check_due(record: _Record, wish: Wish) -> bool:
    return record.asks and wish.check_interval > 0 and clock.now() - record.checked >= wish.check_interval


def _as_token(record: _Record) -> Token:
    from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.token import Token

    return Token(record.token, "", record.ttl, record.renewable, 0, (), {}, (record.ends or 0) - record.ttl)


def _end(token: Token) -> float | None:
    return None if token.ttl == 0 else token.since + token.ttl


def _key(wish: Wish) -> str:
    """A name for all that makes a login another one; a hash, since secrets are among it."""
    connection = dataclasses.asdict(wish.connection)
    for name in ("timeout", "retries", "proxies"):
        del connection[name]  # how to get there, not where
    parts = {
        "version": _VERSION,
        "config": dataclasses.asdict(wish.config),
        "connection": connection,
        "revoke": wish.revoke,
        "user": os.geteuid(),
        "aws": {name: value for name, value in os.environ.items() if name.startswith("AWS_")},
        "files": {name: _file_identity(name, default) for name, default in _CREDENTIAL_FILES.items()},
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _file_identity(variable: str, default: str | None) -> list[object] | None:
    path = os.environ.get(variable) or default
    if path is None:
        return None
    path = os.path.expanduser(path)
    try:
        found = os.stat(path)
    except OSError:
        return [path]
    return [path, found.st_dev, found.st_ino, found.st_mtime_ns]
