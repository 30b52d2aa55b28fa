# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The EC2 instance metadata service: IMDSv2 first, and an error of its own for each way to fail.

urllib3 is spoken to directly: botocore's fetcher is private, knows no identity document, and does not tell a hop limit
from a missing service.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import time
import typing as t

from .chain import new_session
from .cutoff import Cutoff
from .errors import MetadataError, Retry
from .lib_botocore import botocore, urllib3

_TOKEN_TTL = "300"  # noqa: S105 - seconds; one login needs it for a moment only
_LARGEST = 65536  # bytes of one answer
_PATIENCE = 4  # times the timeout of one read: how long one answer may take in all
_PROOFS = {"identity": "signature", "pkcs7": "pkcs7", "rsa2048": "rsa2048"}
_HOP_LIMIT = (
    "in a container on EC2, raise the instance's hop limit: aws ec2 modify-instance-metadata-options"
    " --http-put-response-hop-limit 2"
)


@dataclasses.dataclass(frozen=True)
class IdentityDocument:
    """An instance identity document and its proof (AWS EC2 user guide, "Instance identity documents").

    document: the exact bytes that AWS signed. proof: base64 text of the kind ``signature_type``.
    """

    document: bytes = dataclasses.field(repr=False)
    proof: str = dataclasses.field(repr=False)
    signature_type: str
    instance_id: str
    account_id: str
    region: str


@dataclasses.dataclass(frozen=True)
class _Service:
    """Where the service is, and how patient to be: seconds per attempt, and attempts (AWS_METADATA_SERVICE_*)."""

    url: str
    timeout: float
    attempts: int
    v1: bool


class _Pool(urllib3.PoolManager):
    """Goes through no proxy, whatever the environment says: a proxy would answer with its own identity."""

    def __init__(self, service: _Service) -> None:
        super().__init__(timeout=urllib3.Timeout(connect=service.timeout, read=service.timeout), retries=False)
        self.cutoff = Cutoff()
        self.cutoff.watch(self)


def identity_document(signature_type: str) -> IdentityDocument:
    """Return this instance's identity document with the proof of kind ``signature_type``. Raises MetadataError."""
    service = _service()
    with _Pool(service) as pool:
        token = _token(pool, service)
        document = _get(pool, service, token, "dynamic/instance-identity/document")
        proof = _get(pool, service, token, f"dynamic/instance-identity/{_PROOFS[signature_type]}")
    facts = _facts(document, service)
    try:
        text = "".join(proof.decode("ascii").split())
    except UnicodeDecodeError:
        text = ""
    if not re.fullmatch(r"[A-Za-z0-9+/=]+", text):
        name = _PROOFS[signature_type]
        raise MetadataError(f"the metadata service at {service.url}: its {name} is not base64", hint=_wrong_service())
    return IdentityDocument(document, text, signature_type, *facts)


def instance_region() -> str:
    """Return the region that this instance runs in. Raises MetadataError."""
    service = _service()
    with _Pool(service) as pool:
        region = _get(pool, service, _token(pool, service), "meta-data/placement/region")
    return region.decode("ascii", "replace").strip()


def _service() -> _Service:
    if os.environ.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true":
        raise MetadataError("the metadata service is switched off by AWS_EC2_METADATA_DISABLED", hint="unset it")
    session = new_session()
    try:
        mode = botocore.utils.resolve_imds_endpoint_mode(session)
        url = session.get_config_variable("ec2_metadata_service_endpoint")
        timeout = float(session.get_config_variable("metadata_service_timeout"))
        attempts = int(session.get_config_variable("metadata_service_num_attempts"))
        v1 = not session.get_config_variable("ec2_metadata_v1_disabled")
        if timeout <= 0:
            raise ValueError(f"a timeout of {timeout:g} s")
        if url and not str(url).startswith(("http://", "https://")):
            raise ValueError(f"{url!r} is no http URL")
    except (ValueError, TypeError, botocore.exceptions.BotoCoreError) as e:
        raise MetadataError(f"a metadata setting of the AWS configuration is wrong: {e}", hint="correct it") from None
    default = botocore.utils.METADATA_BASE_URL_IPv6 if mode == "ipv6" else botocore.utils.METADATA_BASE_URL
    # Two attempts at least: the first one on a fresh instance is often lost.
    return _Service(str(url or default).rstrip("/"), timeout, max(2, attempts), v1)


