# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the environment wants certificates checked: a setting whose variables say the opposite of the option."""

from __future__ import annotations

import os

_YES = ("1", "t", "true", "yes", "y", "on")
_NO = ("0", "f", "false", "no", "n", "off")


def validate_certs() -> bool | None:
    """What the environment says of validate_certs, or None. A word that is neither yes nor no keeps the checks on."""
    for name in ("VAULTFLEET_AWS_VALIDATE_CERTS", "ANSIBLE_HASHI_VAULT_VALIDATE_CERTS"):
        if os.environ.get(name):
            return os.environ[name].strip().lower() not in _NO
    for name in ("BAO_SKIP_VERIFY", "VAULT_SKIP_VERIFY"):
        if os.environ.get(name):
            return os.environ[name].strip().lower() not in _YES
    return None


def warning(url: str) -> str:
    """What to tell a user whose environment switches the checks off."""
    return (
        "The environment switches TLS checks off (VAULT_SKIP_VERIFY or its like): anybody on the way to"
        f" {url} can take the token. Set ca_cert instead."
    )
