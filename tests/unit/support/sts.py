# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""STS and the identity services as far as botocore's chain asks them, for a loopback server to answer with."""

from __future__ import annotations

import datetime
import typing as t
from urllib.parse import parse_qs

from .web import Reply, Seen


def expiry(seconds: float) -> str:
    """That far from now, as AWS writes times."""
    then = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return then.strftime("%Y-%m-%dT%H:%M:%SZ")


def role_keys(life: float = 3600) -> dict[str, t.Any]:
    """Role credentials as the instance's and the container's services give them."""
    return {
        "Code": "Success",
        "Type": "AWS-HMAC",
        "AccessKeyId": "ASIAROLE",
        "SecretAccessKey": "role-secret",
        "Token": "role-token",
        "Expiration": expiry(life),
    }


def instance(seen: Seen) -> Reply:
    """The instance metadata service, version 2, with one role."""
    if seen.method == "PUT":
        return Reply(body=b"imds-token")
    if seen.headers.get("x-aws-ec2-metadata-token") != "imds-token":
        return Reply(401)
    if seen.path.endswith("/security-credentials/"):
        return Reply(body=b"node")
    if seen.path.endswith("/security-credentials/node"):
        return Reply(body=role_keys())
    return Reply(404)


def sts(seen: Seen) -> Reply:
    """AssumeRole and AssumeRoleWithWebIdentity; the role named ``closed`` is refused with an echo of what was sent."""
    asked = {name: values[0] for name, values in parse_qs(seen.body.decode()).items()}
    action = asked["Action"]
    if asked["RoleArn"].endswith("/closed"):
        message = f"not you, {asked.get('ExternalId')} {seen.headers.get('x-amz-security-token')}"
        return _xml(
            403, f"<ErrorResponse><Error><Code>AccessDenied</Code><Message>{message}</Message></Error></ErrorResponse>"
        )
    keys = (
        "<Credentials><AccessKeyId>ASIAASSUMED</AccessKeyId><SecretAccessKey>assumed-secret</SecretAccessKey>"
        f"<SessionToken>assumed-token</SessionToken><Expiration>{expiry(3600)}</Expiration></Credentials>"
    )
    return _xml(200, f"<{action}Response><{action}Result>{keys}</{action}Result></{action}Response>")


def _xml(status: int, text: str) -> Reply:
    return Reply(status, text.encode(), {"Content-Type": "text/xml"})
