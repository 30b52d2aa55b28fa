# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the lookup's options to an answer: shared by the run, made for this lookup alone, or read from a sink.

Private to this collection.
"""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import json
import os
import re
import time
import typing as t

from ansible_collections.vaultfleet.aws.plugins.module_utils._auth import clock, environment, sink
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.config import (
    LoginConfig,
    VaultConnection,
    part_for,
)
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.durations import parse_duration
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.errors import ConfigError, SinkError, VaultError
from ansible_collections.vaultfleet.aws.plugins.plugin_utils._cleanup import clean_up_after_the_dead
from ansible_collections.vaultfleet.aws.plugins.plugin_utils._hit import VERSION
from ansible_collections.vaultfleet.aws.plugins.plugin_utils._shared import (
    FRONT_END,
    Wish,
    login_of_ones_own,
    note_of,
    shared_login,
)
from ansible_collections.vaultfleet.aws.plugins.plugin_utils._store import (
    BusyError,
    Store,
    StoreError,
    open_store,
    store_of_callback,
)

Options = t.Mapping[str, t.Any]
Warn = t.Callable[[str], t.Any]


def known(given: t.Iterable[str], definitions: t.Mapping[str, t.Any]) -> None:
    """Refuse keywords that are no options, which Ansible would pass over in silence. Raises ConfigError."""
    names = {name for name in definitions if name != "_terms"}
    names |= {alias for definition in definitions.values() for alias in definition.get("aliases") or ()}
    for name in given:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            raise ConfigError(name, "is not an option", hint=f"did you mean {near[0]}?" if near else "remove it")


def from_environment(name: str, definition: t.Mapping[str, t.Any], value: t.Any, origin: str) -> t.Any:
    """Return the ``value`` of an option as the module would have it, if it is of the environment: an empty variable
    counts as none, and validate_certs has variables that say the opposite.
    """
    if name == "validate_certs" and origin.startswith(("env: ", "default")):
        said = environment.validate_certs()
        return value if said is None else said
    if origin.startswith("env: ") and not os.environ.get(origin[len("env: ") :]):
        # Ansible takes the last variable of its list that is set.
        full = (os.environ[one["name"]] for one in reversed(definition["env"]) if os.environ.get(one["name"]))
        return next(full, definition.get("default"))
    return value


def answer(options: Options, warn: Warn) -> t.Any:
    """Return the token, or the whole answer, that ``options`` ask for. Raises LoginError."""
    try:
        if options["wrapping_token"]:
            found = _unwrapped(options, warn)
        else:
            found = _from_sink(options, warn) if options["sink"] else _by_login(options, warn)
    except StoreError as e:
        raise ConfigError(
            "cache", str(e), hint="make room or remove what is in the way, or set cache to none"
        ) from None
    return found if options["return"] == "login" else found["auth"]["client_token"]


def remember(name: str, lookups: t.Sequence[Options]) -> None:
    """Leave a note for the next lookup that is given the same as this one, which got its answers by ``lookups``."""
    if any(options["sink"] or options["wrapping_token"] or options["cache"] == "none" for options in lookups):
        return
    tokens = [{**note_of(_wish(options)), "whole": options["return"] == "login"} for options in lookups]
    with contextlib.suppress(StoreError):  # it only takes longer without
        open_store().write(name, {"version": VERSION, "tokens": tokens})


def _by_login(options: Options, warn: Warn) -> dict[str, t.Any]:
    wish = _wish(options)
    for warning in environment.warnings(wish.connection):
        warn(warning)
    if options["cache"] == "none":
        return login_of_ones_own(wish, store_of_callback())
    store = _store(warn)
    return shared_login(wish, store) if store else login_of_ones_own(wish, None)


def _wish(options: Options) -> Wish:
    config = LoginConfig.from_options(part_for(LoginConfig, options))
    if config.wrap_ttl and options["cache"] != "none":
        raise ConfigError("wrap_ttl", "a wrapping token is for one use and cannot be shared", hint="set cache to none")
    if config.wrap_ttl and options["return"] != "login":
        raise ConfigError("wrap_ttl", "there is no token in a wrapped answer", hint="set return to login")
    if config.type == "ec2" and not config.nonce:
        raise ConfigError(
            "nonce",
            "is missing: a second run with a new one would lock this controller out",
            hint="give the nonce of the first login, or read an agent's token with sink",
        )
    return Wish(
        config=config,
        connection=VaultConnection.from_options(part_for(VaultConnection, options)),
        min_ttl=parse_duration("min_ttl", options["min_ttl"]),
        check_interval=parse_duration("check_interval", options["check_interval"]),
        patience=parse_duration("cache_timeout", options["cache_timeout"], minimum=1),
        revoke=options["revoke"],
    )


def _store(warn: Warn) -> Store | None:
    """The run's store, or None with a warning where there can be none; the first to come tidies up after the dead."""
    try:
        store = open_store()
    except StoreError as e:
        warn(f"vault_aws_token: {e}. Tokens cannot be shared, so each lookup logs in.")
        return None
    warning = clean_up_after_the_dead().warning if store.is_new else ""
    if warning:
        warn(f"vault_aws_token: an earlier run left {warning}")
    return store


