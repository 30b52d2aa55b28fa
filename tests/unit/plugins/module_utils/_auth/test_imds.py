# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The instance metadata service, and an error of its own for each way to fail."""

from __future__ import annotations

import dataclasses
import json
import time
import typing as t

import pytest

from ansible_collections.vaultfleet.aws.plugins.module_utils._auth import imds
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.errors import MetadataError, Retry
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.imds import identity_document, instance_region
from ansible_collections.vaultfleet.aws.tests.unit.support.web import Reply, Seen, Web, closed_port, drip, hang

FACTS = {"instanceId": "i-0123456789abcdef0", "accountId": "123456789012", "region": "eu-central-1"}
DOCUMENT = (json.dumps(FACTS, indent=2) + "\n").encode()  # its white space is signed too
IDENTITY = "/latest/dynamic/instance-identity/"
Answers = dict[str, t.Any]
SERVICE = imds._service
SILENT = hang(60)
PATIENT, IMPATIENT = 10.0, 0.5  # seconds; the SDK's own variable takes whole ones only


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Switched on, and patient: an answer that a busy machine gives late is no fault."""
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
    wait(monkeypatch, PATIENT)


def wait(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Wait so long for each answer."""
    monkeypatch.setattr(imds, "_service", lambda: dataclasses.replace(SERVICE(), timeout=seconds))


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> t.Iterator[t.Callable[..., Web]]:
    """Start a service whose answers a test may replace, by path."""
    running: list[Web] = []

    def start(**changed: t.Any) -> Web:
        names = {
            "token": "/latest/api/token", "document": IDENTITY + "document", "signature": IDENTITY + "signature",
            "pkcs7": IDENTITY + "pkcs7", "rsa2048": IDENTITY + "rsa2048",
            "instance_id": "/latest/meta-data/instance-id", "region": "/latest/meta-data/placement/region",
        }  # fmt: skip
        replies: Answers = {
            "token": Reply(body=b"imds-token"),
            "document": Reply(body=DOCUMENT),
            "signature": Reply(body=b"c2lnbmF0\ndXJl"),
            "pkcs7": Reply(body=b"cGtjczc=\n"),
            "rsa2048": Reply(body=b"cnNhMjA0OA=="),
            "instance_id": Reply(body=b"i-1"),
            "region": Reply(body=b"eu-central-1\n"),
            **changed,
        }
        by_path = {names[name]: reply for name, reply in replies.items()}
        counts: dict[str, int] = {}

        def answer(seen: Seen) -> Reply:
            reply = by_path.get(seen.path, Reply(404))
            if isinstance(reply, list):
                counts[seen.path] = counts.get(seen.path, 0) + 1
                reply = reply[min(counts[seen.path], len(reply)) - 1]
            return t.cast(Reply, reply)

        if any(one.raw for reply in changed.values() for one in (reply if isinstance(reply, list) else [reply])):
            wait(monkeypatch, IMPATIENT)  # as something will not be answered
        web = Web(answer)
        web.__enter__()
        running.append(web)
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", web.url)
        return web

    yield start
    for web in running:
        web.__exit__()


def fails(match: str, signature_type: str = "identity") -> MetadataError:
    """The error of asking for a document, which must fit ``match``."""
    with pytest.raises(MetadataError, match=match) as caught:
        identity_document(signature_type)
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("signature_type", "proof"),
    [("identity", "c2lnbmF0dXJl"), ("pkcs7", "cGtjczc="), ("rsa2048", "cnNhMjA0OA==")],
)
def test_version_2(serve: t.Callable[..., Web], signature_type: str, proof: str) -> None:
    """A session token first, which goes with each request; the document's bytes as they are, the proof on one line."""
    web = serve()
    found = identity_document(signature_type)
    assert (found.document, found.proof, found.signature_type) == (DOCUMENT, proof, signature_type)
    assert (found.instance_id, found.account_id, found.region) == tuple(FACTS.values())
    assert web.seen[0].method == "PUT"
    assert web.seen[0].headers["x-aws-ec2-metadata-token-ttl-seconds"] == "300"
    assert [seen.headers.get("x-aws-ec2-metadata-token") for seen in web.seen[1:]] == ["imds-token"] * 2


def test_region(serve: t.Callable[..., Web]) -> None:
    """The region alone."""
    serve()
    assert instance_region() == "eu-central-1"


