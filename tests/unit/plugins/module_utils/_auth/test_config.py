# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options judged: each bad one is refused by name, with a cure, and no secret is repeated."""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

import pytest

from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.config import (
    LoginConfig,
    VaultConnection,
    mount_path,
)
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.errors import ConfigError
from ansible_collections.vaultfleet.aws.tests.unit.support import certificates

IAM = {"type": "iam", "role": "web"}
EC2 = {"type": "ec2", "role": "web"}
KEYS = {"access_key": "AKIAEXAMPLE", "secret_key": "secret-key-canary"}
ROLE_ARN = "arn:aws:iam::123456789012:role/vault-client"

BAD_LOGINS: list[tuple[str, dict[str, t.Any]]] = [
    ("type", {"role": "web"}),
    ("type", {"type": "", "role": "web"}),
    ("type", {"type": "IAM", "role": "web"}),
    ("type", {"type": ["iam"], "role": "web"}),
    ("type", {"type": 1, "role": "web"}),
    ("role", {"type": "iam"}),
    ("role", {"type": "ec2", "role": None}),
    ("role", {**IAM, "role": ""}),
    ("role", {**IAM, "role": 7}),
    ("role", {**IAM, "role": "two words"}),
    ("role", {**IAM, "role": "a/b"}),
    ("role", {**IAM, "role": "-web"}),
    ("role", {**IAM, "role": "wéb"}),
    ("role", {**IAM, "role": "web\n"}),
    ("role", {**IAM, "role": "w" * 600}),
    ("secret_key", {**IAM, "access_key": "AKIAEXAMPLE"}),
    ("access_key", {**IAM, "secret_key": "secret-key-canary"}),
    ("access_key", {**IAM, "session_token": "session-token-canary"}),
    ("access_key", {**IAM, **KEYS, "access_key": ""}),
    ("access_key", {**IAM, **KEYS, "access_key": 5}),
    ("secret_key", {**IAM, **KEYS, "secret_key": "secret-key-canary\n"}),
    ("secret_key", {**IAM, **KEYS, "secret_key": ["secret-key-canary"]}),
    ("session_token", {**IAM, **KEYS, "session_token": "session-token-canary\x00"}),
    ("session_token", {**IAM, **KEYS, "session_token": "session-token-canary x"}),
    ("profile", {**IAM, **KEYS, "profile": "dev"}),
    ("profile", {**IAM, "profile": ""}),
    ("profile", {**IAM, "profile": "a b"}),
    ("region", {**IAM, "region": ""}),
    ("region", {**IAM, "region": "eu central 1"}),
    ("region", {**IAM, "region": 1}),
    ("header_value", {**IAM, "header_value": "a\r\nX-Evil: b"}),
    ("header_value", {**IAM, "header_value": ""}),
    ("header_value", {**IAM, "header_value": "  "}),
    ("header_value", {**IAM, "header_value": "vault.exämple.org"}),
    ("header_value", {**IAM, "header_value": 8}),
    ("sts_endpoint", {**IAM, "sts_endpoint": ""}),
    ("sts_endpoint", {**IAM, "sts_endpoint": "legacy"}),
    ("sts_endpoint", {**IAM, "sts_endpoint": 3}),
    ("sts_endpoint", {**IAM, "sts_endpoint": "sts.amazonaws.com"}),
    ("sts_endpoint", {**IAM, "sts_endpoint": "ftp://sts.amazonaws.com"}),
    ("sts_endpoint", {**IAM, "sts_endpoint": "https://sts.amazonaws.com/path"}),
    ("sts_endpoint", {**IAM, "sts_endpoint": "https://sts.amazonaws.com/?a=b"}),
    ("sts_endpoint", {**IAM, "sts_endpoint": "https://user:pw@sts.amazonaws.com"}),
    ("sts_endpoint", {**IAM, "sts_endpoint": "https://sts.amazonaws.com:99999"}),
    ("wrap_ttl", {**IAM, "wrap_ttl": "soon"}),
    ("wrap_ttl", {**IAM, "wrap_ttl": 0}),
    ("mount_path", {**IAM, "mount_path": ""}),
    ("mount_path", {**IAM, "mount_path": "auth"}),
    ("mount_path", {**IAM, "mount_path": "auth/"}),
    ("mount_path", {**IAM, "mount_path": "a//b"}),
    ("mount_path", {**IAM, "mount_path": "../sys"}),
    ("mount_path", {**IAM, "mount_path": "aws?x"}),
    ("mount_path", {**IAM, "mount_path": "a b"}),
    ("mount_path", {**IAM, "mount_path": 4}),
    ("signature_type", {**EC2, "signature_type": "rsa4096"}),
    ("signature_type", {**EC2, "signature_type": ["identity"]}),
    ("signature_type", {**IAM, "signature_type": "pkcs7"}),
    ("nonce", {**IAM, "nonce": "nonce-canary"}),
    ("nonce", {**EC2, "nonce": ""}),
    ("nonce", {**EC2, "nonce": "nonce-canary\n"}),
    ("nonce", {**EC2, "nonce": "nonce-canary" * 11}),
    ("nonce", {**EC2, "nonce": 12}),
    ("region", {**EC2, "region": "eu-central-1"}),
    ("header_value", {**EC2, "header_value": "x"}),
    ("sts_endpoint", {**EC2, "sts_endpoint": "global"}),
    ("access_key", {**EC2, **KEYS}),
    ("profile", {**EC2, "profile": "dev"}),
    ("assume_role_arn", {**EC2, "assume_role_arn": ROLE_ARN}),
    ("assume_role_arn", {**IAM, "assume_role_external_id": "external-canary"}),
    ("assume_role_arn", {**IAM, "assume_role_session_name": "me"}),
    ("assume_role_arn", {**IAM, "assume_role_arn": "vault-client"}),
    ("assume_role_arn", {**IAM, "assume_role_arn": "arn:aws:iam::123456789012:user/me"}),
    ("assume_role_arn", {**IAM, "assume_role_arn": 5}),
    ("assume_role_external_id", {**IAM, "assume_role_arn": ROLE_ARN, "assume_role_external_id": "external canary"}),
    ("assume_role_session_name", {**IAM, "assume_role_arn": ROLE_ARN, "assume_role_session_name": "m"}),
    ("rolle", {**IAM, "rolle": "web"}),
    ("zzz", {**IAM, "zzz": 1}),
]

