# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One login from options to token: which region is signed for, who it was, and what is sent."""

from __future__ import annotations

import base64
import dataclasses
import json
import os
import typing as t
import uuid
from pathlib import Path

import botocore.session
import pytest

from ansible_collections.vaultfleet.aws.plugins.module_utils._auth import ec2, imds
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.config import LoginConfig
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.errors import (
    ConfigError,
    CredentialsError,
    MetadataError,
    VaultError,
)
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.imds import IdentityDocument
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.login import (
    Identity,
    check,
    log_in,
    signing_target,
)
from ansible_collections.vaultfleet.aws.tests.unit.support.vaults import AUTH, LOGIN, plain_vault_at
from ansible_collections.vaultfleet.aws.tests.unit.support.web import Reply, Seen, Web

KEYS = {"access_key": "AKIAEXAMPLE", "secret_key": "static-secret-key"}
DOCUMENT = IdentityDocument(b'{"a": 1}\n', "proof", "identity", "i-1", "123456789012", "eu-west-1")


SDK = {
    "AWS_ENDPOINT_URL": "https://x.test",
    "AWS_ENDPOINT_URL_STS": "https://x.test",
    "AWS_USE_FIPS_ENDPOINT": "true",
    "AWS_USE_DUALSTACK_ENDPOINT": "true",
}


def config(**options: t.Any) -> LoginConfig:
    """A judged iam login, unless another type is given."""
    return LoginConfig.from_options({"type": "iam", "role": "web", **options})


def sent(seen: Seen) -> tuple[str, str, str]:
    """URL, Host and scope of the identity request that a login carried."""
    url = base64.b64decode(seen.json["iam_request_url"]).decode()
    headers = json.loads(base64.b64decode(seen.json["iam_request_headers"]))
    return url, headers["Host"][0], headers["Authorization"][0].split("/")[2]


US = ("https://sts.amazonaws.com/", "sts.amazonaws.com", "us-east-1")


def eu(region: str) -> tuple[str, str, str]:
    """The regional endpoint."""
    return f"https://sts.{region}.amazonaws.com/", f"sts.{region}.amazonaws.com", region