@pytest.mark.parametrize("answer", [SILENT, Reply(404), Reply(405)])
def test_version_1(serve: t.Callable[..., Web], answer: Reply) -> None:
    """Where no session token comes, and version 1 is allowed and answers."""
    web = serve(token=answer)
    assert identity_document("identity").instance_id == FACTS["instanceId"]
    assert "x-aws-ec2-metadata-token" not in web.seen[-1].headers


@pytest.mark.parametrize("refusal", [Reply(401), SILENT])
def test_hop_limit(serve: t.Callable[..., Web], refusal: Reply) -> None:
    """The token's answer is dropped, and version 1 is off: the one case of a container behind a hop limit of 1."""
    serve(token=SILENT, instance_id=refusal)
    error = fails("its token answer does not arrive")
    assert "--http-put-response-hop-limit 2" in error.hint


def test_hop_limit_with_version_1_switched_off_here(
    monkeypatch: pytest.MonkeyPatch, serve: t.Callable[..., Web]
) -> None:
    """The SDK's own setting against version 1 is obeyed."""
    monkeypatch.setenv("AWS_EC2_METADATA_V1_DISABLED", "true")
    web = serve(token=SILENT)
    assert "hop-limit" in fails("its token answer does not arrive").hint
    assert {seen.method for seen in web.seen} == {"PUT"}


def test_disabled_for_the_instance(serve: t.Callable[..., Web]) -> None:
    """403 is what EC2 says when the service is switched off."""
    serve(token=Reply(403))
    error = fails("switched off for this instance")
    assert "--http-endpoint enabled" in error.hint
    assert error.retry is Retry.PERMANENT


@pytest.mark.parametrize("value", ["true", "TRUE", "True"])
def test_disabled_here(monkeypatch: pytest.MonkeyPatch, serve: t.Callable[..., Web], value: str) -> None:
    """The SDK's switch is named, and nobody is asked."""
    web = serve()
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", value)
    fails("AWS_EC2_METADATA_DISABLED")
    assert web.seen == []


def test_no_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens: this is no instance."""
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", f"http://127.0.0.1:{closed_port()}")
    error = fails("there is no instance metadata service at http://127.0.0.1")
    assert "refused" in error.server
    assert "iam" in error.hint


@pytest.mark.parametrize(
    "url",
    [
        "nonsense",
        "http://",
        "http://[::1",
        "http://127.0.0.1:99999",
        "http://a..b/",
        "ftp://127.0.0.1/",
        "http://\u2028/",
    ],
)
def test_wrong_endpoint(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """An endpoint that is no URL is an error of ours too."""
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", url)
    fails("metadata")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AWS_METADATA_SERVICE_TIMEOUT", "soon"),
        ("AWS_METADATA_SERVICE_TIMEOUT", "0"),
        ("AWS_METADATA_SERVICE_TIMEOUT", "-1"),
        ("AWS_METADATA_SERVICE_TIMEOUT", "nan"),
        ("AWS_METADATA_SERVICE_TIMEOUT", "inf"),
        ("AWS_METADATA_SERVICE_NUM_ATTEMPTS", "many"),
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "ipv5"),
        ("AWS_PROFILE", "missing"),
    ],
)
def test_wrong_setting(monkeypatch: pytest.MonkeyPatch, serve: t.Callable[..., Web], name: str, value: str) -> None:
    """The SDK's settings may be wrong."""
    serve()
    monkeypatch.setenv(name, value)
    assert fails("a metadata setting of the AWS configuration is wrong").hint


def test_passing_faults(serve: t.Callable[..., Web]) -> None:
    """One 500 is tried again; so is an answer that is lost."""
    web = serve(token=[Reply(500), Reply(body=b"imds-token")], document=[SILENT, Reply(body=DOCUMENT)])
    assert identity_document("identity").region == FACTS["region"]
    assert len(web.seen) == 5


