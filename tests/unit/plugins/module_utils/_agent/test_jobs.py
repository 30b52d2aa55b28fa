# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests to a loopback Vault, and the event in which each ends."""

from __future__ import annotations

import contextlib
import json
import typing as t
from pathlib import Path

import pytest

from ansible_collections.vaultfleet.aws.plugins.module_utils._agent import aws, jobs
from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.jobs import Held, Outcome
from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.messages import (
    Checked,
    Failed,
    Failure,
    LoggedIn,
    Polled,
    Purpose,
    Renewed,
    Revoked,
)
from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.store import Store, nonce_key
from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.systemd import Notifier
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth import clock
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.config import LoginConfig
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.errors import CredentialsError, LoginError, Retry
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.request import LoginRequest
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.token import Standing, Token
from ansible_collections.vaultfleet.aws.tests.unit.plugins.module_utils._agent.manager import managed
from ansible_collections.vaultfleet.aws.tests.unit.support.vaults import AUTH, LOGIN, LOOKUP, TOKEN, plain_vault_at
from ansible_collections.vaultfleet.aws.tests.unit.support.web import Answers, Reply, Seen, Web

IAM = LoginConfig(type="iam", role="web")
EC2 = LoginConfig(type="ec2", role="node")
DENIED = Reply(403, {"errors": ["1 error occurred:\n\t* permission denied\n\n"]})
WRAPPED = {
    "wrap_info": {
        "token": "hvs.wrapping",
        "accessor": "acc-w",
        "ttl": 300,
        "creation_time": "2026-11-21T10:00:00Z",
        "creation_path": "auth/aws/login",
        "wrapped_accessor": "acc-1",
        "extra": "of a later version",
    }
}


@contextlib.contextmanager
def held_at(answers: Answers, wrapped: bool = False) -> t.Iterator[tuple[Held, Web]]:
    """A token of a server that answers like this."""
    with Web(answers) as web, plain_vault_at(web.url, retries=0) as vault:
        token = Token(TOKEN, "acc-1", 3600, True, 0, (), {}, clock.now())
        yield Held(3, TOKEN, token, vault, wrapped), web


def proves(monkeypatch: pytest.MonkeyPatch, error: LoginError | None = None) -> list[LoginConfig]:
    """Have proofs made without AWS, or fail; the list gets what they were made for."""
    asked: list[LoginConfig] = []

    def prove(config: LoginConfig, timeout: float) -> aws.Proof:
        asked.append(config)
        if error:
            raise error
        return aws.Proof(
            LoginRequest({"role": config.role, "nonce": str(config.nonce)}, {"role": config.role}, ()), "keys-1"
        )

    monkeypatch.setattr(aws, "prove", prove)
    return asked


def logged(answers: Answers, config: LoginConfig = IAM, store: Store | None = None) -> tuple[Outcome, Web]:
    """What a login brings."""
    with Web(answers) as web, plain_vault_at(web.url, retries=0) as vault:
        return jobs.log_in(config, vault, store or Store(Notifier(None)), 7), web


