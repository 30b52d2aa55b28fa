# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``check --connect``: each thing that may be in the way has a line that says what to do, and hides no other."""

from __future__ import annotations

import dataclasses
import email.utils
import os
import re
import socket
import sys
import threading
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.vaultfleet.aws.plugins.module_utils._agent import probe, reach
from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.config import AgentConfig
from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.findings import Finding, attempt
from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.sink_options import AgentSink
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth import imds, lib_hvac
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.config import LoginConfig
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.errors import ConfigError, Retry
from ansible_collections.vaultfleet.aws.tests.unit.support import certificates, sts
from ansible_collections.vaultfleet.aws.tests.unit.support.vaults import connection
from ansible_collections.vaultfleet.aws.tests.unit.support.web import Answers, Reply, Seen, Web, closed_port, hang

HEALTHY = {"initialized": True, "sealed": False, "standby": False, "version": "2.7.2"}
GOOD = Reply(body=HEALTHY)
ACCESS_KEY = "AKIACANARYKEYIDQWXYZ"
STATIC = {"access_key": ACCESS_KEY, "secret_key": "canary-secret", "session_token": "canary-session"}
DOCUMENT = {"instanceId": "i-0123456789abcdef0", "accountId": "123456789012", "region": "eu-central-1"}


def iam(**options: t.Any) -> LoginConfig:
    """An iam login with static keys, whose STS is at a port that nobody listens on."""
    given = {"role": "web", "sts_endpoint": f"http://127.0.0.1:{closed_port()}", **STATIC, **options}
    return LoginConfig.from_options({"type": "iam", **given})


def ec2(**options: t.Any) -> LoginConfig:
    """An ec2 login."""
    return LoginConfig.from_options({"type": "ec2", "role": "node", **options})


def look(
    url: str,
    login: LoginConfig | None = None,
    *,
    sinks: tuple[AgentSink, ...] = (),
    pid_file: str | None = None,
    **vault: t.Any,
) -> list[Finding]:
    """All findings of an agent for the server at ``url``; no secret is in any, and each is one line."""
    given = connection(url, **{"ca_cert": certificates.CA, **vault})
    found = probe.probe(AgentConfig(login or iam(), given, sinks, pid_file=pid_file))
    shown = "\n".join(str(finding) for finding in found)
    assert len(shown.splitlines()) == len(found)
    for secret in ("canary-", "canary+", ACCESS_KEY):
        assert secret not in shown
    return found


def lines(found: t.Sequence[Finding], *about: str) -> list[str]:
    """The lines of findings about something."""
    return [str(finding) for finding in found if finding.about in about]


def one(found: t.Sequence[Finding], about: str) -> Finding:
    """The one finding about something."""
    (finding,) = (finding for finding in found if finding.about == about)
    return finding


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, t.Any]:
    """A resolver: name -> address, or the error it has. All else is asked of the real one, which must be an address."""
    known: dict[str, t.Any] = {}
    real = socket.getaddrinfo

    def resolve(host: t.Any, port: t.Any, *args: t.Any, **kwargs: t.Any) -> t.Any:
        answer = known.get(host, host)
        if isinstance(answer, Exception):
            raise answer
        if callable(answer):
            return answer()
        addresses = [answer] if isinstance(answer, str) else answer
        kwargs["flags"] = socket.AI_NUMERICHOST
        return [row for address in addresses for row in real(address, port, **kwargs)]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return known


# ---- the way to Vault


def test_all_is_well(names: dict[str, t.Any]) -> None:
    """Each step has its line, and Vault sees one request, without a token."""
    names["vault.test"] = "127.0.0.1"
    date = email.utils.formatdate(time.time(), usegmt=True)
    with Web(Reply(body=HEALTHY, headers={"Date": date}), certificates.server_side()) as web:
        found = look(f"https://vault.test:{web.port}", namespace="team")
    shown = lines(found, "DNS", "TCP", "TLS", "Vault", "clock")
    assert shown[0] == "ok      DNS: vault.test is 127.0.0.1"
    assert shown[1] == f"ok      TCP: 127.0.0.1:{web.port} takes connections"
    assert re.fullmatch(r"ok      TLS: TLSv1\.[23], a valid certificate until 2[0-9]{3}-[01]\d-[0-3]\d", shown[2])
    assert shown[3] == "ok      Vault: version 2.7.2, unsealed and active"
    assert shown[4] == "ok      clock: that of this host and Vault's agree"
    assert all(finding.fine for finding in found)
    (seen,) = web.seen
    assert seen.path.startswith("/v1/sys/health?")
    assert not {"x-vault-token", "x-vault-namespace"} & set(seen.headers)


