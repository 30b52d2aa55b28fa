# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The signed GetCallerIdentity: known answers at a fixed clock, and nothing in it that need not be."""

from __future__ import annotations

import base64
import datetime
import hashlib
import hmac
import json
import logging
import typing as t

import botocore.auth
import pytest

from ansible_collections.vaultfleet.aws.plugins.module_utils._auth import iam
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.config import LoginConfig
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.credentials import Credentials
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.endpoints import sts_target
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.request import LoginRequest

BODY = "Action=GetCallerIdentity&Version=2011-06-15"
TIME = "20261121T120000Z"
KEY, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"  # AWS's own example keys


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> dict[str, datetime.datetime]:
    """Botocore's clock, which a test can move."""
    now = {"now": datetime.datetime(2026, 11, 21, 12, 0, 0)}  # noqa: DTZ001 - naive UTC, as botocore has it

    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *_args, **_kwargs: now["now"])
    return now


def request(region: str | None = None, token: str | None = None, **options: t.Any) -> LoginRequest:
    """The login request for the example keys."""
    config = LoginConfig.from_options({"type": "iam", "role": "web", **options})
    target = sts_target(region, config.sts_endpoint)
    return iam.login_request(config, Credentials(KEY, SECRET, token, "static"), target)


def decoded(login: LoginRequest, field: str) -> str:
    """A field of the body as Vault sees it."""
    return base64.b64decode(login.body[field], validate=True).decode()


def headers(login: LoginRequest) -> dict[str, str]:
    """The headers that Vault sends on, each of which must have one value."""
    found: dict[str, list[str]] = json.loads(decoded(login, "iam_request_headers"))
    assert all(isinstance(values, list) and len(values) == 1 for values in found.values())
    return {name: values[0] for name, values in found.items()}


def signature(host: str, region: str, signed: dict[str, str]) -> str:
    """SigV4 as AWS's general reference spells it out, written anew here."""
    day = TIME[:8]
    scope = f"{day}/{region}/sts/aws4_request"
    everything = {"host": host, **{name.lower(): value.strip() for name, value in signed.items()}}
    names = ";".join(sorted(everything))
    canonical = "\n".join(
        [
            "POST",
            "/",
            "",
            *(f"{name}:{everything[name]}" for name in sorted(everything)),
            "",
            names,
            hashlib.sha256(BODY.encode()).hexdigest(),
        ]
    )
    to_sign = "\n".join(["AWS4-HMAC-SHA256", TIME, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{SECRET}".encode()
    for part in (day, region, "sts", "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    made = hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()
    return f"AWS4-HMAC-SHA256 Credential={KEY}/{scope}, SignedHeaders={names}, Signature={made}"


@pytest.mark.parametrize(
    ("region", "token", "header_value"),
    [
        (None, None, None),
        ("eu-central-1", None, "vault.example.org"),
        ("eu-central-1", "FwoGZXIvYXdzEXAMPLE/+=", None),
        ("cn-north-1", "FwoGZXIvYXdzEXAMPLE/+=", "two  words"),
    ],
)
def test_signature(region: str | None, token: str | None, header_value: str | None) -> None:
    """Exactly the headers that must be signed are sent, and the signature is the one of AWS's rules."""
    login = request(region, token, header_value=header_value)
    target = sts_target(region, "auto")
    found = headers(login)
    authorization = found.pop("Authorization")
    expected = {
        "Content-Type": "application/x-www-form-urlencoded; charset=utf-8",
        "Content-Length": str(len(BODY)),
        "Host": target.host,
        "X-Amz-Date": TIME,
    }
    if token:
        expected["X-Amz-Security-Token"] = token
    if header_value:
        expected["X-Vault-AWS-IAM-Server-ID"] = header_value
    assert found == expected
    # Inner runs of blanks count once in a canonical request.
    signed = {name: " ".join(value.split()) for name, value in expected.items()}
    assert authorization == signature(target.host, target.region, signed)
    assert "x-vault-aws-iam-server-id" in authorization or not header_value


def test_known_answer() -> None:
    """A literal, so that this test and the code cannot be wrong together."""
    assert headers(request("us-east-1"))["Authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261121/us-east-1/sts/aws4_request,"
        " SignedHeaders=content-length;content-type;host;x-amz-date,"
        " Signature=0efd1ff3a915a979d286ab12b6564d17b6971ffbeb3b2b8eccaa94c0245df527"
    )


def test_body() -> None:
    """POST only, without a query, and the fields that Vault wants."""
    login = request("eu-central-1")
    assert set(login.body) == {
        "role", "iam_http_request_method", "iam_request_url", "iam_request_body", "iam_request_headers",
    }  # fmt: skip
    assert login.body["role"] == "web"
    assert login.body["iam_http_request_method"] == "POST"
    assert decoded(login, "iam_request_url") == "https://sts.eu-central-1.amazonaws.com/"
    assert decoded(login, "iam_request_body") == BODY
    assert login.facts["sts_host"] == "sts.eu-central-1.amazonaws.com"
    assert login.facts["region"] == "eu-central-1"


def test_endpoint_url() -> None:
    """URL, Host and scope follow a URL that was given."""
    login = request(None, sts_endpoint="https://sts-fips.us-west-2.amazonaws.com")
    assert decoded(login, "iam_request_url") == "https://sts-fips.us-west-2.amazonaws.com/"
    assert headers(login)["Host"] == "sts-fips.us-west-2.amazonaws.com"
    assert "/us-west-2/sts/" in headers(login)["Authorization"]


def test_each_is_signed_anew(clock: dict[str, datetime.datetime]) -> None:
    """A later request has a later date and another signature."""
    first = headers(request())
    clock["now"] += datetime.timedelta(seconds=1)
    second = headers(request())
    assert first["X-Amz-Date"] < second["X-Amz-Date"]
    assert first["Authorization"] != second["Authorization"]


def test_secrets_are_known() -> None:
    """What the server might repeat is listed for masking: the keys, and the signed headers, good for 15 minutes."""
    login = request(token="session-token")
    assert {SECRET, "session-token", login.body["iam_request_headers"]} <= set(login.secrets)


def test_nothing_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Botocore logs canonical requests at DEBUG, session token included; not ours, even where nothing ran before."""
    logger = logging.getLogger("botocore")
    before = logger.level
    logger.setLevel(logging.NOTSET)
    try:
        with caplog.at_level(logging.DEBUG):
            request(token="session-token-canary")
    finally:
        logger.setLevel(before)
    assert "session-token-canary" not in caplog.text
