# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What comes out of a login: text for programs and shells, the file of Vault's own clients, a line for a person."""

from __future__ import annotations

import json
import os
import shlex
import time
import typing as t

from .._auth import environment
from .._auth.config import VaultConnection
from .._auth.sink import Sink

if t.TYPE_CHECKING:
    from .._auth.login import LoggedIn

# What a client needs to use the token, by the variables of Vault's clients.
_EXPORTED = ("url", "namespace", "ca_cert", "ca_path", "client_cert", "client_key", "tls_server_name")
_PLACES = ("BAO_TOKEN_PATH", "VAULT_TOKEN_PATH")  # as bao has them


def secret_of(done: LoggedIn) -> str:
    """The token, or the wrapping token."""
    login = done.login
    return login.token.client_token if login.token else login.wrapped.token if login.wrapped else ""


def text(form: str, done: LoggedIn, connection: VaultConnection) -> str:
    """The text to print, with a line break at its end. form: one of ``arguments.FORMATS``."""
    if form == "json":
        return json.dumps(done.login.answer, indent=2) + "\n"
    if form == "env":
        return _exports(done, connection)
    return secret_of(done) + "\n"


def _exports(done: LoggedIn, connection: VaultConnection) -> str:
    """Lines for a POSIX shell. OpenBao's own variables beat Vault's, so those that are set already are set anew."""
    values = {name: getattr(connection, name) for name in _EXPORTED}
    lines = [
        (variable, value)
        for name, value in values.items()
        if value
        for variable in _in_use(environment.vault_variables(name))
    ]
    lines += [(variable, secret_of(done)) for variable in _in_use(["BAO_TOKEN", "VAULT_TOKEN"])]
    return "".join(f"export {variable}={shlex.quote(value)}\n" for variable, value in lines)


def _in_use(variables: t.Sequence[str]) -> list[str]:
    return [variable for variable in variables if variable.startswith("VAULT_") or os.environ.get(variable)]


def store() -> Sink:
    """The file where the clients of Vault and OpenBao keep their token. Raises ConfigError, SinkError."""
    path = next((os.environ[name] for name in _PLACES if os.environ.get(name)), None)
    path = path or os.path.join(os.path.expanduser("~"), ".vault-token")
    folder, name = os.path.split(os.path.abspath(path))
    return Sink.from_options("store", {"path": os.path.join(os.path.realpath(folder), name)})


def overrides() -> list[str]:
    """The variables that Vault's clients prefer to the file."""
    return [name for name in ("BAO_TOKEN", "VAULT_TOKEN") if os.environ.get(name)]


def summary(done: LoggedIn, connection: VaultConnection, role: str) -> str:
    """Who logged in where, and what came of it, for a person."""
    who = done.identity
    name = who.arn or who.instance_id or f"the credentials of {who.provider}"
    line = f"logged in to {connection.url} with role {role}, as {name}"
    token = done.login.token
    if token is None:
        return f"{line}; the answer is wrapped"
    policies = ", ".join(token.policies) or "none"
    return f"{line}; policies: {policies}; the token {end(done)}"


def end(done: LoggedIn) -> str:
    """When the token ends, as the end of a sentence."""
    token = done.login.token
    if token is None or token.ttl == 0:
        return "does not end by itself"
    return time.strftime("ends at %Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + token.ttl))
