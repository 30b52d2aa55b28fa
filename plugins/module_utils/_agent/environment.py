# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The connection's variables: those of Vault and OpenBao, for what the configuration leaves open."""

from __future__ import annotations

import typing as t

_VARIABLES = {
    "url": "ADDR",
    "namespace": "NAMESPACE",
    "ca_cert": "CACERT",
    "ca_path": "CAPATH",
    "client_cert": "CLIENT_CERT",
    "client_key": "CLIENT_KEY",
    "tls_server_name": "TLS_SERVER_NAME",
    "validate_certs": "SKIP_VERIFY",
    "timeout": "CLIENT_TIMEOUT",
    "proxies": "PROXY_ADDR",
}
_YES = ("1", "t", "true", "yes", "y", "on")


def connection(environ: t.Mapping[str, str]) -> dict[str, tuple[str, t.Any]]:
    """Return option -> (variable, value) of what is set and not empty; OpenBao's own variable first, as its client."""
    found: dict[str, tuple[str, t.Any]] = {}
    for option, name in _VARIABLES.items():
        for variable in (f"BAO_{name}", f"VAULT_{name}"):
            if option not in found and environ.get(variable):
                found[option] = variable, environ[variable]
    if "validate_certs" in found:
        variable, value = found["validate_certs"]
        found["validate_certs"] = variable, value.strip().lower() not in _YES
    return found
