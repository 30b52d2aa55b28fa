# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""botocore's credential chain, unchanged, and then (if asked) an assumed role."""

from __future__ import annotations

import contextlib
import os
import typing as t
import urllib.request

from .bounded import bound
from .config import LoginConfig
from .credentials import Credentials, quiet_botocore
from .errors import CredentialsError, Retry, redact
from .lib_chain import botocore

# AWS's identity services: EC2, ECS, EKS Pod Identity (AWS SDKs guide, "IMDS" and "Container credential provider").
LINK_LOCAL_HOSTS = ("169.254.169.254", "169.254.170.2", "169.254.170.23", "[fd00:ec2::254]", "[fd00:ec2::23]")
_LEAST_LIFE = 60  # seconds; credentials that end sooner may be dead when STS sees the request
_SESSION_NAME = "vaultfleet-aws"


def find(config: LoginConfig, static: Credentials | None, region: str, timeout: float) -> Credentials:
    """Return what the chain finds, or ``static``; as the role to assume, if there is one. Raises CredentialsError."""
    with _explained(config.profile), _without_tls_key_log():
        session = new_session(config.profile)
        with _metadata_past_proxies():
            found = static or _chain(session)
        if config.assume_role_arn:
            found = _assume_role(config, session, found, region, timeout)
    return _judged(found)


def new_session(profile: str | None = None) -> botocore.session.Session:
    """Return a botocore session; an explicit ``profile`` beats environment keys (botocore's own rule)."""
    quiet_botocore()
    return botocore.session.Session(profile=profile)


def configured_region(profile: str | None) -> str | None:
    """Return the region of AWS_REGION, AWS_DEFAULT_REGION or the AWS configuration. Raises CredentialsError."""
    # botocore knows AWS_DEFAULT_REGION only; the other SDKs, and AWS's own services, set AWS_REGION.
    region = os.environ.get("AWS_REGION")
    if not region:
        with _explained(profile):
            region = new_session(profile).get_config_variable("region")
    return region or None


def _chain(session: botocore.session.Session) -> Credentials:
    bound(session)
    found = session.get_credentials()
    if found is None:
        raise CredentialsError(
            "no AWS credentials found",
            hint="give access_key and secret_key, set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or AWS_PROFILE, or"
            " run on an instance or in a container that has a role (with the instance's metadata service switched on;"
            " in a container on EC2, raise its hop limit to 2)",
            retry=Retry.TRANSIENT,
        )
    frozen = found.get_frozen_credentials()
    if not frozen.access_key or not frozen.secret_key:
        raise CredentialsError(f"the AWS credentials from {found.method} are incomplete", hint="check that source")
    _refuse_expiring(found)
    return Credentials(frozen.access_key, frozen.secret_key, frozen.token or None, found.method)


def _judged(found: Credentials) -> Credentials:
    """What goes into the headers of a request; a source may say anything."""
    for value in (found.access_key, found.secret_key, found.session_token or "x"):
        if not isinstance(value, str) or not value.isascii() or not value.isprintable() or " " in value:
            raise CredentialsError(
                f"the AWS credentials from {found.provider} hold what no AWS key does", hint="check that source"
            )
    return found


def _refuse_expiring(found: t.Any) -> None:
    # botocore refreshes in time where it can; what is left are sources that hand out nearly dead keys.
    if isinstance(found, botocore.credentials.RefreshableCredentials) and found.refresh_needed(_LEAST_LIFE):
        raise CredentialsError(
            f"the AWS credentials from {found.method} end within {_LEAST_LIFE} s",
            hint="renew them at their source, and check this host's clock",
            retry=Retry.TRANSIENT,
        )


@contextlib.contextmanager
def _without_tls_key_log() -> t.Iterator[None]:
    """Keep urllib3 from writing the keys of TLS connections to a file, with which STS's answers could be read."""
    before = os.environ.pop("SSLKEYLOGFILE", None)
    try:
        yield
    finally:
        if before is not None:
            os.environ["SSLKEYLOGFILE"] = before


