# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What becomes of the tokens that a run made: revoked by the callback, or left to end by themselves.

Private to this collection.
"""

from __future__ import annotations

import time
import typing as t

from ansible_collections.vaultfleet.aws.plugins.module_utils._auth import clock
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.config import VaultConnection
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.errors import LoginError
from ansible_collections.vaultfleet.aws.plugins.plugin_utils._store import Store, dead_stores, destroy

FRONT_END = "vault_aws_tokens"
_LONGEST = 30.0  # seconds for all revocations together
_LONGEST_EACH = 10  # seconds


def revoke_created(store: Store) -> tuple[int, list[str]]:
    """Revoke what the run of ``store`` logged in, apart from what it was told to spare: (how many, what failed)."""
    due = [entry for entry in store.created() if entry.get("revoke") is True and not _has_ended(entry)]
    if not due:
        return 0, []
    from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.vault import Vault

    give_up = time.monotonic() + _LONGEST
    revoked, failures = 0, []
    for entry in due:
        if time.monotonic() > give_up:
            failures.append(f"no time was left for more tokens after {_LONGEST:.0f} s")
            break
        try:
            vault = Vault(_connection(entry), FRONT_END)
            revoked += vault.revoke_self(str(entry["token"]))
        except (LoginError, TypeError, KeyError) as e:
            failures.append(str(e) if isinstance(e, LoginError) else "a record of a token is garbled")
    return revoked, failures


def clean_up_after_the_dead() -> list[str]:
    """Remove the stores of runs that were killed, and revoke their tokens if they were to be: what failed.

    Raises StoreError.
    """
    failures: list[str] = []
    for store, had_callback in dead_stores():
        if had_callback:
            failures += revoke_created(store)[1]
        destroy(store)
    return failures


def _has_ended(entry: t.Mapping[str, t.Any]) -> bool:
    ends = entry.get("ends")
    return isinstance(ends, (int, float)) and ends <= clock.now()


def _connection(entry: t.Mapping[str, t.Any]) -> VaultConnection:
    connection = VaultConnection(**entry["connection"])
    return VaultConnection(**{**entry["connection"], "timeout": min(connection.timeout, _LONGEST_EACH)})