def _unwrapped(options: Options, warn: Warn) -> dict[str, t.Any]:
    """The token in a wrapping token. That is used up by the first lookup of a run, which shares what was in it: Ansible
    evaluates a variable anew each time that it is used.
    """
    from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.unwrapped import Wrapping, unwrap
    from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.vault import Vault

    for option in ("sink", "wrap_ttl"):
        if options[option]:
            raise ConfigError(option, "cannot go with wrapping_token", hint="remove one of them")
    wrapping = Wrapping.from_options(options)
    connection = VaultConnection.from_options(part_for(VaultConnection, options))
    store = _store(warn) if options["cache"] == "run" else None
    parts = [wrapping.token, wrapping.path, connection.url, connection.namespace]
    name = "unwrapped-" + hashlib.sha256(json.dumps(parts).encode()).hexdigest()
    patience = parse_duration("cache_timeout", options["cache_timeout"], minimum=1)
    try:
        with store.lock(name, patience) if store else contextlib.nullcontext():
            known = (store.read(name) or {}).get("auth") if store else None
            if isinstance(known, dict):
                return {"auth": known}
            vault = Vault(connection, FRONT_END)
            try:
                auth = unwrap(vault, wrapping).auth
            finally:
                vault.close()
            if store:
                with contextlib.suppress(StoreError):  # what was unwrapped must not be lost for that
                    store.write(name, {"auth": auth})
    except BusyError:
        raise StoreError(
            f"another process of this run has been unwrapping for {patience} s: raise cache_timeout"
        ) from None
    return {"auth": auth}


def _from_sink(options: Options, warn: Warn) -> dict[str, t.Any]:
    """The token in a file that somebody else keeps fresh. Raises SinkError if it is missing or does not work."""
    path = options["sink"]
    if not path.isprintable():
        raise ConfigError("sink", "holds a control character", hint="remove it (a line break is often copied along)")
    token = (sink.read(path) or "").strip()
    if not token:
        raise SinkError(f"sink: there is no token in {path}", hint="see whether the agent that keeps it runs")
    if not re.fullmatch("[!-z|~]+", token):
        raise SinkError(
            f"sink: {path} holds no plain token", hint="a wrapped one takes wrapping_token, an encrypted one decrypt"
        )
    ends = _recorded_end(path, token)
    if ends is not None and ends <= time.time():
        raise SinkError(f"sink: the token in {path} has ended", hint="log in anew, or see whether its agent runs")
    interval = parse_duration("check_interval", options["check_interval"])
    if options["url"] and interval:
        connection = VaultConnection.from_options(part_for(VaultConnection, options))
        _check_sink(path, token, connection, interval, _store(warn) if options["cache"] == "run" else None)
    return {"auth": {"client_token": token}}


def _check_sink(path: str, token: str, connection: VaultConnection, interval: int, store: Store | None) -> None:
    parts = [path, token, connection.url, connection.namespace]
    name = "sink-" + hashlib.sha256(json.dumps(parts).encode()).hexdigest()
    last = (store.read(name) or {}).get("checked") if store else None
    if isinstance(last, float) and 0 <= clock.now() - last < interval:
        return
    from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.vault import Vault

    vault = Vault(connection, FRONT_END)
    try:
        vault.lookup_self(token)
    except VaultError as e:
        if e.status != 403:
            raise
        raise SinkError(
            f"sink: the server refuses the token in {path}",
            server=e.server,
            hint="it is revoked or has ended: see whether its agent runs; if its policies only forbid lookup-self, set"
            " check_interval to 0",
        ) from None
    finally:
        vault.close()
    if store:
        store.write(name, {"checked": clock.now()})


def _recorded_end(path: str, token: str) -> float | None:
    """When the token ends, if aws_vault_login wrote it and so left a record beside it; seconds since the epoch."""
    try:
        record = json.loads(sink.read(f"{path}.meta") or "{}")
        ends, fingerprint = record.get("expires_at"), record.get("fingerprint")
    except (ValueError, AttributeError, RecursionError):
        return None
    is_of_token = fingerprint == hashlib.sha256(token.encode()).hexdigest()  # somebody else may have written since
    return ends if is_of_token and isinstance(ends, (int, float)) else None
