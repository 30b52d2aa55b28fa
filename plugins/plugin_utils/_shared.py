# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One login per identity for all processes of a run.

Private to this collection. A hit reads one small file: it makes no request and imports neither botocore nor hvac, which
is why the parts that need them are imported where they are used.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import time
import typing as t

from ansible_collections.vaultfleet.aws.plugins.module_utils._auth import clock
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.config import LoginConfig, VaultConnection
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.errors import LoginError, VaultError
from ansible_collections.vaultfleet.aws.plugins.plugin_utils._hit import (
    VERSION,
    credential_files,
    fits,
    is_check_due,
    is_sound,
)
from ansible_collections.vaultfleet.aws.plugins.plugin_utils._store import BusyError, Store, StoreError, has_callback

if t.TYPE_CHECKING:
    from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.token import Token
    from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.vault import Login, Vault

FRONT_END = "vault_aws_token"
_FAILURE_LASTS = 10.0  # seconds in which a failed login is reported, not tried again
_CHECK_LASTS = 10  # seconds at most to ask whether a token lives, which its user waits for


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
    version: int = VERSION


def shared_login(wish: Wish, store: Store) -> dict[str, t.Any]:
    """Return the answer of a login (shape of Vault's API) that this run shares. Raises LoginError, StoreError.

    The first process that wants it logs in, the others wait for that and get the same token, or the same error.
    """
    key = _key(wish)
    record = _read(store, key)
    usable = record is not None and _fits(record, wish)
    if record and usable and not _is_check_due(record, wish):
        store.count_hit()
        return record.answer
    try:
        # While somebody looks whether the token still lives, the others take it as it is.
        with store.lock(key, 0 if usable else wish.patience):
            return _obtain(wish, store, key)
    except BusyError as e:
        if record and usable:
            store.count_hit()
            return record.answer
        raise StoreError(
            f"another process of this run (pid {e.holder or 'unknown'}) has been logging in for {wish.patience} s:"
            " raise cache_timeout if Vault is that slow, or see what that process waits for"
        ) from None


def note_of(wish: Wish) -> dict[str, t.Any]:
    """Return what the short way (``_hit``) has to know to find the token that ``shared_login`` shares."""
    return {"key": _key(wish), "min_ttl": wish.min_ttl, "check_interval": wish.check_interval}


def login_of_ones_own(wish: Wish, store: Store | None) -> dict[str, t.Any]:
    """Return the answer of a login that is not shared. Raises LoginError, StoreError.

    store: that of a run whose end revokes its tokens.
    """
    from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.vault import Vault

    vault = Vault(wish.connection, FRONT_END)
    try:
        return _log_in(wish, vault, store).answer
    finally:
        vault.close()


def _obtain(wish: Wish, store: Store, key: str) -> dict[str, t.Any]:
    """What somebody else obtained meanwhile; else look, renew, or log in, whatever is due. The lock is held."""
    record = _read(store, key)
    usable = record is not None and _fits(record, wish)
    if record and usable:
        checked = _check(wish, store, key, record) if _is_check_due(record, wish) else record
        if checked:
            store.count_hit()
            return checked.answer
        record = None
    _raise_failure(store, key)
    from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.vault import Vault

    vault = Vault(wish.connection, FRONT_END)
    try:
        if record and record.renewable and _left(record) > 1:
            renewed = _renew(wish, store, key, record, vault)
            if renewed:
                return renewed.answer
        return _log_in_for_all(wish, store, key, vault)
    except LoginError as e:
        failure = {"message": str(e), "until": clock.now() + _FAILURE_LASTS, "version": VERSION}
        with contextlib.suppress(StoreError):  # the error itself is worth more
            store.write(f"{key}.failed", failure)
        raise
    finally:
        vault.close()


def _renew(wish: Wish, store: Store, key: str, record: _Record, vault: Vault) -> _Record | None:
    started = time.monotonic()
    try:
        token = vault.renew_self(record.token)
    except VaultError as e:
        if e.status is None:
            raise  # nobody answers: a login would only wait once more
        return None  # it may not be renewed any more, or is gone: a login tells what is wrong
    store.count("renewal", time.monotonic() - started)
    _note(wish, token, store)
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


