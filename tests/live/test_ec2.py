# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ec2 logins: each form of the proof, and the nonce that makes this client the owner of the instance's entry."""

from __future__ import annotations

import uuid

import pytest

from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.errors import (
    ConfigError,
    MetadataError,
    Retry,
    VaultError,
)
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.token import Standing
from tests.live.core import client, ec2, log, token_of
from tests.stack.handle import Stack

DOCUMENT = "/latest/dynamic/instance-identity/document"
TOKEN = "/latest/api/token"


@pytest.mark.parametrize("kind", ["identity", "pkcs7", "rsa2048"])
def test_login(stack: Stack, instance: str, kind: str) -> None:
    """Each proof logs in, with a nonce of its own; that nonce logs in again, by any proof, another does not."""
    first = log(stack, ec2(signature_type=kind))
    assert first.nonce is not None
    assert uuid.UUID(first.nonce).version == 4
    assert first.nonce not in repr(first)
    assert (first.identity.type, first.identity.provider) == ("ec2", "instance-identity")
    assert (first.identity.instance_id, first.identity.account_id) == (instance, stack.env["STACK_ACCOUNT_ID"])
    assert first.identity.region == stack.env["STACK_REGION"]
    assert first.identity.arn is None
    token = token_of(first)
    assert stack.vault.call("GET", "secret/data/demo", token=token.client_token).status == 200
    again = log(stack, ec2(nonce=first.nonce))
    assert again.nonce is None  # it is the user's own
    with client(stack) as vault:
        assert vault.standing(token)[0] is Standing.LIVE
    with pytest.raises(VaultError) as caught:
        log(stack, ec2(signature_type=kind))
    assert caught.value.retry is Retry.PERMANENT
    assert f"auth/aws/identity-accesslist/{instance}" in caught.value.hint
    assert "agent" in caught.value.hint
    assert first.nonce not in str(caught.value)


def test_wrong_nonce_stays_hidden(stack: Stack, instance: str) -> None:
    """A refused nonce is repeated nowhere."""
    log(stack, ec2())
    wrong = str(uuid.uuid4())
    with pytest.raises(VaultError, match="client nonce mismatch") as caught:
        log(stack, ec2(nonce=wrong))
    assert wrong not in str(caught.value)
    assert instance in str(caught.value)


def test_empty_nonce(stack: Stack, instance: str) -> None:
    """An empty nonce would end re-authentication for good, so it never gets that far."""
    before = stack.requests()
    with pytest.raises(ConfigError, match="nonce: is empty, which would switch off re-authentication"):
        ec2(nonce="")
    assert stack.requests() == before
    assert log(stack, ec2()).nonce
    assert instance


def test_nonce_that_somebody_chose(stack: Stack, instance: str) -> None:
    """The first nonce is kept as it was sent, blanks, quotes and all."""
    nonce = "a nonce of 'ours' with \"quotes\" and ümlauts"
    assert log(stack, ec2(nonce=nonce)).nonce is None
    entry = stack.root("GET", f"auth/aws/identity-accesslist/{instance}")["data"]
    assert entry["client_nonce"] == nonce
    assert log(stack, ec2(nonce=nonce)).login.token


def test_role_migrate(stack: Stack, instance: str) -> None:
    """Stopped and started, the instance may come with a new nonce once; the entry keeps the first one for ever."""
    first, second = str(uuid.uuid4()), str(uuid.uuid4())
    log(stack, ec2(role="node-migrate", nonce=first))
    with pytest.raises(VaultError, match="client nonce mismatch and instance meta-data incorrect"):
        log(stack, ec2(role="node-migrate", nonce=second))
    stack.imds(instance, pending_time="2027-02-01T00:00:00Z")
    log(stack, ec2(role="node-migrate", nonce=second))
    with pytest.raises(VaultError, match="client nonce mismatch"):
        log(stack, ec2(role="node-migrate", nonce=second))
    log(stack, ec2(role="node-migrate", nonce=first))


def test_role_once(stack: Stack, instance: str) -> None:
    """A role may allow an instance one login: the next is refused even with the right nonce."""
    done = log(stack, ec2(role="node-once"))
    with pytest.raises(VaultError, match=r"reauthentication is disabled.*one login only") as caught:
        log(stack, ec2(role="node-once", nonce=done.nonce))
    assert f"identity-accesslist/{instance}" in caught.value.hint


def test_role_profile(stack: Stack, instance: str) -> None:
    """The role may ask for the instance's profile."""
    assert log(stack, ec2(role="node-profile")).identity.instance_id == instance


def test_wrapped(stack: Stack, instance: str) -> None:
    """A wrapped ec2 login tells the instance from its document, and the nonce beside the wrapping token."""
    done = log(stack, ec2(wrap_ttl=60))
    assert done.login.wrapped is not None
    assert done.nonce
    assert done.identity.instance_id == instance