SECRETS = ("secret-key-canary", "session-token-canary", "nonce-canary", "external-canary", "external canary", "pw@")


@pytest.mark.parametrize(("option", "options"), BAD_LOGINS)
def test_bad_login(option: str, options: dict[str, t.Any]) -> None:
    """One error that names the option and the cure."""
    with pytest.raises(ConfigError) as caught:
        LoginConfig.from_options(options)
    assert caught.value.option == option
    assert str(caught.value).startswith(f"{option}: ")
    assert caught.value.hint
    assert not any(secret in str(caught.value) + repr(caught.value) for secret in SECRETS)
    assert "\n" not in str(caught.value)


def test_misspelt_option_is_guessed() -> None:
    """The cure for a misspelling is the right name."""
    with pytest.raises(ConfigError, match="did you mean header_value"):
        LoginConfig.from_options({**IAM, "header_valeu": "x"})


@pytest.mark.parametrize(
    ("options", "field", "value"),
    [
        (IAM, "mount_path", "aws"),
        (IAM, "region", None),
        (IAM, "sts_endpoint", "auto"),
        (IAM, "wrap_ttl", 0),
        ({**IAM, "role": "Web.Node_1-a"}, "role", "web.node_1-a"),
        ({**IAM, "wrap_ttl": "5m"}, "wrap_ttl", 300),
        ({**IAM, "header_value": " vault.example.org "}, "header_value", "vault.example.org"),
        ({**IAM, "header_value": "two words"}, "header_value", "two words"),
        ({**IAM, "sts_endpoint": "regional"}, "sts_endpoint", "regional"),
        ({**IAM, "sts_endpoint": "https://sts.eu-west-1.amazonaws.com"}, "sts_endpoint",
         "https://sts.eu-west-1.amazonaws.com/"),
        ({**IAM, "sts_endpoint": "http://127.0.0.1:4566/"}, "sts_endpoint", "http://127.0.0.1:4566/"),
        ({**IAM, "sts_endpoint": "https://[::1]:4566"}, "sts_endpoint", "https://[::1]:4566/"),
        ({**IAM, **KEYS, "session_token": "session-token-canary"}, "session_token", "session-token-canary"),
        ({**IAM, "signature_type": "identity"}, "signature_type", "identity"),
        ({**EC2, "signature_type": "rsa2048"}, "signature_type", "rsa2048"),
        ({**EC2, "sts_endpoint": "auto"}, "type", "ec2"),
        ({**EC2, "nonce": "n" * 128}, "nonce", "n" * 128),
        ({**IAM, "assume_role_arn": ROLE_ARN, "assume_role_external_id": "a:b/c"}, "assume_role_external_id", "a:b/c"),
        ({**IAM, "assume_role_arn": "arn:aws-us-gov:iam::123456789012:role/path/to/role"}, "assume_role_arn",
         "arn:aws-us-gov:iam::123456789012:role/path/to/role"),
        ({**IAM, "profile": None, "nonce": None}, "profile", None),
    ],
)  # fmt: skip
def test_good_login(options: dict[str, t.Any], field: str, value: object) -> None:
    """Accepted, and brought into one form."""
    assert getattr(LoginConfig.from_options(options), field) == value