@pytest.mark.parametrize("sdk", [{}, SDK])
@pytest.mark.parametrize(
    ("variables", "region", "expected"),
    [
        ({}, None, US),
        ({"AWS_REGION": "eu-west-1"}, None, US),
        ({"AWS_DEFAULT_REGION": "eu-west-2"}, None, US),
        ({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-2"}, None, US),
        ({}, "eu-central-1", eu("eu-central-1")),
        ({"AWS_REGION": "eu-west-1"}, "eu-central-1", eu("eu-central-1")),
        ({"AWS_DEFAULT_REGION": "eu-west-2"}, "eu-central-1", eu("eu-central-1")),
        ({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-2"}, "eu-central-1", eu("eu-central-1")),
        ({"AWS_REGION": "eu-west-1"}, "auto", eu("eu-west-1")),
        ({"AWS_DEFAULT_REGION": "eu-west-2"}, "auto", eu("eu-west-2")),
        ({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-2"}, "auto", eu("eu-west-1")),
        ({"AWS_REGION": "us-east-1"}, "auto", US),
    ],
)
def test_region(
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    sdk: dict[str, str],
    region: str | None,
    expected: tuple[str, str, str],
) -> None:
    """URL, Host and scope on the wire; only region ``auto`` reads the environment, the SDK's endpoints never count."""
    for name, value in {**variables, **sdk}.items():
        monkeypatch.setenv(name, value)
    with Web(Reply(body=LOGIN)) as web, plain_vault_at(web.url) as vault:
        done = log_in(config(**KEYS, region=region), vault)
    assert sent(web.seen[0]) == expected
    assert done.identity.region == expected[2]


def test_region_of_the_configuration_and_the_metadata(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the environment comes the profile's region, then the instance's."""
    folder = Path(os.environ["HOME"]) / ".aws"
    folder.mkdir()
    (folder / "config").write_text("[profile dev]\nregion = eu-west-3\n", encoding="utf-8")
    assert signing_target(config(region="auto", profile="dev")).region == "eu-west-3"
    monkeypatch.setattr(imds, "instance_region", lambda: "ap-south-1")
    assert signing_target(config(region="auto")).region == "ap-south-1"


def test_no_region(monkeypatch: pytest.MonkeyPatch) -> None:
    """All sources are named, and the cure."""
    with pytest.raises(ConfigError, match="AWS_EC2_METADATA_DISABLED") as caught:
        signing_target(config(region="auto"))
    assert caught.value.option == "region"
    assert caught.value.hint == "set region"
    monkeypatch.setattr(imds, "instance_region", lambda: "<html>")
    with pytest.raises(ConfigError, match="no AWS partition"):
        signing_target(config(region="auto"))


def test_region_of_a_missing_profile() -> None:
    """An error of ours."""
    with pytest.raises(CredentialsError, match="'nope' does not exist"):
        signing_target(config(region="auto", profile="nope"))


def test_check(monkeypatch: pytest.MonkeyPatch) -> None:
    """What can be judged without a request is judged first; ``auto`` would need one."""
    with pytest.raises(ConfigError):
        check(config(region="nowhere"))
    with pytest.raises(ConfigError):
        check(config(region="eu-west-1", sts_endpoint="https://sts.eu-west-2.amazonaws.com"))

    def asked() -> str:
        raise AssertionError("the metadata was asked")

    monkeypatch.setattr(imds, "instance_region", asked)
    check(config(region="auto"))
    check(config(type="ec2"))


def test_iam_identity() -> None:
    """Who it was, as far as the answer tells."""
    with Web(Reply(body=LOGIN)) as web, plain_vault_at(web.url) as vault:
        done = log_in(config(**KEYS), vault)
    assert done.identity == Identity(
        "iam", "static", "123456789012", "arn:aws:iam::123456789012:user/client", None, "us-east-1"
    )
    assert done.nonce is None


@pytest.mark.parametrize("metadata", [None, {}, {"inferred_entity_id": ""}, ["x"], "x"])
def test_iam_identity_that_is_not_told(metadata: object) -> None:
    """None is not known."""
    with Web(Reply(body={"auth": {**AUTH, "metadata": metadata}})) as web, plain_vault_at(web.url) as vault:
        done = log_in(config(**KEYS), vault)
    assert (done.identity.account_id, done.identity.arn, done.identity.instance_id) == (None, None, None)


def test_rotated_keys_after_a_refused_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials are found once, and anew when the signature was refused as expired."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAOLD")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    refusals = [
        Reply(503),
        Reply(400, {"errors": ["received error code 403 from STS: ExpiredToken"]}),
        Reply(503),
        Reply(body=LOGIN),
    ]
    keys: list[str] = []

    def answer(seen: Seen) -> Reply:
        headers = json.loads(base64.b64decode(seen.json["iam_request_headers"]))
        keys.append(headers["Authorization"][0].partition("Credential=")[2].partition("/")[0])
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIANEW")
        return refusals[len(keys) - 1]

    with Web(answer) as web, plain_vault_at(web.url) as vault:
        log_in(config(), vault)
    assert keys == ["AKIAOLD", "AKIAOLD", "AKIANEW", "AKIANEW"]


def test_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looked for again, as a role may come late, and nothing is sent without."""
    found: list[int] = []
    monkeypatch.setattr(botocore.session.Session, "get_credentials", lambda _self: found.append(1))
    with Web(Reply(body=LOGIN)) as web, plain_vault_at(web.url, retries=1) as vault, pytest.raises(CredentialsError):
        log_in(config(), vault)
    assert web.seen == []
    assert len(found) == 2


@pytest.mark.parametrize("signature_type", ["identity", "pkcs7", "rsa2048"])
def test_ec2(monkeypatch: pytest.MonkeyPatch, signature_type: str) -> None:
    """The proof in its field, a new nonce that is told, and the same nonce in each attempt."""
    monkeypatch.setattr(imds, "identity_document", lambda kind: dataclasses.replace(DOCUMENT, signature_type=kind))
    with Web([Reply(503), Reply(body=LOGIN)]) as web, plain_vault_at(web.url) as vault:
        done = log_in(config(type="ec2", signature_type=signature_type), vault)
    first, second = (seen.json for seen in web.seen)
    assert first == second
    assert first.pop("nonce") == done.nonce
    assert str(uuid.UUID(done.nonce)) == done.nonce
    if signature_type == "identity":
        assert first == {"role": "web", "identity": "eyJhIjogMX0K", "signature": "proof"}
    else:
        assert first == {"role": "web", "pkcs7": "proof"}
    assert done.identity == Identity("ec2", "instance-identity", "123456789012", None, "i-1", "eu-west-1")


def test_ec2_with_a_nonce(monkeypatch: pytest.MonkeyPatch) -> None:
    """A given one is sent, and not told again; a refusal that repeats it does not show it."""
    monkeypatch.setattr(imds, "identity_document", lambda _kind: DOCUMENT)
    echo = Reply(400, {"errors": ["client nonce mismatch: nonce-canary"]})
    with Web([Reply(body=LOGIN), echo]) as web, plain_vault_at(web.url) as vault:
        assert log_in(config(type="ec2", nonce="nonce-canary"), vault).nonce is None
        with pytest.raises(VaultError) as caught:
            log_in(config(type="ec2", nonce="nonce-canary"), vault)
    assert web.seen[0].json["nonce"] == "nonce-canary"
    assert "canary" not in str(caught.value)
    assert "auth/aws/identity-accesslist/i-1" in caught.value.hint


def test_ec2_facts() -> None:
    """For hints; the nonce is for masking."""
    request = ec2.login_request(config(type="ec2"), DOCUMENT, "nonce")
    assert request.facts["instance"] == "i-1"
    assert "nonce" in request.secrets


def test_ec2_without_metadata() -> None:
    """Its error comes through, and nothing is sent."""
    with (
        Web(Reply(body=LOGIN)) as web,
        plain_vault_at(web.url) as vault,
        pytest.raises(MetadataError, match="switched off"),
    ):
        log_in(config(type="ec2"), vault)
    assert web.seen == []


def test_wrapped() -> None:
    """A wrapped login tells the identity that is known without the answer."""
    answer = {"wrap_info": {"token": "hvs.w", "accessor": "a", "ttl": 60, "creation_path": "auth/aws/login"}}
    with Web(Reply(body=answer)) as web, plain_vault_at(web.url) as vault:
        done = log_in(config(**KEYS, wrap_ttl=60), vault)
    assert done.login.token is None
    assert done.identity.account_id is None