def _log_in_for_all(wish: Wish, store: Store, key: str, vault: Vault) -> dict[str, t.Any]:
    login = _log_in(wish, vault, store)
    token = t.cast("Token", login.token)  # it is not wrapped, as that is refused where tokens are shared
    # A token that lookups or uses would wear out belongs to one reader only.
    if not token.num_uses:
        record = _Record(
            token=token.client_token,
            answer=login.answer,
            ttl=token.ttl,
            renewable=token.renewable,
            ends=_end(token),
            checked=clock.now(),
            asks=wish.check_interval > 0 and vault.tells_of(token),
        )
        with _or_revoked(token, vault):
            store.write(key, dataclasses.asdict(record))
    return login.answer


def _log_in(wish: Wish, vault: Vault, store: Store | None) -> Login:
    """Log in, and let the end of the run know of it."""
    from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.login import check, log_in

    started = time.monotonic()
    check(wish.config)
    login = log_in(wish.config, vault).login
    if store is None:
        return login
    store.count("login", time.monotonic() - started)
    if login.token:
        with _or_revoked(login.token, vault):
            _note(wish, login.token, store)
    return login


def _note(wish: Wish, token: Token, store: Store) -> None:
    """Let the end of the run know of a token, and when it ends, if it is to revoke it."""
    if wish.revoke and has_callback(store):
        connection = dataclasses.asdict(wish.connection)
        store.add_created({"token": token.client_token, "connection": connection, "ends": _end(token)})


@contextlib.contextmanager
def _or_revoked(token: Token, vault: Vault) -> t.Iterator[None]:
    """A token that cannot be noted down must not stay behind."""
    try:
        yield
    except StoreError:
        with contextlib.suppress(LoginError):
            vault.revoke_self(token.client_token)
        raise


def _check(wish: Wish, store: Store, key: str, record: _Record) -> _Record | None:
    """Look whether the token still lives, and note that; None: it does not. The lock is held."""
    from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.token import Standing
    from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.vault import Vault

    timeout = min(wish.connection.timeout, _CHECK_LASTS)
    vault = Vault(dataclasses.replace(wish.connection, timeout=timeout, retries=0), FRONT_END)
    ends = record.ends
    try:
        standing, token = vault.standing(_as_token(record))
        if standing is Standing.GONE:
            store.forget(key)
            return None
        ends = _end(token) or ends
    except LoginError:
        pass  # the server is away: the lease still counts, and the next interval asks again
    finally:
        vault.close()
    checked = dataclasses.replace(record, ends=ends, checked=clock.now())
    store.write(key, dataclasses.asdict(checked))
    return checked


def _read(store: Store, key: str) -> _Record | None:
    """The record, or None if there is none that can be used: then a login is due, and nothing worse."""
    fields = store.read(key)
    return _Record(**fields) if fields is not None and is_sound(fields) else None


def _raise_failure(store: Store, key: str) -> None:
    """Report a login that failed a moment ago, instead of failing once more."""
    failure = store.read(f"{key}.failed") or {}
    until, message = failure.get("until"), failure.get("message")
    if failure.get("version") != VERSION or not isinstance(until, float) or not isinstance(message, str):
        return
    if 0 <= until - clock.now() <= _FAILURE_LASTS:
        raise LoginError(message)


def _fits(record: _Record, wish: Wish) -> bool:
    return fits(record.ends, record.ttl, wish.min_ttl, clock.now())


def _left(record: _Record) -> float:
    return float("inf") if record.ends is None else record.ends - clock.now()


def _is_check_due(record: _Record, wish: Wish) -> bool:
    return record.asks and is_check_due(record.checked, wish.check_interval, clock.now())


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
        "version": VERSION,
        "config": dataclasses.asdict(wish.config),
        "connection": connection,
        "revoke": wish.revoke,
        "user": os.geteuid(),
        "aws": {name: value for name, value in os.environ.items() if name.startswith("AWS_")},
        "files": credential_files(),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