def test_login(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sink gets the bare token; the lease says nothing of what the token may, which nobody knows yet."""
    proves(monkeypatch)
    outcome, web = logged(Reply(200, LOGIN))
    assert isinstance(outcome.event, LoggedIn)
    assert outcome.held
    assert outcome.held.text == TOKEN
    lease = outcome.event.lease
    assert (lease.number, lease.ttl, lease.renewable, lease.asks, lease.wrapped) == (7, 3600, True, None, False)
    assert "x-vault-token" not in web.seen[0].headers
    assert TOKEN not in repr(outcome)


def test_wrapped_login(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sink gets what Vault Agent writes, in its order, and nothing else of the answer."""
    proves(monkeypatch)
    outcome, web = logged(Reply(200, WRAPPED), LoginConfig(type="iam", role="web", wrap_ttl=300))
    assert web.seen[0].headers["x-vault-wrap-ttl"] == "300s"
    assert isinstance(outcome.event, LoggedIn)
    assert outcome.held
    lease = outcome.event.lease
    assert (lease.wrapped, lease.ttl, lease.renewable) == (True, 300, False)
    names = ["token", "accessor", "ttl", "creation_time", "creation_path", "wrapped_accessor"]
    assert outcome.held.text == (
        json.dumps({name: WRAPPED["wrap_info"][name] for name in names}, separators=(",", ":")) + "\n"
    )


def failure_of(outcome: Outcome) -> Failure:
    """The failure that it brings."""
    assert isinstance(outcome.event, Failed)
    return outcome.event.failure


@pytest.mark.parametrize(
    ("reply", "retry", "credentials"),
    [
        (Reply(400, {"errors": ["entry for role web not found"]}), Retry.PERMANENT, True),
        (Reply(400, {"errors": ["received error code 403 from STS: ExpiredToken"]}), Retry.RESIGN, True),
        (Reply(503, {"errors": ["Vault is sealed"]}), Retry.TRANSIENT, False),
        (Reply(200, b"<html>"), Retry.TRANSIENT, False),
    ],
)
def test_refused_login(monkeypatch: pytest.MonkeyPatch, reply: Reply, retry: Retry, credentials: bool) -> None:
    """What kind of failure it is, and whether other AWS keys may help, which are then known again."""
    proves(monkeypatch)
    outcome, _web = logged(reply)
    failure = failure_of(outcome)
    assert (failure.retry, failure.credentials) == (retry, credentials)
    assert outcome.keys == ("keys-1" if credentials else None)


def test_rate_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """How long the server asks to wait."""
    proves(monkeypatch)
    failure = failure_of(logged(Reply(429, {"errors": ["slow down"]}, {"Retry-After": "17"}))[0])
    assert (failure.retry, failure.retry_after) == (Retry.TRANSIENT, 17)


def test_missing_credentials_may_come(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the core thinks of them: at boot they are often late."""
    proves(monkeypatch, CredentialsError("there are no AWS credentials", retry=Retry.PERMANENT))
    outcome, web = logged(Reply(200, LOGIN))
    failure = failure_of(outcome)
    assert (failure.retry, failure.credentials, failure.text) == (Retry.TRANSIENT, True, "there are no AWS credentials")
    assert web.seen == []


def test_misconfigured(monkeypatch: pytest.MonkeyPatch) -> None:
    """What no login can work with is told apart."""
    error = aws.MisconfiguredError("region", "there is none of that name")
    proves(monkeypatch, error)
    outcome, _web = logged(Reply(200, LOGIN))
    assert outcome.misconfigured is error
    assert failure_of(outcome).retry is Retry.PERMANENT


def test_nonce(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It is with the manager before it is sent, is the same at the next login, and goes to no other server."""
    asked = proves(monkeypatch)
    with managed(tmp_path / "notify") as manager:
        store = Store(Notifier.from_environ(manager.environ))
        before: list[list[str]] = []

        def answer(_seen: Seen) -> Reply:
            # Nobody waits until the probe is taken out again.
            before.append([name for name in manager.names() if name != "vf-probe"])
            return Reply(200, LOGIN)

        with Web(answer) as web, plain_vault_at(web.url, retries=0) as vault:
            for _round in range(2):
                assert isinstance(jobs.log_in(EC2, vault, store, 1).event, LoggedIn)
            key = nonce_key(vault.connection, EC2)
        logged(Reply(200, LOGIN), EC2, store)
    assert before == [["vf-nonce-1"], ["vf-nonce-1"]]
    first, second, elsewhere = (config.nonce for config in asked)
    assert first == second == store.nonce(key)
    assert first is not None
    assert len(first) == 36
    assert elsewhere not in (None, first)


def test_configured_nonce(monkeypatch: pytest.MonkeyPatch) -> None:
    """It outlives the process anyway, and is not kept."""
    asked = proves(monkeypatch)
    store = Store(Notifier(None))
    with Web(Reply(200, LOGIN)) as web, plain_vault_at(web.url, retries=0) as vault:
        jobs.log_in(LoginConfig(type="ec2", role="node", nonce="mine"), vault, store, 1)
        assert store.nonce(nonce_key(vault.connection, EC2)) is None
    assert asked[0].nonce == "mine"


def test_a_nonce_that_is_not_taken_is_not_sent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A login with it could lock the instance out after a crash; a manager that is busy is asked again."""
    proves(monkeypatch)
    monkeypatch.setattr(Store, "put_nonce", lambda *_args, **_kwargs: False)
    monkeypatch.setattr(Store, "available", lambda *_args, **_kwargs: True)
    outcome, web = logged(Reply(200, LOGIN), EC2)
    failure = failure_of(outcome)
    assert failure.retry is Retry.TRANSIENT
    assert "did not take the nonce" in failure.text
    assert web.seen == []


def test_renewal() -> None:
    """The new lease belongs to the same token, whatever the answer calls it."""
    answer = {"auth": {**AUTH, "client_token": "hvs.another-name-for-it", "lease_duration": 1200}}
    with held_at(Reply(200, answer)) as (held, web):
        outcome = jobs.renew(held)
        assert web.seen[0].path.endswith("/auth/token/renew-self")
    assert isinstance(outcome.event, Renewed)
    assert (outcome.event.lease.number, outcome.event.lease.ttl) == (3, 1200)
    assert outcome.held
    assert outcome.held.token.client_token == outcome.held.text == TOKEN


def test_renewal_denied() -> None:
    """A 403 is told as one: the token may be gone."""
    with held_at(DENIED) as (held, _web):
        outcome = jobs.renew(held)
    assert isinstance(outcome.event, Failed)
    assert (outcome.event.purpose, outcome.event.failure.denied) == (Purpose.RENEW, True)
    assert outcome.held is None
    assert TOKEN not in outcome.event.failure.text


@pytest.mark.parametrize(
    ("answers", "fresh", "standing"),
    [
        (Reply(200, LOOKUP), True, Standing.LIVE),
        (DENIED, False, Standing.GONE),
        (DENIED, True, Standing.UNKNOWN),
        (Reply(403, {"errors": ["invalid token"]}), True, Standing.GONE),
    ],
)
def test_check(answers: Answers, fresh: bool, standing: Standing) -> None:
    """What a lookup tells; with a lease only where the server told of one."""
    with held_at(answers) as (held, _web):
        event = jobs.check(held, fresh).event
    assert isinstance(event, Checked)
    assert (event.number, event.standing) == (3, standing)
    assert (event.lease.ttl if event.lease else None) == (3000 if standing is Standing.LIVE else None)


@pytest.mark.parametrize(("reply", "standing"), [(Reply(200, {"data": {}}), Standing.LIVE), (DENIED, Standing.GONE)])
def test_check_of_a_wrapping_token(reply: Reply, standing: Standing) -> None:
    """It is asked about, not used."""
    with held_at(reply, wrapped=True) as (held, web):
        assert jobs.check(held, fresh=False).event == Checked(3, standing)
        assert [seen.path for seen in web.seen] == ["/v1/sys/wrapping/lookup"]


def test_check_without_an_answer() -> None:
    """A server that is away tells nothing of the token."""
    with held_at(Reply(500)) as (held, _web):
        event = jobs.check(held, fresh=False).event
    assert isinstance(event, Failed)
    assert event.purpose is Purpose.CHECK


def test_revocation() -> None:
    """Done, or refused: then it says so."""
    with held_at(Reply(204)) as (held, web):
        assert jobs.revoke(held).event == Revoked()
        assert web.seen[0].headers["x-vault-token"] == TOKEN
    for reply, text in ((DENIED, "the server refuses"), (Reply(503), "revoking the token failed")):
        with held_at(reply) as (held, _web):
            event = jobs.revoke(held).event
        assert isinstance(event, Failed)
        assert event.failure.text.startswith(text)


@pytest.mark.parametrize(
    ("now", "changed"), [("keys-1", False), ("keys-2", True), (None, False)], ids=["same", "other", "none"]
)
def test_poll(monkeypatch: pytest.MonkeyPatch, now: str | None, changed: bool) -> None:
    """Other AWS keys are news; none are not."""
    monkeypatch.setattr(aws, "keys", lambda _config, _timeout: now)
    with plain_vault_at("http://127.0.0.1:9") as vault:
        assert jobs.poll(IAM, vault, "keys-1") == Outcome(Polled(changed), keys=now)


@pytest.mark.parametrize(("kind", "other"), [("identity", "rsa2048"), ("pkcs7", "identity"), ("rsa2048", "identity")])
def test_a_proof_that_the_server_cannot_check(monkeypatch: pytest.MonkeyPatch, kind: str, other: str) -> None:
    """It has no certificate for this kind: the next login is soon, and brings another kind."""
    proves(monkeypatch)
    text = "instance identity verification using SHA256 RSA signature is unsuccessful"
    config = LoginConfig(type="ec2", role="node", nonce="mine", signature_type=kind)
    outcome, _web = logged(Reply(500, {"errors": [text]}), config)
    assert outcome.signature_type == other
    assert failure_of(outcome).retry is Retry.RESIGN
    assert f"the next login brings {other} instead of {kind}" in failure_of(outcome).text