def test_open_mount_and_namespace(stack: Stack, instance: str) -> None:
    """Each mount and namespace has an access list of its own."""
    for mount, namespace in (("aws", ""), ("aws-open", ""), ("aws", "team")):
        stack.delete_accesslist(instance, mount, namespace or None)
        assert log(stack, ec2(mount_path=mount), namespace=namespace).nonce
        stack.delete_accesslist(instance, mount, namespace or None)


def test_retries_send_the_same_nonce(stack: Stack, instance: str) -> None:
    """An attempt that failed half-way may have stored the nonce, so the next one must send the same."""
    stack.aws_fault("error", service="ec2", count=2)  # Vault tries twice itself
    done = log(stack, ec2(), retries=3)
    assert done.nonce
    entry = stack.root("GET", f"auth/aws/identity-accesslist/{instance}")["data"]
    assert entry["client_nonce"] == done.nonce


# ---- the metadata service


def refused(stack: Stack) -> MetadataError:
    """The error of a login that ends at the metadata service, without a request to Vault."""
    before = stack.requests()
    with pytest.raises(MetadataError) as caught:
        log(stack, ec2())
    assert stack.requests() == before
    return caught.value


def test_hop_limit(stack: Stack, instance: str) -> None:
    """The token's answer does not arrive: the error says hop limit and how to raise it; version 1 helps if it is on."""
    stack.imds(instance, hop_limit=True)
    error = refused(stack)
    assert "its token answer does not arrive" in error.what
    assert "--http-put-response-hop-limit 2" in error.hint
    assert error.retry is Retry.TRANSIENT
    stack.imds(instance, v1=True)
    assert log(stack, ec2()).identity.instance_id == instance


def test_version_1_can_be_forbidden(stack: Stack, instance: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS_EC2_METADATA_V1_DISABLED keeps a hop limit from being answered with the weaker version."""
    stack.imds(instance, hop_limit=True, v1=True)
    monkeypatch.setenv("AWS_EC2_METADATA_V1_DISABLED", "true")
    assert "--http-put-response-hop-limit" in refused(stack).hint


def test_switched_off(stack: Stack, instance: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Switched off for the instance, or by the environment: each says which."""
    stack.imds(instance, disabled=True)
    assert "--http-endpoint enabled" in refused(stack).hint
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    assert "AWS_EC2_METADATA_DISABLED" in refused(stack).what


def test_no_service(stack: Stack, monkeypatch: pytest.MonkeyPatch, closed_port: int) -> None:
    """Not on EC2: the error says so, and what to use instead."""
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", f"http://127.0.0.1:{closed_port}")
    error = refused(stack)
    assert "there is no instance metadata service" in error.what
    assert "use type iam" in error.hint


GARBAGE = [
    (DOCUMENT, {"body": "<html>a captive portal</html>"}, "document is garbled"),
    (DOCUMENT, {"body": "{}"}, "document is garbled"),
    (DOCUMENT, {"body": '["a list"]'}, "document is garbled"),
    (DOCUMENT, {"body": "[" * 60000}, "document is garbled"),
    (DOCUMENT, {"body": "x" * 70000}, "over 65536 bytes"),
    (DOCUMENT, {"body": ""}, "gave HTTP 200"),
    (DOCUMENT, {"status": 404, "body": "no"}, "has no dynamic/instance-identity/document"),
    (DOCUMENT, {"status": 500, "body": "no"}, "gave HTTP 500"),
    (f"{DOCUMENT[:-8]}signature", {"body": "ünpräntäble"}, "signature is not base64"),
    (f"{DOCUMENT[:-8]}signature", {"status": 429, "body": "slow down"}, "gave HTTP 429"),
    (TOKEN, {"body": "a\x01b"}, "session token is garbled"),
    (TOKEN, {"status": 400, "body": "Bad Request"}, "gave no session token (HTTP 400)"),
    (TOKEN, {"status": 302, "body": ""}, "gave no session token (HTTP 302)"),
]


@pytest.mark.parametrize(("path", "answer", "words"), GARBAGE, ids=[row[2] for row in GARBAGE])
def test_garbage(stack: Stack, instance: str, path: str, answer: dict[str, str | int], words: str) -> None:
    """Whatever answers in the service's place ends in an error that names it, before any login."""
    stack.imds(instance, overrides={path: answer})
    error = refused(stack)
    assert words in str(error)
    assert len(str(error)) < 500


def test_wrong_settings(stack: Stack, instance: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting of the SDK that is none is named."""
    monkeypatch.setenv("AWS_METADATA_SERVICE_TIMEOUT", "soon")
    assert "a metadata setting of the AWS configuration is wrong" in refused(stack).what
    assert instance


@pytest.mark.parametrize("tamper", ["document", "signature"])
@pytest.mark.parametrize("kind", ["identity", "pkcs7", "rsa2048"])
def test_tampered(stack: Stack, instance: str, kind: str, tamper: str) -> None:
    """An altered proof is refused, and the hint names the certificate."""
    stack.imds(instance, tamper=tamper)
    with pytest.raises(VaultError, match="auth/aws/config/certificate") as caught:
        log(stack, ec2(signature_type=kind))
    assert caught.value.retry is Retry.PERMANENT