@pytest.mark.parametrize(
    ("changed", "message", "retry"),
    [
        ({"token": Reply(500)}, "HTTP 500", Retry.TRANSIENT),
        ({"token": Reply(400)}, "HTTP 400", Retry.PERMANENT),
        ({"token": Reply(body=b"")}, "session token is garbled", Retry.PERMANENT),
        ({"token": Reply(body=b"a\nb")}, "session token is garbled", Retry.PERMANENT),
        ({"token": Reply(body=b"\xff\xfe\r\n\x00")}, "session token is garbled", Retry.PERMANENT),
        ({"document": Reply(404)}, "has no dynamic/instance-identity/document", Retry.PERMANENT),
        ({"document": Reply(500)}, "HTTP 500 for dynamic", Retry.TRANSIENT),
        ({"document": Reply(429)}, "HTTP 429 for dynamic", Retry.TRANSIENT),
        ({"document": Reply(403)}, "HTTP 403 for dynamic", Retry.PERMANENT),
        ({"document": Reply(body=b"")}, "HTTP 200 for dynamic", Retry.TRANSIENT),
        ({"document": SILENT}, "does not answer for dynamic", Retry.TRANSIENT),
        ({"document": Reply(body=b"<html>")}, "identity document is garbled", Retry.PERMANENT),
        ({"document": Reply(body=b"[1]")}, "identity document is garbled", Retry.PERMANENT),
        ({"document": Reply(body=b"\xff\xfe")}, "identity document is garbled", Retry.PERMANENT),
        ({"document": Reply(body=b"[" * 60000)}, "identity document is garbled", Retry.PERMANENT),
        ({"document": Reply(body={**FACTS, "region": None})}, "identity document is garbled", Retry.PERMANENT),
        ({"document": Reply(body={**FACTS, "region": "a\nb"})}, "identity document is garbled", Retry.PERMANENT),
        ({"document": Reply(body=b" " * 70000)}, "is over 65536 bytes", Retry.PERMANENT),
        ({"signature": Reply(404)}, "has no dynamic/instance-identity/signature", Retry.PERMANENT),
        ({"signature": Reply(body=b"\xc3\xa4")}, "signature is not base64", Retry.PERMANENT),
        ({"signature": Reply(body=b"<html></html>")}, "signature is not base64", Retry.PERMANENT),
        ({"signature": Reply(body=b" \n")}, "signature is not base64", Retry.PERMANENT),
        ({"signature": Reply(body=b"half", headers={"Content-Length": "8"})}, "no instance metadata", Retry.TRANSIENT),
        ({"token": Reply(404), "document": Reply(401)}, "demands version 2", Retry.PERMANENT),
    ],
)
def test_wrong_answers(serve: t.Callable[..., Web], changed: Answers, message: str, retry: Retry) -> None:
    """Each has its own words, and says whether to try again."""
    serve(**changed)
    assert fails(message).retry is retry


@pytest.mark.parametrize("where", ["token", "document"])
def test_redirects_are_not_followed(serve: t.Callable[..., Web], where: str) -> None:
    """The service never redirects; what does is something else."""
    with Web(Reply(body=DOCUMENT)) as other:
        serve(**{where: Reply(302, headers={"Location": other.url + "/"})})
        fails("HTTP 302")
    assert other.seen == []


def test_proxies_are_not_used(monkeypatch: pytest.MonkeyPatch, serve: t.Callable[..., Web]) -> None:
    """A proxy would show its own instance."""
    with Web(Reply(502)) as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        serve()
        assert identity_document("identity").document == DOCUMENT
    assert proxy.seen == []


@pytest.mark.parametrize(
    ("variables", "url"),
    [
        ({}, "http://169.254.169.254"),
        ({"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": "IPv6"}, "http://[fd00:ec2::254]"),
        ({"AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:1/"}, "http://127.0.0.1:1"),
    ],
)
def test_endpoint(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], url: str) -> None:
    """The SDK's variables choose where the service is."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    service = imds._service()
    assert service.url == url
    assert service.attempts >= 2


def test_no_secret_in_repr(serve: t.Callable[..., Web]) -> None:
    """The document and its proof are a way in."""
    serve()
    shown = repr(identity_document("identity"))
    assert "c2lnbmF0" not in shown
    assert "accountId" not in shown


def test_drip(monkeypatch: pytest.MonkeyPatch, serve: t.Callable[..., Web]) -> None:
    """A service that dawdles, each read within its timeout, is cut off."""
    serve(document=drip(b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n", b" "))
    wait(monkeypatch, 0.2)
    started = time.monotonic()
    with pytest.raises(MetadataError) as caught:
        identity_document("identity")
    assert caught.value.retry is Retry.TRANSIENT
    # Two attempts; it would go on for 50 minutes.
    assert time.monotonic() - started < 2 * imds._PATIENCE * 0.2 + 10
