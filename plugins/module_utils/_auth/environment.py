# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The environment variables that options come from. validate_certs is apart: Vault's variables say the opposite."""

from __future__ import annotations

import os
import typing as t

if t.TYPE_CHECKING:
    from .config import VaultConnection

OURS = "VAULTFLEET_AWS_"
# By option, without the prefix. OpenBao and Vault have the same names, and OpenBao's come first, as with its client.
_VAULT = {
    "url": "ADDR",
    "namespace": "NAMESPACE",
    "ca_cert": "CACERT",
    "ca_path": "CAPATH",
    "client_cert": "CLIENT_CERT",
    "client_key": "CLIENT_KEY",
    "tls_server_name": "TLS_SERVER_NAME",
    "timeout": "CLIENT_TIMEOUT",
    "retries": "MAX_RETRIES",
    "proxies": "PROXY_ADDR",
}
# Where community.hashi_vault's variable means the same.
_HASHI_VAULT = {
    "header_value": "AWS_IAM_SERVER_ID",
    "url": "ADDR",
    "namespace": "NAMESPACE",
    "ca_cert": "CA_CERT",
    "timeout": "TIMEOUT",
    "proxies": "PROXIES",
}
SKIP_VERIFY = ("BAO_SKIP_VERIFY", "VAULT_SKIP_VERIFY")
_YES = ("1", "t", "true", "yes", "y", "on")
_NO = ("0", "f", "false", "no", "n", "off")


def variables(option: str) -> list[str]:
    """The variables of an option other than validate_certs; the first that is set and not empty counts."""
    names = [f"{OURS}{option.upper()}", *vault_variables(option)]
    return [*names, f"ANSIBLE_HASHI_VAULT_{_HASHI_VAULT[option]}"] if option in _HASHI_VAULT else names


def vault_variables(option: str) -> list[str]:
    """Those of them that the clients of OpenBao and Vault read."""
    return [f"{prefix}_{_VAULT[option]}" for prefix in ("BAO", "VAULT")] if option in _VAULT else []


def validate_certs() -> bool | None:
    """What the environment says of validate_certs, or None. A word that is neither yes nor no keeps the checks on."""
    for name in ("VAULTFLEET_AWS_VALIDATE_CERTS", "ANSIBLE_HASHI_VAULT_VALIDATE_CERTS"):
        if os.environ.get(name):
            return os.environ[name].strip().lower() not in _NO
    for name in SKIP_VERIFY:
        if os.environ.get(name):
            return verifies(os.environ[name])
    return None


def verifies(skip_verify: str) -> bool:
    """What a variable of SKIP_VERIFY says of validate_certs."""
    return skip_verify.strip().lower() not in _YES


def warnings(connection: VaultConnection) -> list[str]:
    """What a user should know about a connection that works but that the environment leaves unprotected."""
    switched_off = not connection.validate_certs and validate_certs() is False
    return [warning(connection.url)] if switched_off else []


def warning(url: str) -> str:
    """What to tell a user whose environment switches the checks off."""
    return (
        "The environment switches TLS checks off (VAULT_SKIP_VERIFY or its like): anybody on the way to"
        f" {url} can take the token. Set ca_cert instead."
    )
