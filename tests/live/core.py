# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The auth core in a test's hands: configurations that fit the stack, and logins with them."""

from __future__ import annotations

import configparser
import contextlib
import typing as t
from collections.abc import Callable, Iterator

from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.config import LoginConfig, VaultConnection
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.login import LoggedIn, log_in
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.request import LoginRequest
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.token import Token
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.vault import Login, Vault
from tests.stack.handle import Stack

Proof = Callable[[bool], LoginRequest]
FRONT_END = "live tests"


class Keys(t.NamedTuple):
    """A user's long-lived keys."""

    access_key: str
    secret_key: str


def keys(stack: Stack, profile: str = "default") -> Keys:
    """The keys of a profile in the stack's shared credentials file."""
    parser = configparser.ConfigParser(default_section="", interpolation=None)
    parser.read(stack.env["AWS_SHARED_CREDENTIALS_FILE"])
    return Keys(parser[profile]["aws_access_key_id"], parser[profile]["aws_secret_access_key"])


def connection(stack: Stack, **options: t.Any) -> VaultConnection:
    """A connection to the stack's Vault, without retries unless asked for."""
    given = {"url": stack.env["VAULT_ADDR"], "ca_cert": stack.env["VAULT_CACERT"], "retries": 0, **options}
    return VaultConnection.from_options(given)


def iam(stack: Stack, **options: t.Any) -> LoginConfig:
    """An iam login to the role ``web`` that takes its keys from wherever botocore finds them."""
    return LoginConfig.from_options(
        {"type": "iam", "role": "web", "header_value": stack.env["STACK_HEADER_VALUE"], **options}
    )


def static(stack: Stack, profile: str = "default", **options: t.Any) -> LoginConfig:
    """The same with the static keys of a profile."""
    return iam(stack, **keys(stack, profile)._asdict(), **options)


def ec2(**options: t.Any) -> LoginConfig:
    """An ec2 login to the role ``node``."""
    return LoginConfig.from_options({"type": "ec2", "role": "node", **options})


@contextlib.contextmanager
def client(stack: Stack, **options: t.Any) -> Iterator[Vault]:
    """A Vault client of the core, closed at the end."""
    vault = Vault(connection(stack, **options), FRONT_END)
    try:
        yield vault
    finally:
        vault.close()


def log(stack: Stack, config: LoginConfig, **options: t.Any) -> LoggedIn:
    """One login; ``options`` are the connection's. Raises what the core raises."""
    with client(stack, **options) as vault:
        return log_in(config, vault)


def token_of(done: LoggedIn | Login) -> Token:
    """The token of a login that was not wrapped."""
    login = done.login if isinstance(done, LoggedIn) else done
    assert login.token is not None
    return login.token


def send(stack: Stack, proof: Proof, mount: str = "aws", **options: t.Any) -> Login:
    """One login with a request made by hand."""
    with client(stack, **options) as vault:
        return vault.login(mount, proof)
