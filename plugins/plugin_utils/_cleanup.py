# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What becomes of the tokens that a run made: revoked by the callback, or left to end by themselves.

Private to this collection.
"""

from __future__ import annotations

import dataclasses
import time
import typing as t

from ansible_collections.vaultfleet.aws.plugins.module_utils._auth import clock
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.config import VaultConnection
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.errors import LoginError, VaultError
from ansible_collections.vaultfleet.aws.plugins.plugin_utils._store import Store, StoreError, dead_stores, destroy

FRONT_END = "vault_aws_tokens"
_LONGEST = 30.0  # seconds for all revocations together
_LONGEST_EACH = 10  # seconds


@dataclasses.dataclass(frozen=True)
class Revoked:
    """What came of revoking. times: how many were revoked. failures: why others were not, a reason each."""

    times: int = 0
    failures: tuple[str, ...] = ()

    @property
    def warning(self) -> str:
        """What to tell a user about the failures, or nothing."""
        reasons = "; ".join(dict.fromkeys(self.failures))
        count = len(self.failures)
        return (
            f"tokens that could not be revoked, and live to the end of their TTL: {count} ({reasons})" if count else ""
        )


def revoke_created(store: Store, give_up: float | None = None) -> Revoked:
    """Revoke what the run of ``store`` logged in, apart from what it was told to spare.

    give_up: when to, by ``time.monotonic()``; without it, after 30 seconds.
    """
    give_up = time.monotonic() + _LONGEST if give_up is None else give_up
    try:
        # Of a token that was renewed the last entry counts.
        latest = {str(entry.get("token")): entry for entry in store.created()}
    except StoreError as e:
        return Revoked(failures=(str(e),))
    times = 0
    failures: list[str] = []
    away: dict[str, str] = {}
    for entry in (entry for entry in latest.values() if not _has_ended(entry)):
        try:
            connection = _connection(entry, give_up)
            if connection.url not in away:
                times += _revoke(connection, str(entry["token"]))
                continue
            failures.append(away[connection.url])
        except LoginError as e:
            failures.append(str(e))
            if isinstance(e, VaultError) and e.status is None:
                away[connection.url] = str(e)  # one wait for a server that is not there
        except (TypeError, KeyError, AttributeError, ValueError, ArithmeticError):
            failures.append("a record of a token is garbled")
    return Revoked(times, tuple(failures))


def clean_up_after_the_dead() -> Revoked:
    """Remove the stores of runs that were killed, and revoke their tokens if they were to be."""
    times = 0
    failures: list[str] = []
    give_up = time.monotonic() + _LONGEST
    for store, had_callback in dead_stores():
        if had_callback:
            done = revoke_created(store, give_up)
            times += done.times
            failures += done.failures
        destroy(store)
    return Revoked(times, tuple(failures))


def _revoke(connection: VaultConnection, token: str) -> bool:
    from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.vault import Vault

    vault = Vault(connection, FRONT_END)
    try:
        return vault.revoke_self(token)
    finally:
        vault.close()


def _has_ended(entry: t.Mapping[str, t.Any]) -> bool:
    ends = entry.get("ends")
    return isinstance(ends, (int, float)) and ends <= clock.now()


def _connection(entry: t.Mapping[str, t.Any], give_up: float) -> VaultConnection:
    """How to reach the token's server, with no more patience than is left. Raises VaultError if none is."""
    connection = VaultConnection(**entry["connection"])
    if not connection.url.isprintable():
        raise ValueError("a garbled url")
    left = int(give_up - time.monotonic())
    if left < 1:
        raise VaultError(f"no time was left after {_LONGEST:.0f} s", status=0)
    return dataclasses.replace(connection, timeout=min(connection.timeout, _LONGEST_EACH, left))