def test_unknown_name(names: dict[str, t.Any]) -> None:
    """The steps after it are left out, those that do not need it are made."""
    names["vault.test"] = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    found = look("https://vault.test:8200")
    finding = one(found, "DNS")
    assert str(finding).startswith("wrong   DNS: vault.test has no address: Name or service not known -- check url")
    assert finding.retry is Retry.TRANSIENT
    assert not lines(found, "TCP", "TLS", "Vault", "clock")
    assert one(found, "credentials").fine


@pytest.mark.parametrize("host", ["a" * 70 + ".test", "a..test"])
def test_a_name_that_is_none(host: str) -> None:
    """Refused by the encoder, before anybody is asked."""
    finding = reach.reach(dataclasses.replace(connection("https://vault.test"), url=f"https://{host}"), signs=True)[0]
    assert (finding.about, finding.state) == ("DNS", "wrong")
    assert "bug" not in finding.text


def test_a_resolver_that_hangs(names: dict[str, t.Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not waited for."""
    monkeypatch.setattr(reach, "_PATIENCE", 1)
    ended = threading.Event()
    names["vault.test"] = lambda: ended.wait(30)
    started = time.monotonic()
    assert one(look("https://vault.test"), "DNS").text.startswith("no answer within 1 s -- check url, /etc/hosts")
    assert time.monotonic() - started < 10
    ended.set()


def test_closed_port() -> None:
    """The address, why, and what to check; an address has no line about DNS."""
    port = closed_port()
    found = look(f"https://127.0.0.1:{port}")
    assert not lines(found, "DNS", "TLS", "Vault")
    finding = one(found, "TCP")
    assert re.match(rf"127\.0\.0\.1:{port}: Connection refused: .* cannot be reached.* -- check url", finding.text)
    assert (finding.state, finding.retry) == ("wrong", Retry.TRANSIENT)


def test_an_address_of_several(names: dict[str, t.Any]) -> None:
    """The first one that connects will do; those before it are told."""
    names["vault.test"] = ["127.0.0.2", "127.0.0.1"]
    with Web(GOOD) as web:
        found = look(f"http://vault.test:{web.port}")
    assert lines(found, "DNS", "TCP") == [
        "ok      DNS: vault.test is 127.0.0.2, 127.0.0.1",
        f"note    TCP: 127.0.0.2:{web.port}: Connection refused",
        f"ok      TCP: 127.0.0.1:{web.port} takes connections",
    ]
    assert one(found, "Vault").fine


def test_all_addresses_fail(names: dict[str, t.Any]) -> None:
    """Each is named."""
    names["vault.test"] = ["127.0.0.2", "127.0.0.3"]
    port = closed_port()
    text = one(look(f"http://vault.test:{port}"), "TCP").text
    assert f"127.0.0.2:{port}: Connection refused, 127.0.0.3:{port}: Connection refused" in text


@pytest.mark.parametrize(
    ("certificate", "options", "words"),
    [
        (certificates.SERVER, {"ca_cert": certificates.OTHER_CA}, "certificate verify failed.* -- set ca_cert"),
        (certificates.ELSEWHERE, {}, "-- the certificate is for another name"),
        (certificates.SERVER, {"tls_server_name": "other.test"}, "-- the certificate is for another name"),
        (certificates.EXPIRED, {}, "-- renew the server's certificate"),
    ],
)
def test_certificate(certificate: str, options: dict[str, t.Any], words: str) -> None:
    """Wrong CA, wrong name, too old: each with its own hint."""
    with Web(GOOD, certificates.server_side(certificate)) as web:
        found = look(web.url, **options)
    finding = one(found, "TLS")
    assert re.search(words, finding.text)
    assert (finding.state, finding.retry) == ("wrong", Retry.PERMANENT)
    assert not lines(found, "Vault")
    assert web.seen == []


def test_tls_server_name() -> None:
    """The name that the certificate is for may be given."""
    with Web(GOOD, certificates.server_side(certificates.ELSEWHERE)) as web:
        assert all(finding.fine for finding in look(web.url, tls_server_name="elsewhere.test"))


def test_certificate_that_is_not_checked() -> None:
    """No fault, but never silent."""
    with Web(GOOD, certificates.server_side(certificates.ELSEWHERE)) as web:
        found = look(web.url, validate_certs=False)
    assert one(found, "TLS").state == "note"
    assert "not checked" in one(found, "TLS").text
    assert one(found, "Vault").state == "ok"


def test_client_certificate_is_missing() -> None:
    """With TLS 1.3 the server says so after the handshake."""
    with Web(GOOD, certificates.server_side(client_ca=certificates.CA)) as web:
        (finding,) = (finding for finding in look(web.url) if not finding.fine)
        assert finding.about in ("TLS", "Vault")
        assert all(finding.fine for finding in look(web.url, client_cert=certificates.CLIENT))


def test_a_ca_that_is_none(tmp_path: Path) -> None:
    """The option is named."""
    empty = tmp_path / "ca.pem"
    empty.write_text("no certificate", encoding="utf-8")
    with Web(GOOD, certificates.server_side()) as web:
        assert "ca_cert: cannot be loaded" in one(look(web.url, ca_cert=str(empty)), "TLS").text


def test_plain_http_to_a_tls_server() -> None:
    """And the other way round."""
    with Web(Reply(400, b"Client sent an HTTP request to an HTTPS server.\n")) as web:
        assert "-- set url to https://" in one(look(web.url), "Vault").text
        finding = one(look(web.url.replace("http:", "https:")), "TLS")
    assert "the server does not speak TLS" in finding.text


def test_a_server_that_says_nothing() -> None:
    """Bounded by the option."""
    with Web(hang(60)) as web:
        started = time.monotonic()
        finding = one(look(web.url, timeout=1), "Vault")
    assert "no answer within 1 s" in finding.text
    assert time.monotonic() - started < 10


def test_proxy() -> None:
    """Its password is nowhere; what it does for us is not tried from here."""
    with Web(GOOD) as proxy:
        found = look("http://vault.test:8200", proxies=proxy.url.replace("//", "//user:canary-password@"))
    assert lines(found, "proxy") == [
        f"note    proxy: requests to http://vault.test:8200 go through the proxy 127.0.0.1:{proxy.port}"
    ]
    assert not lines(found, "DNS", "TCP", "TLS")
    assert one(found, "Vault").fine


@pytest.mark.parametrize("url", ["http://[canary-password", "canary-password:x@proxy", "://"])
def test_malformed_proxy(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """That of the environment was judged by nobody."""
    monkeypatch.setenv("http_proxy", url)
    found = look("http://vault.test:8200", timeout=2)
    assert one(found, "proxy").state == "note"
    assert not one(found, "Vault").fine
    assert "bug" not in str(found)


# ---- Vault's health


@pytest.mark.parametrize(
    ("changed", "state", "words", "retry"),
    [
        ({"sealed": True}, "wrong", "version 2.7.2, is sealed -- an operator must unseal it", Retry.TRANSIENT),
        ({"initialized": False, "sealed": True}, "wrong", "never initialised", Retry.PERMANENT),
        ({"standby": True}, "ok", "a standby, which passes logins on", None),
        ({"standby": True, "replication_dr_mode": "secondary"}, "wrong", "recovery secondary", Retry.PERMANENT),
        ({"version": "\x1b[31m hvs.CAESIJ0123456789abcdefghijklmnop"}, "ok", "unsealed and active", None),
        ({"version": None}, "ok", "unsealed and active", None),
    ],
)
def test_health(changed: dict[str, t.Any], state: str, words: str, retry: Retry | None) -> None:
    """Each state of a server has its words."""
    with Web(Reply(299, {**HEALTHY, **changed})) as web:
        finding = one(look(web.url), "Vault")
    assert finding.state == state
    assert words in finding.text
    assert retry in (None, finding.retry)
    assert "CAESIJ" not in finding.text


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(body=b"<html>hello</html>", headers={"Content-Type": "text/html"}), "not a JSON object (text/html)"),
        (Reply(body={"status": "UP"}), "has no initialized"),
        (
            Reply(404, b"<html>nothing</html>", {"Content-Type": "text/html"}),
            "HTTP 404: nothing (text/html) -- check url",
        ),
        (Reply(503, b"no backend", {"Content-Type": "text/plain"}), "HTTP 503: no backend"),
        (Reply(302, headers={"Location": "http://sso.test/login"}), "redirects to another host, http://sso.test"),
    ],
)
def test_not_vault(reply: Reply, words: str) -> None:
    """A portal, a load balancer, an application: said, and what to check."""
    with Web(reply) as web:
        finding = one(look(web.url), "Vault")
    assert finding.state == "wrong"
    assert words in finding.text
    assert " -- " in finding.text


@pytest.mark.parametrize(("drift", "words"), [(-600, "ahead of"), (600, "behind")])
def test_clock(drift: int, words: str) -> None:
    """By how much; a login that is not signed does not depend on it."""

    def answer(_seen: Seen) -> Reply:
        return Reply(body=HEALTHY, headers={"Date": email.utils.formatdate(time.time() + drift, usegmt=True)})

    with Web(answer) as web:
        finding, other = (one(look(web.url, login), "clock") for login in (iam(), ec2()))
    assert re.match(rf"this host's clock is (599|600|601) s {words} Vault's -- .*15 minutes", finding.text)
    assert (finding.state, finding.retry) == ("wrong", Retry.PERMANENT)
    assert other.state == "note"


def test_no_clock() -> None:
    """A server without a Date, or with a garbled one, is no fault."""
    with Web([GOOD, Reply(body=HEALTHY, headers={"Date": "Wed, 99 Xxx 2015 99:99:99 GMT"})]) as web:
        assert not lines(look(web.url) + look(web.url), "clock")


# ---- the AWS identity


def identity(login: LoginConfig) -> list[Finding]:
    """The findings beyond the way to Vault, which is closed."""
    return look(f"http://127.0.0.1:{closed_port()}", login)


def test_static_keys() -> None:
    """The access key can be known again; STS that this host cannot reach is no fault."""
    login = iam()
    found = identity(login)
    assert str(one(found, "credentials")) == "ok      credentials: AKIA...WXYZ from static"
    assert str(one(found, "region")) == f"ok      region: logins are signed for us-east-1, at {login.sts_endpoint}"
    assert one(found, "STS").state == "note"
    assert "Connection refused; that is no fault" in one(found, "STS").text
    assert not lines(found, "metadata", "nonce")


def test_reachable_sts() -> None:
    """Told too; nothing is sent."""
    with Web(Reply(500)) as web:
        found = identity(iam(sts_endpoint=web.url))
    assert one(found, "STS").state == "ok"
    assert web.seen == []


def test_unresolvable_sts(names: dict[str, t.Any]) -> None:
    """A network without DNS for AWS is none either."""
    names["sts.eu-central-1.amazonaws.com"] = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    found = identity(iam(region="eu-central-1", sts_endpoint="auto"))
    assert one(found, "STS").text.startswith(
        "sts.eu-central-1.amazonaws.com:443 cannot be reached: Name or service not known; that is no fault"
    )
    assert one(found, "STS").fine


def test_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wrong; what the metadata service says beside it may be why, or not."""
    without = iam(access_key=None, secret_key=None, session_token=None)
    found = identity(without)
    assert one(found, "credentials").state == "wrong"
    assert one(found, "credentials").text.startswith("no AWS credentials found -- give access_key")
    assert str(one(found, "metadata")).startswith("note    metadata: the metadata service is switched off by AWS_EC2")
    monkeypatch.setenv("AWS_PROFILE", "missing")
    found = identity(without)
    assert "'missing' does not exist" in one(found, "credentials").text
    assert one(found, "credentials").retry is Retry.PERMANENT
    assert not lines(found, "metadata")


def test_region_that_is_not_found() -> None:
    """The keys are looked at nevertheless, unless they are needed at a region's STS."""
    found = identity(iam(region="auto", sts_endpoint="auto"))
    assert one(found, "region").state == "wrong"
    assert one(found, "region").text.endswith("-- set region")
    assert one(found, "credentials").fine
    assert not lines(found, "STS")
    found = identity(iam(region="auto", sts_endpoint="auto", assume_role_arn="arn:aws:iam::123456789012:role/app"))
    assert not lines(found, "STS", "credentials")


def test_assumed_role(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is assumed for real, so that a refusal shows, without what STS repeats."""
    with Web(sts.sts) as web:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", web.url)
        good, bad = (
            identity(
                iam(assume_role_arn=f"arn:aws:iam::123456789012:role/{role}", assume_role_external_id="canary-external")
            )
            for role in ("app", "closed")
        )
    expected = "ASIA... from static, assume-role, arn:aws:iam::123456789012:role/app"
    assert one(good, "credentials").text == expected
    assert not lines(good, "STS")
    finding = one(bad, "credentials")
    assert "STS refused arn:aws:iam::123456789012:role/closed" in finding.text
    assert (finding.state, finding.retry) == ("wrong", Retry.PERMANENT)


def service(monkeypatch: pytest.MonkeyPatch, answers: Answers) -> Web:
    """A metadata service that the SDK finds."""
    web = Web(answers)
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED", raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", web.url)
    return web


def instance(seen: Seen) -> Reply:
    """An instance with a role and an identity."""
    if seen.path.endswith("/instance-identity/document"):
        return Reply(body=DOCUMENT)
    if "/instance-identity/" in seen.path:
        return Reply(body=b"canary+proof")
    return sts.instance(seen)


def test_role_of_the_instance(monkeypatch: pytest.MonkeyPatch) -> None:
    """The instance is named beside the provider."""
    without = iam(access_key=None, secret_key=None, session_token=None)
    with service(monkeypatch, instance):
        found = identity(without)
    assert one(found, "credentials").text == "ASIA... from iam-role"
    assert str(one(found, "metadata")) == (
        "ok      metadata: instance i-0123456789abcdef0 of account 123456789012, in eu-central-1"
    )
    with service(monkeypatch, sts.instance):
        found = identity(without)
    assert one(found, "credentials").fine
    assert str(one(found, "metadata")).startswith("note    metadata: ")


@pytest.mark.parametrize("kind", ["identity", "pkcs7", "rsa2048"])
def test_ec2(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """The document, with the proof that will be sent; no keys are looked for."""
    with service(monkeypatch, instance) as web:
        found = identity(ec2(signature_type=kind))
    assert "instance i-0123456789abcdef0" in one(found, "metadata").text
    assert one(found, "metadata").state == "ok"
    path = {"identity": "signature"}.get(kind, kind)
    assert web.seen[-1].path == f"/latest/dynamic/instance-identity/{path}"
    assert not lines(found, "credentials", "region", "STS")


def test_nonce(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without one in the configuration, what that means is said."""
    finding = one(identity(ec2(mount_path="team/aws")), "nonce")
    assert finding.state == "note"
    assert "auth/team/aws/identity-accesslist/" in finding.text
    assert not lines(identity(ec2(nonce="canary-nonce")), "nonce")


def test_no_metadata(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wrong for ec2: absent, and behind a hop limit."""
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED", raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", f"http://127.0.0.1:{closed_port()}")
    finding = one(identity(ec2()), "metadata")
    assert finding.state == "wrong"
    assert "there is no instance metadata service" in finding.text
    settings = imds._service
    monkeypatch.setattr(imds, "_service", lambda: dataclasses.replace(settings(), timeout=0.08))
    with service(monkeypatch, hang(60)):
        assert "--http-put-response-hop-limit 2" in one(identity(ec2()), "metadata").text


# ---- the files


def files(*sinks: AgentSink, **options: t.Any) -> list[Finding]:
    """The findings about files."""
    about = ("sink", "pid_file", "metrics_file")
    found = look(f"http://127.0.0.1:{closed_port()}", sinks=sinks, **options)
    return [finding for finding in found if finding.about in about]


def file_system(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """Let the tests' directory be on a file system of that kind."""
    monkeypatch.setattr(probe, "_file_system", lambda _directory: kind)


def test_sink(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Who can write, with which mode; nothing is left behind, and what is there stays."""
    file_system(monkeypatch, "tmpfs")
    path = tmp_path / "token"
    path.write_text("old", encoding="utf-8")
    (finding,) = files(AgentSink(str(path), 0o640))
    assert re.fullmatch(rf"ok      sink: {path} can be written by user \S+, with mode 0640", str(finding))
    assert path.read_text(encoding="utf-8") == "old"
    assert not list(tmp_path.glob(".*"))


def test_sink_on_a_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A note; a pid file may be there."""
    file_system(monkeypatch, "ext4")
    good, note, pid = files(AgentSink(str(tmp_path / "token")), pid_file=str(tmp_path / "pid"))
    assert (good.state, note.state) == ("ok", "note")
    assert "is on a disk (ext4)" in note.text
    assert (pid.about, pid.state) == ("pid_file", "ok")


def test_file_system_of_this_machine() -> None:
    """The kernel's own table; /proc is on every Linux."""
    assert probe._file_system("/proc/self") == "proc"
    assert probe._file_system("/sys") == "sysfs"


def test_sinks_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One line each, with its own hint; the others are looked at."""
    file_system(monkeypatch, "tmpfs")
    gone, real, link = tmp_path / "gone", tmp_path / "real", tmp_path / "link"
    real.mkdir()
    link.symlink_to(real)
    found = files(
        AgentSink("/sys/token"),
        AgentSink(str(gone / "token")),
        AgentSink(str(link / "token")),
        AgentSink(str(real / "token")),
    )
    assert [finding.state for finding in found] == ["wrong"] * 3 + ["ok"]
    assert "cannot write /sys/token: Permission denied -- let the agent's user write" in found[0].text
    assert "create it first" in found[1].text
    assert f"it is a symbolic link: give {real}" in found[2].text


@pytest.mark.parametrize(("blocks", "state"), [(100, "wrong"), (0, "ok")])
def test_full_file_system(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, blocks: int, state: str) -> None:
    """Full, and one without a limit, which tells of no free blocks either."""
    file_system(monkeypatch, "tmpfs")
    real = os.statvfs

    def full(path: t.Any) -> os.statvfs_result:
        values = list(real(path))
        values[2:5] = blocks, 0, 0
        return os.statvfs_result(values)

    monkeypatch.setattr(os, "statvfs", full)
    (finding,) = files(AgentSink(str(tmp_path / "token")))
    assert finding.state == state
    assert state == "ok" or finding.text.endswith("is full -- make room, or give its tmpfs a larger size")


# ---- looks that fail


def test_attempt() -> None:
    """A value, an error of ours, a bug without its message, or nothing in time."""

    def refuse() -> str:
        raise ConfigError("region", "is wrong", hint="correct it")

    def stumble() -> str:
        raise RuntimeError("canary-secret")

    assert attempt("it", lambda: "value", hint="wait") == "value"
    assert attempt("it", refuse, hint="wait") == Finding(
        "wrong", "it", "region: is wrong -- correct it", Retry.PERMANENT
    )
    bug = attempt("it", stumble, hint="wait")
    assert isinstance(bug, Finding)
    assert re.fullmatch(r"this is a bug of the agent: RuntimeError at test_probe\.py:\d+", bug.text)
    ended = threading.Event()
    assert attempt("it", lambda: ended.wait(30), 0.05, hint="wait") == Finding(
        "wrong", "it", "no answer within 0 s -- wait"
    )
    ended.set()


def test_a_bug_hides_no_other_finding(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What is looked at after it is looked at."""
    file_system(monkeypatch, "tmpfs")

    def stumble(*_args: t.Any, **_options: t.Any) -> t.NoReturn:
        raise KeyError("canary-secret")

    monkeypatch.setattr(probe, "find_credentials", stumble)
    found = look(f"http://127.0.0.1:{closed_port()}", sinks=(AgentSink(str(tmp_path / "token")),))
    assert one(found, "credentials").text.startswith("this is a bug of the agent: KeyError at ")
    assert one(found, "sink").fine


def test_missing_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Named, with the Python that lacks them; nothing is tried with their stand-ins."""
    monkeypatch.setattr(lib_hvac, "MISSING", ImportError("No module named 'hvac'"))
    (finding,) = identity(iam())
    assert str(finding) == (
        "wrong   libraries: the Python package hvac cannot be loaded: No module named 'hvac'"
        f" -- install it for {sys.executable}"
    )
    assert finding.retry is Retry.PERMANENT


def test_a_finding_is_one_line() -> None:
    """Whatever a server or a path put into it."""
    assert str(Finding("note", "it", "a\nb\x1b[0m")) == "note    it: a\\nb\\x1b[0m"
