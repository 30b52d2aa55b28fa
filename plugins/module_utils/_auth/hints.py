# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Vault's known answers mean, and what to change.

The texts are those of the AWS auth method (Vault's builtin/credential/aws, OpenBao's auth/aws plugin) and of Vault's
core; each row that the test stack can provoke is provoked there. The troubleshooting guide is generated from ``ROWS``.
"""

from __future__ import annotations

import dataclasses
import re

from .errors import Retry


@dataclasses.dataclass(frozen=True)
class Hint:
    """One known answer: ``pattern`` is searched in its text, ``{...}`` in ``advice`` are facts of the login.

    of_login: True is for answers to a login only, False for those to a token's own calls only.
    """

    name: str
    pattern: str
    retry: Retry
    advice: str
    status: int | None = None
    of_login: bool | None = None


_CLOCK = "the signature's time is outside the 15 minutes that AWS allows: set this host's clock (chrony, ntp){skew}"

# The first row that fits wins, so the more special ones stand first.
ROWS: tuple[Hint, ...] = (
    # --- what STS said to Vault about the signed request
    Hint(
        "sts-region",
        r"Credential should be scoped to a valid region",
        Retry.PERMANENT,
        "the request was signed for region {region} at {sts_host}: set region and sts_endpoint to the STS endpoint that"
        " Vault uses (sts_endpoint and sts_region in auth/{mount}/config/client)",
    ),
    Hint("sts-signature-expired", r"Signature expired|Signature not yet current", Retry.RESIGN, _CLOCK),
    Hint(
        "sts-expired-token",
        r"ExpiredToken|security token included in the request is expired",
        Retry.RESIGN,
        "the AWS credentials from {provider} have expired: renew them (an SSO login, a new session token)",
    ),
    Hint(
        "sts-unknown-key",
        r"InvalidClientTokenId|UnrecognizedClient|security token included in the request is invalid",
        Retry.PERMANENT,
        "STS does not know the access key that {provider} gave: check the key, its session token, and that key, region"
        " and sts_endpoint are of the same AWS partition",
    ),
    Hint(
        "sts-signature",
        r"SignatureDoesNotMatch",
        Retry.RESIGN,
        "check the secret key from {provider}, and that the sts_endpoint here ({sts_host}) is the one that Vault uses"
        " (auth/{mount}/config/client); a proxy or a clock that is wrong can also cause this{skew}",
    ),
    Hint(
        "sts-throttled",
        r"Throttling|Rate exceeded|RequestLimitExceeded|received error code (?:429|5\d\d) from STS",
        Retry.TRANSIENT,
        "AWS is limiting or failing Vault's requests: wait and run again, or log in less often",
    ),
    Hint(
        "sts-content-type",
        r"body of GetCallerIdentity is invalid",
        Retry.PERMANENT,
        "what answered Vault is not STS: check sts_endpoint in auth/{mount}/config/client, and proxies on Vault's side",
    ),
    Hint(
        "sts-refused",
        r"received error code 4\d\d from STS",
        Retry.PERMANENT,
        "STS refused the identity from {provider}: check that its account and partition fit region {region}",
    ),
    Hint(
        "sts-unreachable",
        r"error making upstream request|error making request",
        Retry.TRANSIENT,
        "Vault could not reach STS: check its network and sts_endpoint in auth/{mount}/config/client",
    ),
    # --- the server-id header
    Hint(
        "header-missing",
        r"error validating X-Vault-AWS-IAM-Server-ID header: missing header|missing header \"?X-Vault-AWS",
        Retry.PERMANENT,
        "this Vault demands the header: set header_value to iam_server_id_header_value of auth/{mount}/config/client",
    ),
    Hint(
        "header-wrong",
        r"error validating X-Vault-AWS-IAM-Server-ID header: expected",
        Retry.PERMANENT,
        "header_value differs from iam_server_id_header_value of auth/{mount}/config/client",
    ),
    Hint(
        "header-unsigned",
        r"vault header wasn't signed|missing Authorization header|error validating X-Vault-AWS-IAM-Server-ID",
        Retry.PERMANENT,
        "something between this host and Vault changed the signed request: check proxies and gateways",
    ),
    Hint(
        "header-not-allowed",
        r"invalid request header",
        Retry.PERMANENT,
        "Vault does not allow this header: a gateway adds it, or allowed_sts_header_values in"
        " auth/{mount}/config/client must list it",
    ),
    # --- role and principal
    Hint(
        "unknown-role",
        r"entry for role .{1,200} not found",
        Retry.PERMANENT,
        "there is no role {role} at auth/{mount}: check role, mount_path and namespace",
    ),
    Hint(
        "wrong-type",
        r"auth method (?:ec2|iam) not allowed for role",
        Retry.PERMANENT,
        "role {role} is of the other type: set type to that of the role's auth_type, or use another role",
    ),
    Hint(
        "principal-not-bound",
        r"IAM Principal .{1,2000} does not belong to the role|is not bound to role",
        Retry.PERMANENT,
        "the identity from {provider} is not in bound_iam_principal_arn of role {role}: add its ARN there, or use other"
        " credentials; if its ARN is there, the IAM user or role was deleted and created again since: write role {role}"
        " again",
    ),
    Hint(
        "renewal-not-bound",
        r"no longer bound to ARN|role entry not found",
        Retry.PERMANENT,
        "the Vault role that the token is of has changed or is gone (or the IAM user or role was deleted and created"
        " again): log in again",
        of_login=False,
    ),
    Hint(
        "principal-lookup",
        r"error looking up full ARN|error fetching (?:user|role) ",
        Retry.TRANSIENT,
        "Vault cannot look the identity up, which role {role} needs for its wildcard: allow iam:GetUser and iam:GetRole"
        " to Vault's AWS identity",
    ),
    # --- ec2
    Hint(
        "nonce-mismatch",
        r"client nonce mismatch",
        Retry.PERMANENT,
        "this instance has logged in before with another nonce: log in with that nonce, or let an operator delete"
        " auth/{mount}/identity-accesslist/{instance} (if an agent runs on this host, it holds the nonce: read its"
        " token sink instead)",
    ),
    Hint(
        "reauthentication-disabled",
        r"reauthentication is disabled",
        Retry.PERMANENT,
        "role {role} (or an empty nonce at the first login) allows this instance one login only: an operator can delete"
        " auth/{mount}/identity-accesslist/{instance}",
    ),
    Hint(
        "document-outdated",
        r"instance meta-data is older",
        Retry.PERMANENT,
        "the identity document is older than that of an earlier login: was this machine restored from a copy?",
    ),
    Hint(
        "instance-not-running",
        r"instance is not in 'running' state",
        Retry.TRANSIENT,
        "EC2 does not show the instance as running (yet): wait, or check that this is the instance it says it is",
    ),
    Hint(
        "config-client",
        r"NoCredentialProviders|could not compile valid credential|could not (?:obtain|configure) \w+ client"
        r"|error getting configuration|unable to fetch configuration",
        Retry.PERMANENT,
        "Vault has no AWS credentials of its own, with which it would look the instance up: write them to"
        " auth/{mount}/config/client, or run Vault with an instance role",
    ),
    Hint(
        "instance-client",
        r"unable to fetch client|default client is for account",
        Retry.PERMANENT,
        "the instance is in another account than Vault's AWS identity: configure auth/{mount}/config/sts/<account>",
    ),
    Hint(
        "instance-unknown",
        r"failed to verify instance ID|error fetching description|as a valid EC2 instance in region",
        Retry.TRANSIENT,
        "EC2 does not show the instance to Vault: a new instance takes some seconds; else check the permission"
        " ec2:DescribeInstances of Vault's AWS identity and the account",
    ),
    Hint(
        "instance-not-bound",
        r"(?:does not belong|does not satisfy|constraint on role|belong to the role)",
        Retry.PERMANENT,
        "the instance is outside what role {role} is bound to: compare the role's bound_* parameters with the instance",
    ),
    Hint(
        "role-tag",
        r"missing tag with key|role on the tag|role tag is|policies on the role tag|verify the role tag",
        Retry.PERMANENT,
        "role {role} demands a role tag on the instance: set the tag that its role_tag names, with a value that"
        " auth/{mount}/role/{role}/tag made for this instance",
    ),
    Hint(
        "document-signature",
        r"instance identity verification using SHA256 RSA signature is unsuccessful|failed to verify the signature"
        r"|No certificate for signer|Message digest mismatch|unsupported algorithm|failed to parse the BER"
        r"|identity document signature|failed to verify identity",
        Retry.PERMANENT,
        "no certificate at auth/{mount}/config/certificate fits the document: register the region's AWS certificate"
        " (type identity, or pkcs7 for signature_type pkcs7 and rsa2048), or try another signature_type",
    ),
    Hint(
        "document-garbled",
        r"failed to base64 decode|missing instance identity document|failed to parse the instance identity",
        Retry.PERMANENT,
        "the metadata service's document does not reach Vault whole: check what answers at the metadata endpoint",
    ),
    # --- Vault itself
    Hint("sealed", r"Vault is sealed|OpenBao is sealed|is sealed", Retry.TRANSIENT, "an operator must unseal it", 503),
    Hint(
        "standby",
        r"standby|no active|node not active|active cluster node",
        Retry.TRANSIENT,
        "the cluster has no active node at the moment, or this node cannot reach it: try again, or use the cluster's"
        " load-balanced address as url",
    ),
    Hint(
        "not-initialized",
        r"not initialized|barrier not initialized",
        Retry.PERMANENT,
        "this server was never initialised: is url the right one?",
    ),
    Hint(
        "rate-limit",
        r"",
        Retry.TRANSIENT,
        "the server's rate limit quota is used up: log in less often, or raise the quota",
        429,
    ),
    Hint(
        "no-mount",
        r"no handler for route|unsupported path|route entry not found",
        Retry.PERMANENT,
        "nothing is mounted at auth/{mount}: check mount_path and namespace",
    ),
    Hint(
        "no-namespace",
        r"namespace not found|no such namespace",
        Retry.PERMANENT,
        "check namespace",
    ),
    Hint(
        "missing-values",
        r"didn't supply required authentication values|supplied auth values for both",
        Retry.PERMANENT,
        "a gateway changed the login request: check proxies in front of Vault",
    ),
    Hint(
        "forbidden",
        r"",
        Retry.PERMANENT,
        "check mount_path and namespace (Vault answers 403 for a mount that is not there), token_bound_cidrs of role"
        " {role}, and the policies",
        403,
        of_login=True,
    ),
    Hint(
        "token-refused",
        r"",
        Retry.PERMANENT,
        "the token is revoked, expired or unknown to this server, or its policies forbid this",
        403,
        of_login=False,
    ),
    Hint("not-found", r"", Retry.PERMANENT, "check url, mount_path and namespace: this path does not exist there", 404),
)


def find(status: int, text: str, *, of_login: bool) -> Hint | None:
    """Return the first row that fits the answer's HTTP status and text, or None."""
    for row in ROWS:
        fits = row.status in (None, status) and row.of_login in (None, of_login)
        if fits and re.search(row.pattern, text, re.IGNORECASE | re.DOTALL):
            return row
    return None
