# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of known answers: every row is sound, and each of the server's messages finds the row that is meant."""

from __future__ import annotations

import re
import string

import pytest

from ansible_collections.vaultfleet.aws.plugins.module_utils._auth import hints
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.errors import Retry

STS = "error making upstream request: received error code 403 from STS: "
HEADER = "error validating X-Vault-AWS-IAM-Server-ID header: "
FACTS = {"role", "mount", "provider", "region", "sts_host", "instance", "skew"}
I = "i-0123456789abcdef0"  # noqa: E741

# (status, text, row): the literal messages of the AWS auth method, with names that try to mislead.
LOGIN = [
    (400, 'entry for role "x" not found', "unknown-role"),
    (400, "entry for role standby not found", "unknown-role"),
    (400, "auth method ec2 not allowed for role x", "wrong-type"),
    (400, "auth method iam not allowed for role x", "wrong-type"),
    (400, 'IAM Principal "arn:aws:iam::1:user/a" does not belong to the role "x"', "principal-not-bound"),
    (400, STS + "SignatureDoesNotMatch: The request signature we calculated does not match", "sts-signature"),
    (400, STS + "ExpiredToken: The security token included in the request is expired", "sts-expired-token"),
    (400, STS + "InvalidClientTokenId: The security token included in the request is invalid.", "sts-unknown-key"),
    (400, STS + "SignatureDoesNotMatch: Credential should be scoped to a valid region, not 'us-east-1'.", "sts-region"),
    (400, STS + "SignatureDoesNotMatch: Signature expired: 20261121T1 is now earlier than x", "sts-signature-expired"),
    (400, STS + "AccessDenied: no", "sts-refused"),
    (400, "error making upstream request: received error code 503 from STS: x", "sts-throttled"),
    (400, STS + "Throttling: Rate exceeded", "sts-throttled"),
    (400, "error making upstream request: error making request: Post: dial tcp: timeout", "sts-unreachable"),
    (400, "error making upstream request: body of GetCallerIdentity is invalid", "sts-content-type"),
    (400, HEADER + 'missing header "X-Vault-AWS-IAM-Server-ID"', "header-missing"),
    (400, HEADER + 'expected "a" but got "b"', "header-wrong"),
    (400, HEADER + "vault header wasn't signed", "header-unsigned"),
    (400, HEADER + "missing Authorization header", "header-unsigned"),
    (400, "invalid request header: X-Amz-Foo", "header-not-allowed"),
    (400, "failed to verify instance ID: instance is not in 'running' state", "instance-not-running"),
    (400, f'failed to verify instance ID: error fetching description for instance ID "{I}": x', "instance-unknown"),
    (400, 'failed to verify instance ID: unable to fetch client for account ID "1" -- default client is for account 2',
     "instance-client"),
    (400, 'Error validating instance: AMI ID "ami-1" does not belong to role "x"', "instance-not-bound"),
    (400, 'Error validating instance: account ID "1" does not belong to role "x"', "instance-not-bound"),
    (400, 'Error validating instance: VPC ID "v" does not satisfy the constraint on role "x"', "instance-not-bound"),
    (400, 'Error validating instance: subnet ID "s" does not satisfy the constraint on role "x"', "instance-not-bound"),
    (400, f'Error validating instance: instance ID "{I}" does not belong to the role "x"', "instance-not-bound"),
    (400, 'Error validating instance: IAM role ARN "a" does not satisfy the constraint role "x"', "instance-not-bound"),
    (400, 'Region "r" does not satisfy the constraint on role "x"', "instance-not-bound"),
    (400, f"failed to verify {I} as a valid EC2 instance in region r: x", "instance-unknown"),
    (400, "failed to base64 decode the instance identity document", "document-garbled"),
    (500, "instance identity verification using SHA256 RSA signature is unsuccessful", "document-signature"),
    (500, "failed to parse the BER encoded PKCS#7 signature: x", "document-signature"),
    (500, "failed to verify the signature: pkcs7: No certificate for signer", "document-signature"),
    (500, "failed to verify the signature: pkcs7: Message digest mismatch", "document-signature"),
    (500, "failed to verify the signature: pkcs7: unsupported algorithm", "document-signature"),
    (500, 'missing tag with key "VaultRole" on the instance', "role-tag"),
    (500, "role tag is deny listed", "role-tag"),
    (500, "role on the tag is not matching the role supplied", "role-tag"),
    (400, "client nonce mismatch", "nonce-mismatch"),
    (400, "client nonce mismatch and instance meta-data incorrect", "nonce-mismatch"),
    (400, "reauthentication is disabled", "reauthentication-disabled"),
    (400, "instance meta-data is older than the one used for previous login", "document-outdated"),
    (400, "didn't supply required authentication values", "missing-values"),
    (400, "supplied auth values for both ec2 and iam auth types", "missing-values"),
    (403, "permission denied", "forbidden"),
    (403, "", "forbidden"),
    (404, "no handler for route \"auth/aws/login\". route entry not found.", "no-mount"),
    (404, "", "not-found"),
    (429, "request path \"auth/aws/login\": rate limit quota exceeded", "rate-limit"),
    (503, "Vault is sealed", "sealed"),
    (503, "", None),
    (500, "local node not active but active cluster node not found", "standby"),
    (500, "internal error", None),
    (400, "", None),
]  # fmt: skip


@pytest.mark.parametrize(("status", "text", "name"), LOGIN)
def test_login(status: int, text: str, name: str | None) -> None:
    """The first row that fits is the one that is meant."""
    row = hints.find(status, text, of_login=True)
    assert (row.name if row else None) == name


@pytest.mark.parametrize(
    ("status", "text", "name"),
    [(403, "permission denied", "token-refused"), (403, "invalid token", "token-refused"), (429, "", "rate-limit"),
     (503, "OpenBao is sealed", "sealed"), (404, "", "not-found")],
)  # fmt: skip
def test_token_calls(status: int, text: str, name: str) -> None:
    """Calls of a token have rows of their own."""
    row = hints.find(status, text, of_login=False)
    assert row
    assert row.name == name


@pytest.mark.parametrize("row", hints.ROWS, ids=[row.name for row in hints.ROWS])
def test_row(row: hints.Hint) -> None:
    """A name of its own, a pattern that compiles, advice that names facts that exist, a pattern or a status."""
    assert [other.name for other in hints.ROWS].count(row.name) == 1
    assert re.fullmatch(r"[a-z0-9-]+", row.name)
    re.compile(row.pattern)
    assert row.pattern or row.status
    assert {field for _text, field, _spec, _conversion in string.Formatter().parse(row.advice) if field} <= FACTS
    assert row.advice[-1] != "."


def test_classes() -> None:
    """What is tried again, at once or later; all else waits for somebody to change something."""
    by_class = {kind: {row.name for row in hints.ROWS if row.retry is kind} for kind in Retry}
    assert by_class[Retry.RESIGN] == {"sts-signature", "sts-signature-expired", "sts-expired-token"}
    assert {"sts-throttled", "sts-unreachable", "instance-not-running", "instance-unknown", "sealed", "standby",
            "rate-limit"} <= by_class[Retry.TRANSIENT]  # fmt: skip
    assert {"unknown-role", "wrong-type", "principal-not-bound", "nonce-mismatch", "reauthentication-disabled",
            "header-missing", "header-wrong", "document-signature"} <= by_class[Retry.PERMANENT]  # fmt: skip
