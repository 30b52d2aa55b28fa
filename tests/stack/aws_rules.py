# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What AWS checks in a signed request before its signature, and how it words each refusal.

moto verifies signatures and policies, but not these. Sources of the rules:

- Signing scope: "AWS Signature Version 4", elements of a request: the credential scope holds the region and service of
  the endpoint, and a service with one global endpoint is signed for us-east-1. A request to the global STS endpoint
  signed for another region is answered "Credential should be scoped to a valid region."; users quote that answer in
  reports against spring-vault, hvac and the Terraform provider.
- Clock: IAM user guide, "Troubleshoot signed requests", and users' reports of sts:GetCallerIdentity: fifteen minutes
  either way, "Signature expired: A is now earlier than B (C - 15 min.)", "Signature not yet current: A is still later
  than B (C + 15 min.)".
- Common errors of the STS and IAM API references: ExpiredToken 403, InvalidClientTokenId 403, IncompleteSignature 400,
  MissingAuthenticationToken 403, Throttling 400, InternalFailure 500. EC2's error codes: RequestLimitExceeded 503,
  InternalError 500.
"""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass
from xml.sax.saxutils import escape

SKEW = datetime.timedelta(minutes=15)
STAMP = "%Y%m%dT%H%M%SZ"

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 +Credential=([^/,\s]+)/(\d{8})/([^/,\s]+)/([^/,\s]+)/aws4_request, *"
    r"SignedHeaders=([^,\s]+), *Signature=([0-9a-f]{64})"
)
_STS_HOST = re.compile(
    r"(?:[^.]+\.)?sts(?:-fips)?(?:\.([a-z0-9-]+))?(?:\.vpce)?\.(?:amazonaws\.com(?:\.cn)?|api\.aws|c2s\.ic\.gov|sc2s\.sgov\.gov)"
)


@dataclass(frozen=True)
class Signature:
    """The parts of an Authorization header that are checked here."""

    access_key_id: str
    region: str
    service: str
    signed_headers: tuple[str, ...]


@dataclass(frozen=True)
class Refusal:
    """An AWS error answer."""

    status: int
    code: str
    message: str

    def xml(self, service: str) -> bytes:
        """The body, in EC2's shape for EC2 and in the query protocol's for the others."""
        code, message = escape(self.code), escape(self.message)
        request_id = "00000000-0000-4000-8000-000000000000"
        if service == "ec2":
            text = (
                '<?xml version="1.0" encoding="UTF-8"?>\n'
                f"<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>"
                f"<RequestID>{request_id}</RequestID></Response>"
            )
        else:
            kind = "Receiver" if self.status >= 500 else "Sender"
            text = (
                f'<ErrorResponse xmlns="https://{service}.amazonaws.com/doc/2011-06-15/">\n'
                f"  <Error>\n    <Type>{kind}</Type>\n    <Code>{code}</Code>\n"
                f"    <Message>{message}</Message>\n  </Error>\n"
                f"  <RequestId>{request_id}</RequestId>\n</ErrorResponse>\n"
            )
        return text.encode()


def parse_authorization(header: str) -> Signature | None:
    """The parts of a Signature Version 4 header, or None where it is not one."""
    found = _AUTHORIZATION.fullmatch(header.strip())
    if found is None:
        return None
    return Signature(found[1], found[3], found[4], tuple(found[5].split(";")))


def scope_region(host: str) -> str | None:
    """The region that a request to this STS host must be signed for; None where the host is not one of AWS's STS."""
    found = _STS_HOST.fullmatch(host.partition(":")[0].lower())
    return None if found is None else found[1] or "us-east-1"


def judge(
    signature: Signature, host: str, date: str, expires: datetime.datetime | None, now: datetime.datetime
) -> Refusal | None:
    """AWS's refusal, or None where only the signature itself is left to check.

    ``date`` is X-Amz-Date as sent; ``expires`` the end of the key's session, None for long-lived keys.
    """
    region = scope_region(host)
    if expires is not None and expires <= now:
        return Refusal(403, "ExpiredToken", "The security token included in the request is expired")
    if region is not None and signature.service != "sts":
        return _mismatch("Credential should be scoped to correct service: 'sts'. ")
    if region is not None and signature.region != region:
        return _mismatch("Credential should be scoped to a valid region. ")
    try:
        signed_at = datetime.datetime.strptime(date, STAMP).replace(tzinfo=datetime.UTC)
    except ValueError:
        return Refusal(400, "IncompleteSignature", f"Date must be in ISO-8601 'basic format'. Got '{date}'.")
    earliest, latest = now - SKEW, now + SKEW
    if signed_at < earliest:
        return _mismatch(f"Signature expired: {date} is now earlier than {earliest:{STAMP}} ({now:{STAMP}} - 15 min.)")
    if signed_at > latest:
        return _mismatch(
            f"Signature not yet current: {date} is still later than {latest:{STAMP}} ({now:{STAMP}} + 15 min.)"
        )
    for needed in ("host", "x-amz-date"):
        if needed not in signature.signed_headers:
            return _mismatch(f"'{needed}' must be a 'SignedHeader' in the AWS Authorization.")
    return None


def _mismatch(message: str) -> Refusal:
    return Refusal(403, "SignatureDoesNotMatch", message)
