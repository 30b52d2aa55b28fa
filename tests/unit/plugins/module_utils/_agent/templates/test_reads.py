# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an answer of Vault's is to a template, and how long it is good."""

from __future__ import annotations

import time
import typing as t

import pytest

from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.templates import reads
from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.templates.plan import Ask, Grant
from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.templates.render import Secret
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.errors import VaultError
from ansible_collections.vaultfleet.aws.tests.unit.support.vaults import plain_vault_at
from ansible_collections.vaultfleet.aws.tests.unit.support.web import Reply, Web

TOKEN = "hvs.CAESIJ0123456789abcdefghijklmnop"
METADATA = {"version": 3, "created_time": "2026-01-01T00:00:00Z", "deletion_time": "", "destroyed": False}


def fetched(body: dict[str, t.Any], ask: Ask | None = None) -> tuple[Secret, Grant, Web]:
    with Web(Reply(body=body)) as web, plain_vault_at(web.url, retries=0) as vault:
        secret, grant = reads.fetch(vault, TOKEN, ask or Ask("kv/data/app"))
    return secret, grant, web


def refused(status: int, text: str, ask: Ask) -> VaultError:
    with (
        Web(Reply(status, {"errors": [text]})) as web,
        plain_vault_at(web.url, retries=0) as vault,
        pytest.raises(VaultError) as caught,
    ):
        reads.fetch(vault, TOKEN, ask)
    return caught.value


def test_kv_version_2() -> None:
    secret, grant, web = fetched({"data": {"data": {"a": 1}, "metadata": METADATA}, "lease_duration": 0})
    assert (secret.data, secret.metadata["version"], grant.ttl) == ({"a": 1}, 3, 0)
    assert (web.seen[0].path, web.seen[0].headers["x-vault-token"]) == ("/v1/kv/data/app", TOKEN)
    _secret, _grant, web = fetched({"data": {}}, Ask("kv/data/a b", 2))
    assert web.seen[0].path == "/v1/kv/data/a%20b?version=2"


def test_kv_version_1() -> None:
    """Whatever its keys are called, and though the server tells of 32 days."""
    secret, grant, _web = fetched({"data": {"data": "x", "metadata": "y"}, "lease_id": "", "lease_duration": 2764800})
    assert (secret.data, grant.ttl) == ({"data": "x", "metadata": "y"}, 0)


def test_leases() -> None:
    answer = {"data": {"username": "u"}, "lease_id": "db/creds/app/1", "lease_duration": 60, "renewable": True}
    secret, grant, _web = fetched(answer)
    assert (secret.lease_duration, secret.renewable, secret.lease_id) == (60, True, "db/creds/app/1")
    assert (grant.ttl, grant.renewable, grant.lease_id) == (60, True, "db/creds/app/1")


def test_certificates_and_rotated_passwords() -> None:
    data = {"certificate": "-----BEGIN", "private_key": "k", "expiration": int(time.time()) + 500}
    _secret, grant, web = fetched({"data": data}, Ask("pki/issue/web", None, '{"common_name": "x"}'))
    assert 490 < grant.ttl <= 500
    assert (web.seen[0].method, web.seen[0].json) == ("PUT", {"common_name": "x"})
    _secret, grant, _web = fetched({"data": {"certificate": "x", "expiration": 10**400}})
    assert grant.ttl == 0
    _secret, grant, _web = fetched({"data": {"password": "p", "ttl": 90, "rotation_period": 3600}})
    assert (grant.ttl, grant.rotates) == (0, 90)


@pytest.mark.parametrize("body", [{}, {"data": None}, {"data": ["x"]}, {"auth": {"client_token": "x"}}])
def test_an_answer_without_data(body: dict[str, t.Any]) -> None:
    with pytest.raises(VaultError, match="has no data"):
        fetched(body)


@pytest.mark.parametrize(
    ("status", "text", "told"),
    [
        (403, "permission denied", "must allow read on kv/data/app"),
        (403, "invalid token", "tried again with the next one"),
        (404, "", "there is nothing (any more)"),
        (404, "no handler for route", "KV version 2 has data/ after its mount"),
        (405, "unsupported operation", "secret_write() or pki()"),
        (503, "Vault is sealed", "an operator must unseal it"),
    ],
)
def test_refusals(status: int, text: str, told: str) -> None:
    error = refused(status, text, Ask("kv/data/app"))
    assert str(error).startswith(f"reading kv/data/app failed: HTTP {status}")
    assert told in error.hint
    assert TOKEN not in str(error)


def test_a_refused_write_shows_no_parameter() -> None:
    error = refused(400, "bad value canary-value of ab", Ask("pki/issue/x", None, '{"a": "canary-value", "b": "ab"}'))
    assert str(error).startswith("writing to pki/issue/x failed: HTTP 400: bad value ******** of ab")
    assert "version 7" in refused(404, "", Ask("kv/data/app", 7)).hint


def test_renewals() -> None:
    body = {"lease_id": "db/creds/app/1", "lease_duration": 60, "renewable": True}
    answers = [Reply(body=body), Reply(body={}), Reply(400, {"errors": ["lease not found: canary-lease"]})]
    with Web(answers) as web, plain_vault_at(web.url, retries=0) as vault:
        grant = reads.renew(vault, TOKEN, Ask("db/creds/app"), "db/creds/app/1")
        assert (grant.ttl, grant.renewable) == (60, True)
        with pytest.raises(VaultError, match="has no lease_duration"):
            reads.renew(vault, TOKEN, Ask("db/creds/app"), "db/creds/app/1")
        with pytest.raises(VaultError, match="the lease of db/creds/app failed: HTTP 400") as caught:
            reads.renew(vault, TOKEN, Ask("db/creds/app"), "db/creds/app/canary-lease")
    assert web.seen[0].json == {"lease_id": "db/creds/app/1"}
    assert "canary" not in str(caught.value)