def _token(pool: _Pool, service: _Service) -> str | None:
    """Return an IMDSv2 session token, or None where only version 1 can be tried."""
    url = f"{service.url}/latest/api/token"
    try:
        status, body = _request(pool, service, "PUT", url, {"X-aws-ec2-metadata-token-ttl-seconds": _TOKEN_TTL})
    except urllib3.exceptions.ReadTimeoutError:
        # The hop limit drops the token's answer only; where version 1 is allowed, it still works.
        if service.v1 and _answers_v1(pool, service):
            return None
        raise MetadataError(
            f"the metadata service at {service.url} takes connections, but its token answer does not arrive",
            hint=_HOP_LIMIT,
            retry=Retry.TRANSIENT,
        ) from None
    if status == 200:
        token = body.decode("ascii", "replace").strip()
        if token and token.isascii() and token.isprintable():
            return token
        raise MetadataError(
            f"the metadata service at {service.url}: its session token is garbled", hint=_wrong_service()
        )
    if status in (404, 405, 501) and service.v1:
        return None
    if status == 403:
        raise MetadataError(
            f"the metadata service at {service.url} is switched off for this instance (HTTP 403)",
            hint="switch it on: aws ec2 modify-instance-metadata-options --http-endpoint enabled",
        )
    raise MetadataError(
        f"the metadata service at {service.url} gave no session token (HTTP {status})",
        hint=_wrong_service(),
        retry=Retry.TRANSIENT if status >= 500 else Retry.PERMANENT,
    )


def _answers_v1(pool: _Pool, service: _Service) -> bool:
    try:
        status, _body = _request(pool, service, "GET", f"{service.url}/latest/meta-data/instance-id", {})
    except urllib3.exceptions.HTTPError:
        return False
    return status == 200


def _get(pool: _Pool, service: _Service, token: str | None, path: str) -> bytes:
    headers = {"X-aws-ec2-metadata-token": token} if token else {}
    try:
        status, body = _request(pool, service, "GET", f"{service.url}/latest/{path}", headers)
    except urllib3.exceptions.ReadTimeoutError:
        raise MetadataError(
            f"the metadata service at {service.url} does not answer for {path}", retry=Retry.TRANSIENT
        ) from None
    if status == 200 and body:
        return body
    if status == 401 and not token:
        raise MetadataError(
            f"the metadata service at {service.url} demands version 2, but gives no session token",
            hint=_wrong_service(),
        )
    if status == 404:
        raise MetadataError(
            f"the metadata service at {service.url} has no {path}", hint="is this an EC2 instance? " + _wrong_service()
        )
    raise MetadataError(
        f"the metadata service at {service.url} gave HTTP {status} for {path}",
        retry=Retry.TRANSIENT if status >= 500 or status == 429 or status == 200 else Retry.PERMANENT,
    )


def _request(pool: _Pool, service: _Service, method: str, url: str, headers: t.Mapping[str, str]) -> tuple[int, bytes]:
    """One request, tried again on connection faults and 5xx: (status, body). Raises ReadTimeoutError, MetadataError."""
    for left in reversed(range(service.attempts)):
        try:
            started = time.monotonic()
            with pool.cutoff.after(_PATIENCE * service.timeout):
                answer = pool.request(
                    method, url, headers=dict(headers), redirect=False, preload_content=False, decode_content=False
                )
                body = answer.read(_LARGEST + 1)
            answer.release_conn()
            answer.close()  # what was not read of it
            if time.monotonic() - started >= _PATIENCE * service.timeout:
                # What was cut off looks like a whole answer.
                raise urllib3.exceptions.ReadTimeoutError(pool, url, "cut off")  # type: ignore[arg-type]
            length = answer.headers.get("Content-Length", "")
            # urllib3 takes the first part of an answer that ends early for all of it.
            if re.fullmatch(r"\d{1,15}", length, re.ASCII) and len(body) < min(int(length), _LARGEST):
                raise urllib3.exceptions.ProtocolError("the answer ends early")
        except urllib3.exceptions.ReadTimeoutError:
            if not left:
                raise
        except urllib3.exceptions.HTTPError as e:
            if not left:
                raise MetadataError(
                    f"there is no instance metadata service at {service.url}",
                    server=_cause(e),
                    hint="type ec2 works on EC2 instances only; elsewhere use type iam, or set"
                    " AWS_EC2_METADATA_SERVICE_ENDPOINT",
                    retry=Retry.TRANSIENT,
                ) from None
        else:
            if len(body) > _LARGEST:
                raise MetadataError(
                    f"the metadata service at {service.url}: its answer is over {_LARGEST} bytes", hint=_wrong_service()
                )
            if answer.status < 500 or not left:
                return answer.status, body
    raise AssertionError("unreachable: the last attempt returns or raises")


def _facts(document: bytes, service: _Service) -> tuple[str, str, str]:
    try:
        parsed = json.loads(document)
    except (ValueError, RecursionError):
        parsed = None
    found = [parsed.get(key) if isinstance(parsed, dict) else None for key in ("instanceId", "accountId", "region")]
    if not all(isinstance(value, str) and value and value.isprintable() for value in found):
        raise MetadataError(
            f"the metadata service at {service.url}: its identity document is garbled", hint=_wrong_service()
        )
    instance, account, region = found
    return str(instance), str(account), str(region)


def _cause(error: Exception) -> str:
    cause = error.__cause__ or error.__context__
    return str(cause) if isinstance(cause, OSError) else type(error).__name__


def _wrong_service() -> str:
    return "check what answers there, and AWS_EC2_METADATA_SERVICE_ENDPOINT"