@pytest.mark.parametrize(
    ("given", "path"),
    [("aws", "aws"), ("auth/aws", "aws"), ("/auth/aws/", "aws"), ("team/aws", "team/aws"),
     ("auth/a/b-c_d.e", "a/b-c_d.e"), ("aws/", "aws"), ("auth/auth/aws", "auth/aws")],
)  # fmt: skip
def test_mount_path(given: str, path: str) -> None:
    """With or without ``auth/`` and slashes."""
    assert mount_path(given) == path


VAULT = {"url": "https://vault.example.org:8200"}
BAD_CONNECTIONS: list[tuple[str, dict[str, t.Any]]] = [
    ("url", {}),
    ("url", {"url": ""}),
    ("url", {"url": 5}),
    ("url", {"url": "vault.example.org:8200"}),
    ("url", {"url": "vault.example.org"}),
    ("url", {"url": "ftp://vault.example.org"}),
    ("url", {"url": "https://"}),
    ("url", {"url": "https://:8200"}),
    ("url", {"url": "https://vault.example.org:0"}),
    ("url", {"url": "https://vault.example.org:82000"}),
    ("url", {"url": "https://vault.example.org:abc"}),
    ("url", {"url": "https://[::1"}),
    ("url", {"url": "https://vault .example.org"}),
    ("url", {"url": "https://vault.example.org\n"}),
    ("url", {"url": "https://väult.example.org"}),
    ("url", {"url": "https://vault\\evil"}),
    ("url", {"url": "https://user:pw@vault.example.org"}),
    ("url", {"url": "https://vault..example.org"}),
    ("url", {"url": f"https://{'v' * 64}.example.org"}),
    ("url", {"url": "https://vault.example.org/v1"}),
    ("url", {"url": "https://vault.example.org/v1/auth/aws"}),
    ("url", {"url": "https://vault.example.org/ui/"}),
    ("url", {"url": "https://vault.example.org?x=1"}),
    ("url", {"url": "https://vault.example.org#x"}),
    ("namespace", {**VAULT, "namespace": "a b"}),
    ("namespace", {**VAULT, "namespace": "téam"}),
    ("namespace", {**VAULT, "namespace": "team\r\nX-Evil: 1"}),
    ("namespace", {**VAULT, "namespace": 5}),
    ("timeout", {**VAULT, "timeout": 0}),
    ("timeout", {**VAULT, "timeout": "soon"}),
    ("retries", {**VAULT, "retries": -1}),
    ("retries", {**VAULT, "retries": 101}),
    ("retries", {**VAULT, "retries": "many"}),
    ("retries", {**VAULT, "retries": True}),
    ("retries", {**VAULT, "retries": 1.5}),
    ("validate_certs", {**VAULT, "validate_certs": "no"}),
    ("validate_certs", {**VAULT, "validate_certs": 0}),
    ("ca_cert", {**VAULT, "ca_cert": "/does/not/exist.pem"}),
    ("ca_cert", {**VAULT, "ca_cert": "/"}),
    ("ca_cert", {**VAULT, "ca_cert": "a\0b"}),
    ("ca_cert", {**VAULT, "ca_cert": 7}),
    ("ca_cert", {**VAULT, "ca_cert": "/dev/null"}),
    ("ca_path", {**VAULT, "ca_path": "/does/not/exist"}),
    ("ca_path", {**VAULT, "ca_path": "/etc/hostname"}),
    ("client_cert", {**VAULT, "client_cert": "/does/not/exist.pem"}),
    ("client_key", {**VAULT, "client_key": certificates.CLIENT}),
    ("client_key", {**VAULT, "client_cert": certificates.CLIENT, "client_key": "/does/not/exist.pem"}),
    ("tls_server_name", {**VAULT, "tls_server_name": ""}),
    ("tls_server_name", {**VAULT, "tls_server_name": "a b"}),
    ("proxies", {**VAULT, "proxies": 5}),
    ("proxies", {**VAULT, "proxies": {}}),
    ("proxies", {**VAULT, "proxies": "proxy:3128:pw@"}),
    ("proxies", {**VAULT, "proxies": "ftp://user:pw@proxy"}),
    ("proxies", {**VAULT, "proxies": "http://user:pw@proxy:99999"}),
    ("proxies", {**VAULT, "proxies": "http://user:pw@#proxy"}),
    ("proxies", {**VAULT, "proxies": "http://user:pw@proxy\n"}),
    ("proxies", {**VAULT, "proxies": {"https": 5}}),
    ("proxies", {**VAULT, "proxies": {"no": "http://user:pw@proxy"}}),
    ("uri", {**VAULT, "uri": "x"}),
]


