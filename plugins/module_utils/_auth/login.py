# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One login, from judged options to the server's answer: the entry for every front end."""

from __future__ import annotations

import dataclasses
import typing as t

from . import iam
from .config import LoginConfig
from .credentials import Credentials, find_credentials
from .endpoints import StsTarget, sts_target
from .errors import ConfigError, MetadataError
from .request import LoginRequest

if t.TYPE_CHECKING:
    from .vault import Login, Vault  # signing alone does without its libraries


@dataclasses.dataclass(frozen=True)
class Identity:
    """Who logged in, as far as it is known without asking anybody. None: not known.

    provider: which source of credentials answered (botocore's name, or ``static``); for ec2 ``instance-identity``.
    arn: only where the server's answer has it.
    """

    type: str
    provider: str
    account_id: str | None
    arn: str | None
    instance_id: str | None
    region: str


@dataclasses.dataclass(frozen=True)
class LoggedIn:
    """A login that worked. nonce: the one that was generated for it, else None; it is as secret as a token."""

    login: Login
    identity: Identity
    nonce: str | None = dataclasses.field(default=None, repr=False)


def log_in(config: LoginConfig, vault: Vault) -> LoggedIn:
    """Log in at ``vault`` as ``config`` says; nothing is kept or written. Raises a LoginError."""
    return _log_in_iam(config, vault) if config.type == "iam" else _log_in_ec2(config, vault)


def check(config: LoginConfig) -> None:
    """Judge, without a request, what takes AWS's own data to judge: region and endpoint. Raises ConfigError."""
    if config.type == "iam" and config.region != "auto":
        signing_target(config)


def signing_target(config: LoginConfig) -> StsTarget:
    """Return the STS endpoint and region to sign for; region ``auto`` may ask the instance metadata.

    Raises ConfigError, and CredentialsError for an AWS configuration that cannot be read.
    """
    region = config.region
    if region == "auto":
        region = _detect_region(config)
    return sts_target(region, config.sts_endpoint)


def _detect_region(config: LoginConfig) -> str:
    """The region of environment, then AWS configuration, then instance metadata (as HashiCorp's clients order them)."""
    from .chain import configured_region
    from .imds import instance_region

    region = configured_region(config.profile)
    if region:
        return region

    try:
        return instance_region()
    except MetadataError as e:
        raise ConfigError(
            "region",
            f"auto found none in AWS_REGION, AWS_DEFAULT_REGION, the AWS configuration or the metadata ({e.what})",
            hint="set region",
        ) from None


def _log_in_iam(config: LoginConfig, vault: Vault) -> LoggedIn:
    target = signing_target(config)
    found: Credentials | None = None

    def proof(fresh: bool) -> LoginRequest:
        nonlocal found
        if found is None or fresh:
            found = find_credentials(config, target.region, timeout=vault.connection.timeout)
        return iam.login_request(config, found, target)

    login = vault.login(config.mount_path, proof, wrap_ttl=config.wrap_ttl)
    metadata: t.Mapping[str, str] = login.token.metadata if login.token else {}
    return LoggedIn(
        login,
        Identity(
            type="iam",
            provider=found.provider if found else "",
            account_id=metadata.get("account_id"),
            arn=metadata.get("client_arn") or metadata.get("canonical_arn"),
            instance_id=metadata.get("inferred_entity_id") or None,
            region=target.region,
        ),
    )


def _log_in_ec2(config: LoginConfig, vault: Vault) -> LoggedIn:
    # Loaded here, since most logins are of the other type.
    import uuid

    from . import ec2
    from .imds import IdentityDocument, identity_document

    nonce = config.nonce or str(uuid.uuid4())
    found: IdentityDocument | None = None

    def proof(_fresh: bool) -> LoginRequest:
        nonlocal found
        found = found or identity_document(config.signature_type)
        return ec2.login_request(config, found, nonce)

    login = vault.login(config.mount_path, proof, wrap_ttl=config.wrap_ttl)
    document = t.cast(IdentityDocument, found)  # the login has used it
    return LoggedIn(
        login,
        Identity("ec2", "instance-identity", document.account_id, None, document.instance_id, document.region),
        None if config.nonce else nonce,
    )
