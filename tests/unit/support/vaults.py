# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Vault object that speaks to a loopback server, and answers like Vault's."""

from __future__ import annotations

import contextlib
import functools
import typing as t

from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.config import VaultConnection
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.request import LoginRequest
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.vault import Vault
from ansible_collections.vaultfleet.aws.tests.unit.support import certificates

TOKEN = "hvs.CAESIJ0123456789abcdefghijklmnop"
AUTH = {
    "client_token": TOKEN,
    "accessor": "acc-1",
    "policies": ["default", "app"],
    "metadata": {"account_id": "123456789012", "client_arn": "arn:aws:iam::123456789012:user/client"},
    "lease_duration": 3600,
    "renewable": True,
    "num_uses": 0,
}
LOGIN = {"request_id": "r", "auth": AUTH}
LOOKUP = {"data": {"accessor": "acc-1", "ttl": 3000, "policies": ["default"], "renewable": True, "num_uses": 0}}


def connection(url: str, **options: t.Any) -> VaultConnection:
    """A judged connection to ``url``."""
    return VaultConnection.from_options({"url": url, **options})


@contextlib.contextmanager
def vault_at(url: str, **options: t.Any) -> t.Iterator[Vault]:
    """A Vault object for ``url``, closed at the end."""
    vault = Vault(connection(url, **options), "unit tests")
    try:
        yield vault
    finally:
        vault.close()


# For servers without TLS. A CA of our own, as reading the system's store takes longer than all the rest of a test.
plain_vault_at = functools.partial(vault_at, ca_cert=certificates.CA)


class Proofs:
    """A proof that is another one each time, and knows what it was asked."""

    def __init__(self) -> None:
        self.fresh: list[bool] = []

    def __call__(self, fresh: bool) -> LoginRequest:
        self.fresh.append(fresh)
        return LoginRequest({"role": "web", "proof": str(len(self.fresh))}, {"role": "web"}, ("canary-secret",))
