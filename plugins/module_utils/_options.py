# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module's options: argument_spec and environment on one side, LoginConfig and VaultConnection on the other."""

from __future__ import annotations

import os
import typing as t

from ansible.module_utils.errors import AnsibleFallbackNotFound

from ._auth import environment
from ._auth.config import LoginConfig, VaultConnection, part_for
from ._auth.errors import ConfigError
from ._secret_options import ALIASES

# Ansible masks the values of no_log options wherever they stand in a result. A shorter one could be a part of the
# token by chance, and the registered token would be cut.
_SHORTEST_SECRET = 16


def _environment(*names: str) -> str:
    """Fallback of an argument_spec: the first variable that is set and not empty."""
    for name in names:
        if os.environ.get(name):
            return os.environ[name]
    raise AnsibleFallbackNotFound


def _validate_certs() -> bool:
    """Fallback for validate_certs."""
    said = environment.validate_certs()
    if said is None:
        raise AnsibleFallbackNotFound
    return said


def _option(name: str, **spec: t.Any) -> dict[str, t.Any]:
    return {"type": "str", **spec, "fallback": (_environment, environment.variables(name))}


LOGIN_SPEC: dict[str, dict[str, t.Any]] = {
    "type": _option("type", choices=["iam", "ec2"], default="iam", aliases=["auth_type"]),
    "role": _option("role", aliases=["role_id"]),
    "mount_path": _option("mount_path", default="aws", aliases=["mount_point"]),
    "region": _option("region", aliases=["aws_region", "ec2_region"]),
    "sts_endpoint": _option("sts_endpoint", default="auto"),
    "access_key": _option(
        "access_key", aliases=["aws_access_key_id", "aws_access_key", "ec2_access_key"], no_log=False
    ),
    "secret_key": _option("secret_key", aliases=list(ALIASES["secret_key"]), no_log=True),
    "session_token": _option("session_token", aliases=list(ALIASES["session_token"]), no_log=True),
    "profile": _option("profile", aliases=["aws_profile"]),
    "header_value": _option("header_value", aliases=["aws_iam_server_id"]),
    "signature_type": _option("signature_type", choices=["identity", "pkcs7", "rsa2048"], default="identity"),
    "nonce": _option("nonce", no_log=True),
    "assume_role_arn": _option("assume_role_arn"),
    "assume_role_external_id": _option("assume_role_external_id", no_log=False),
    "assume_role_session_name": _option("assume_role_session_name"),
    "wrap_ttl": _option("wrap_ttl"),
}

UNWRAP_SPEC: dict[str, dict[str, t.Any]] = {
    "wrapping_token": _option("wrapping_token", no_log=True),
    "wrapping_path": _option("wrapping_path"),
}

CONNECTION_SPEC: dict[str, dict[str, t.Any]] = {
    "url": _option("url"),
    "namespace": _option("namespace"),
    "ca_cert": _option("ca_cert", type="path", aliases=["cacert"]),
    "ca_path": _option("ca_path", type="path"),
    "client_cert": _option("client_cert", type="path"),
    "client_key": _option("client_key", type="path", no_log=False),
    "validate_certs": {"type": "bool", "default": True, "fallback": (_validate_certs, [])},
    "tls_server_name": _option("tls_server_name"),
    "timeout": _option("timeout", default="30s"),
    "retries": _option("retries", type="int", default=3),
    "proxies": _option("proxies", type="raw", no_log=True),
}


def login_config(params: t.Mapping[str, t.Any]) -> LoginConfig:
    """Judge the login's part of a module's ``params``. Raises ConfigError."""
    judge_secrets(params)
    return LoginConfig.from_options(part_for(LoginConfig, params))


def judge_secrets(params: t.Mapping[str, t.Any]) -> None:
    """Refuse secrets that are too short to be masked. Raises ConfigError."""
    for name in ALIASES:
        value = params.get(name)
        if value and len(value) < _SHORTEST_SECRET:
            raise ConfigError(
                name,
                f"is shorter than {_SHORTEST_SECRET} characters",
                hint="Ansible would mask those characters inside the token as well; use a longer one",
            )


def vault_connection(params: t.Mapping[str, t.Any]) -> VaultConnection:
    """Judge the connection's part of a module's ``params``. Raises ConfigError."""
    return VaultConnection.from_options(part_for(VaultConnection, params))
