# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What templates ask Vault for, through the core: secrets, leases, and errors that say what to change."""

from __future__ import annotations

import json
import re
import time
import typing as t

from ..._auth import clock
from ..._auth.errors import Retry, VaultError
from ..._auth.token import garbled
from ..._auth.vault import Vault
from .plan import Ask, Grant
from .render import Secret

Answer = t.Mapping[str, t.Any]
_LONGEST = 10**9  # seconds


def fetch(vault: Vault, token: str, ask: Ask) -> tuple[Secret, Grant]:
    """Read or write what ``ask`` says. Raises VaultError."""
    since, wall = clock.now(), time.time()
    try:
        if ask.body is None:
            answer = vault.read(token, ask.path, ask.version)
        else:
            answer = vault.write(token, ask.path, json.loads(ask.body))
    except VaultError as e:
        _explain(e, ask)
        raise
    secret = _secret(answer)
    return secret, _grant(answer, secret, since, wall)


def renew(vault: Vault, token: str, ask: Ask, lease_id: str) -> Grant:
    """Renew the lease of what was asked for. Raises VaultError."""
    since = clock.now()
    try:
        answer = vault.renew_lease(token, lease_id)
    except VaultError as e:
        e.what = f"renewing the lease of {ask.path} failed"
        raise
    ttl = _seconds(answer.get("lease_duration"))
    if not ttl:
        raise garbled("has no lease_duration")
    return Grant(since, ttl, lease_id, answer.get("renewable") is True)


def _secret(answer: Answer) -> Secret:
    data = answer.get("data")
    if not isinstance(data, dict):
        raise VaultError(
            "Vault's answer has no data", hint="check the path: secret() and secret_write() are for what has some"
        )
    metadata: t.Any = {}
    inner = data.get("metadata")
    # KV version 2 puts the secret one layer down, beside its metadata.
    if set(data) == {"data", "metadata"} and isinstance(inner, dict) and {"version", "created_time"} <= set(inner):
        data, metadata = data["data"] or {}, inner
    lease = answer.get("lease_duration")
    return Secret(
        data if isinstance(data, dict) else {},
        metadata,
        str(answer.get("lease_id") or ""),
        int(_seconds(lease)),
        answer.get("renewable") is True,
    )


def _grant(answer: Answer, secret: Secret, since: float, wall: float) -> Grant:
    """How long an answer is good: its lease, or the end of its certificate, or when the server rotates it."""
    if secret.lease_id and secret.lease_duration:
        return Grant(since, secret.lease_duration, secret.lease_id, secret.renewable)
    expiration = secret.data.get("expiration")
    if "certificate" in secret.data and isinstance(expiration, int) and wall < expiration < wall + _LONGEST:
        return Grant(since, expiration - wall)
    if "rotation_period" in secret.data:
        return Grant(since, rotates=_seconds(secret.data.get("ttl")))
    return Grant(since)


def _seconds(value: t.Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _LONGEST:
        return 0.0
    return float(value)


def _explain(error: VaultError, ask: Ask) -> None:
    """Put what to change where the core, which knows logins, has something else to say."""
    doing, capability = ("reading", "read") if ask.body is None else ("writing to", "update")
    what = f"{doing} {ask.path} failed"
    error.what = error.what if error.status is None else what
    if error.status == 403:
        error.hint = f"a policy of the login's role must allow {capability} on {ask.path}"
        if re.search(r"invalid token|bad token", error.server, re.IGNORECASE):
            error.hint = "the token is gone; this is tried again with the next one"
    elif error.status == 404:
        version = f", version {ask.version}," if ask.version else ""
        error.hint = (
            f"there is nothing{version} (any more): check the path, in which KV version 2 has data/ after its mount"
        )
    elif error.status in (400, 405) and error.retry is Retry.PERMANENT:
        error.hint = "check the path and the parameters" + (
            "; what is made anew each time is written: secret_write() or pki()" if ask.body is None else ""
        )
