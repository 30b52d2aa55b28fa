# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The connection's variables: those of Vault and OpenBao, for what the configuration leaves open."""

from __future__ import annotations

import typing as t

from .._auth import environment

# Not how often a request is tried again: the agent's own loop does that.
_OPTIONS = (
    "url",
    "namespace",
    "ca_cert",
    "ca_path",
    "client_cert",
    "client_key",
    "tls_server_name",
    "validate_certs",
    "timeout",
    "proxies",
)


def connection(environ: t.Mapping[str, str]) -> dict[str, tuple[str, t.Any]]:
    """Return option -> (variable, value) of what is set and not empty; OpenBao's own variable first, as its client."""
    found: dict[str, tuple[str, t.Any]] = {}
    for option in _OPTIONS:
        switch = option == "validate_certs"
        variables = environment.SKIP_VERIFY if switch else environment.vault_variables(option)
        variable = next((name for name in variables if environ.get(name)), None)
        if variable:
            value = environ[variable]
            found[option] = variable, environment.verifies(value) if switch else value
    return found