@pytest.mark.parametrize(("option", "options"), BAD_CONNECTIONS)
def test_bad_connection(option: str, options: dict[str, t.Any]) -> None:
    """One error that names the option and the cure; a proxy's or URL's password is not repeated."""
    with pytest.raises(ConfigError) as caught:
        VaultConnection.from_options(options)
    assert caught.value.option == option
    assert caught.value.hint
    assert "pw@" not in str(caught.value) + repr(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "field", "value"),
    [
        (VAULT, "url", "https://vault.example.org:8200"),
        ({"url": "https://vault.example.org/"}, "url", "https://vault.example.org"),
        ({"url": "http://127.0.0.1:8200"}, "url", "http://127.0.0.1:8200"),
        ({"url": "https://[::1]:8200/"}, "url", "https://[::1]:8200"),
        ({"url": "https://gate.example.org/vault/"}, "url", "https://gate.example.org/vault"),
        ({**VAULT, "namespace": "/team/app/"}, "namespace", "team/app"),
        ({**VAULT, "namespace": ""}, "namespace", ""),
        ({**VAULT, "namespace": "/"}, "namespace", ""),
        ({**VAULT, "timeout": "1m"}, "timeout", 60),
        ({**VAULT, "retries": "0"}, "retries", 0),
        ({**VAULT, "validate_certs": False}, "validate_certs", False),
        ({**VAULT, "proxies": "http://p:1"}, "proxies", {"http": "http://p:1", "https": "http://p:1"}),
        ({**VAULT, "proxies": {"https": "https://u:x@p"}}, "proxies", {"https": "https://u:x@p"}),
        ({**VAULT, "ca_cert": certificates.CA}, "ca_cert", certificates.CA),
    ],
)  # fmt: skip
def test_good_connection(options: dict[str, t.Any], field: str, value: object) -> None:
    """Accepted, and brought into one form."""
    assert getattr(VaultConnection.from_options(options), field) == value


def test_home_is_understood() -> None:
    """``~`` in a file option is the user's home."""
    home = Path(os.environ["HOME"])
    (home / "ca.pem").write_text("x", encoding="utf-8")
    assert VaultConnection.from_options({**VAULT, "ca_cert": "~/ca.pem"}).ca_cert == str(home / "ca.pem")


def test_a_fifo_is_not_waited_for(tmp_path: Path) -> None:
    """Opening one blocks until somebody writes."""
    os.mkfifo(tmp_path / "ca.pem")
    with pytest.raises(ConfigError, match="not a file"):
        VaultConnection.from_options({**VAULT, "ca_cert": str(tmp_path / "ca.pem")})