@contextlib.contextmanager
def _metadata_past_proxies() -> t.Iterator[None]:
    """Keep botocore from asking the identity services through a proxy, which would answer with the proxy's own role.

    botocore takes its metadata proxies from the environment alone, so that is where to say it; it is put back after.
    """
    if not urllib.request.getproxies_environment():
        yield
        return
    before = {name: os.environ.get(name) for name in ("no_proxy", "NO_PROXY")}
    listed = before["no_proxy"] or before["NO_PROXY"] or ""
    for name in before:
        os.environ[name] = ",".join(filter(None, (listed, *LINK_LOCAL_HOSTS)))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _assume_role(
    config: LoginConfig, session: botocore.session.Session, base: Credentials, region: str, timeout: float
) -> Credentials:
    client: t.Any = session.create_client(
        "sts",
        region_name=region,
        aws_access_key_id=base.access_key,
        aws_secret_access_key=base.secret_key,
        aws_session_token=base.session_token,
        config=botocore.config.Config(
            # Two attempts to connect and to read stay within the deadline.
            connect_timeout=min(10, timeout / 4),
            read_timeout=min(10, timeout / 4),
            retries={"mode": "standard", "total_max_attempts": 2},
        ),
    )
    request = {
        "RoleArn": config.assume_role_arn,
        "RoleSessionName": config.assume_role_session_name or _SESSION_NAME,
    }
    if config.assume_role_external_id:
        request["ExternalId"] = config.assume_role_external_id
    try:
        answer = client.assume_role(**request)["Credentials"]
    except botocore.exceptions.ClientError as e:
        error = e.response.get("Error", {})
        text = f"{error.get('Code', '')}: {error.get('Message', '')}"
        hidden = (*base.secrets(), config.assume_role_external_id)
        raise CredentialsError(
            f"assume_role_arn: STS refused {config.assume_role_arn}",
            server=redact(text, hidden),
            hint=f"check that role's trust policy for the identity from {base.provider}, and assume_role_external_id",
            retry=Retry.TRANSIENT if error.get("Code") in ("Throttling", "ServiceUnavailable") else Retry.PERMANENT,
        ) from None
    return Credentials(
        answer["AccessKeyId"], answer["SecretAccessKey"], answer["SessionToken"], f"{base.provider}, assume-role"
    )


@contextlib.contextmanager
def _explained(profile: str | None) -> t.Iterator[None]:
    """Turn whatever botocore raises into a CredentialsError."""
    try:
        yield
    except CredentialsError:
        raise
    except botocore.exceptions.ProfileNotFound:
        raise CredentialsError(
            f"the AWS profile {profile or os.environ.get('AWS_PROFILE', '')!r} does not exist",
            hint="check profile (or AWS_PROFILE), AWS_SHARED_CREDENTIALS_FILE and AWS_CONFIG_FILE",
        ) from None
    except Exception as e:  # noqa: BLE001 - its chain raises a dozen kinds: providers, subprocesses, parsers, sockets
        raise _chain_error(e) from None


def _chain_error(error: Exception) -> CredentialsError:
    transient = isinstance(
        error,
        (
            botocore.exceptions.HTTPClientError,
            botocore.exceptions.ConnectionError,
            botocore.exceptions.MetadataRetrievalError,
        ),
    )
    hint = "check the source that is named, or give another one"
    if isinstance(error, RuntimeError) and "still expired" in str(error):
        # botocore's words for keys that were handed out just now: this clock is ahead by more than they live.
        hint = "set this host's clock, if it is ahead (chrony, ntp), or renew the credentials at their source"
    return CredentialsError(
        "AWS credentials could not be had",
        server=redact(f"{type(error).__name__}: {error}"),
        hint=hint,
        retry=Retry.TRANSIENT if transient else Retry.PERMANENT,
    )
