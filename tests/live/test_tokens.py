# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a token can do after its login: lookup, renewal, revocation, unwrapping; and tokens that cannot do it all."""

from __future__ import annotations

import dataclasses
import time
import typing as t

import pytest

from ansible_collections.vaultfleet.aws.plugins.module_utils._auth import clock
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.errors import Retry, VaultError
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.token import Standing, Token
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.vault import Vault
from tests.live.core import client, log, static, token_of
from tests.stack.handle import Stack


@pytest.fixture
def vault(stack: Stack) -> t.Iterator[Vault]:
    """A client of the stack's Vault."""
    with client(stack) as made:
        yield made


def login(stack: Stack, role: str = "web", **options: t.Any) -> Token:
    """A new token of ``role``."""
    return token_of(log(stack, static(stack, role=role), **options))


def requests(stack: Stack, path: str) -> int:
    """How often the audit log has a request for ``path``."""
    return sum(entry["type"] == "request" and entry["request"]["path"] == path for entry in stack.audit())


def test_lookup_renew_revoke(stack: Stack, vault: Vault) -> None:
    """The life of a token: what lookup tells is what login told; renewal extends it; revoked, it is gone."""
    stack.root("PUT", "auth/aws/role/web-minute", {**role_of_client(stack), "token_ttl": "60s", "token_max_ttl": "10m"})
    token = login(stack, "web-minute")
    assert (token.ttl, token.renewable, token.num_uses) == (60, True, 0)
    assert set(token.policies) == {"default", "demo-read"}
    assert 0 < token.left(clock.now()) <= 60
    found = vault.lookup_self(token.client_token)
    assert token.left(clock.now()) - 1 < found.ttl <= 60  # the server counts whole seconds, and counted before us
    assert (found.accessor, found.client_token, found.policies) == (token.accessor, token.client_token, token.policies)
    renewed = vault.renew_self(token.client_token, increment=120)
    assert renewed.ttl in (119, 120)
    assert renewed.client_token == token.client_token
    assert vault.standing(token)[0] is Standing.LIVE
    assert vault.revoke_self(token.client_token) is True
    assert vault.revoke_self(token.client_token) is False
    assert vault.standing(token)[0] is Standing.GONE
    for fails in (vault.lookup_self, vault.renew_self):
        with pytest.raises(VaultError, match="revoked, expired or unknown") as caught:
            fails(token.client_token)
        assert (caught.value.status, caught.value.retry) == (403, Retry.PERMANENT)
        assert token.client_token not in str(caught.value)


def test_gone_and_forbidden_are_told_apart(stack: Stack, vault: Vault) -> None:
    """Both are a 403 that says permission denied; a token that is not known, in other words than a policy's."""
    token, silent = login(stack), login(stack, "web-nolookup")
    vault.revoke_self(token.client_token)
    answers = [stack.vault.call("GET", "auth/token/lookup-self", token=one.client_token) for one in (token, silent)]
    assert answers[0].status == answers[1].status == 403
    assert all("permission denied" in answer.errors for answer in answers)
    assert vault.standing(silent)[0] is Standing.GONE
    assert vault.standing(token, fresh=True)[0] is Standing.GONE


def test_lookup_forbidden(stack: Stack, vault: Vault) -> None:
    """Without the default policy a token may not look itself up: fresh, that means nothing; it is asked twice."""
    token = login(stack, "web-nolookup")
    before = requests(stack, "auth/token/lookup-self")
    standing, same = vault.standing(token, fresh=True)
    assert standing is Standing.UNKNOWN
    assert same == token
    assert requests(stack, "auth/token/lookup-self") == before + 2
    assert vault.revoke_self(token.client_token) is False  # its policies forbid that too
    assert stack.vault.call("GET", "secret/data/demo", token=token.client_token).status == 200


def test_limited_uses_are_not_used_up(stack: Stack, vault: Vault) -> None:
    """A token with three uses still has all of them after its standing was asked for."""
    token = login(stack, "web-limited")
    assert token.num_uses == 3
    before = stack.requests()
    for fresh in (True, False):
        assert vault.standing(token, fresh=fresh)[0] is Standing.UNKNOWN
    assert stack.requests() == before
    statuses = [stack.vault.call("GET", "secret/data/demo", token=token.client_token).status for _turn in range(4)]
    assert statuses == [200, 200, 200, 403]


def test_batch_token(stack: Stack, vault: Vault) -> None:
    """A batch token is looked up like any other, cannot be renewed, and its revocation is a plain no."""
    token = login(stack, "web-batch")
    assert (token.renewable, token.accessor) == (False, "")
    assert vault.standing(token, fresh=True)[0] is Standing.LIVE
    assert vault.revoke_self(token.client_token) is False
    with pytest.raises(VaultError, match="batch tokens cannot be renewed"):
        vault.renew_self(token.client_token)


def test_expired(stack: Stack, vault: Vault) -> None:
    """A token whose lease is over is gone."""
    stack.root("PUT", "auth/aws/role/web-second", {**role_of_client(stack), "token_ttl": "1s", "token_max_ttl": "1s"})
    token = login(stack, "web-second")
    assert token.ttl == 1
    time.sleep(1.3)
    assert vault.standing(token)[0] is Standing.GONE


def role_of_client(stack: Stack) -> dict[str, t.Any]:
    """A role that the stack's client may log in to."""
    return {
        "auth_type": "iam",
        "bound_iam_principal_arn": f"arn:aws:iam::{stack.env['STACK_ACCOUNT_ID']}:user/client",
        "token_policies": "demo-read",
    }


def test_namespace_token(stack: Stack) -> None:
    """A namespace's token is looked up, renewed and revoked there."""
    with client(stack, namespace="team") as vault:
        token = login(stack, namespace="team")
        assert vault.lookup_self(token.client_token).accessor == token.accessor
        assert vault.renew_self(token.client_token).ttl > 0
        assert vault.revoke_self(token.client_token) is True


def test_no_token_of_another_server(stack: Stack, vault: Vault) -> None:
    """A token that this server never made is refused, and not repeated."""
    forged = "s.AAAAAAAAAAAAAAAAAAAAAAAA"
    with pytest.raises(VaultError) as caught:
        vault.lookup_self(forged)
    assert caught.value.status == 403
    assert forged not in str(caught.value)


def test_wrap_and_unwrap(stack: Stack, vault: Vault) -> None:
    """A wrapped login holds one answer for one use; who made it is checked first."""
    done = log(stack, static(stack, wrap_ttl="2m"))
    wrapped = done.login.wrapped
    assert wrapped is not None
    assert done.login.token is None
    assert done.login.answer["auth"] is None
    assert (wrapped.ttl, wrapped.creation_path) == (120, "auth/aws/login")
    assert wrapped.token not in repr(done)
    answer = vault.unwrap(wrapped.token, "auth/aws/login")
    token = answer["auth"]["client_token"]
    assert vault.lookup_self(token).client_token == token
    with pytest.raises(VaultError, match="looking up the wrapping token failed") as caught:
        vault.unwrap(wrapped.token, "auth/aws/login")
    assert wrapped.token not in str(caught.value)


def test_planted_wrapping_token(stack: Stack, vault: Vault) -> None:
    """A wrapping token that was made elsewhere is not unwrapped: it stays whole for those who look into it."""
    planted = log(stack, static(stack, wrap_ttl=60, mount_path="aws-open")).login.wrapped
    assert planted is not None
    with pytest.raises(VaultError, match=r"made at auth/aws-open/login, not at auth/aws/login.*treat what it wrapped"):
        vault.unwrap(planted.token, "auth/aws/login")
    assert vault.unwrap(planted.token, "auth/aws-open/login")["auth"]["client_token"]


def test_reprs_hold_no_secret(stack: Stack) -> None:
    """What a debugger or a log line would show of a real login has no token in it."""
    done = log(stack, static(stack))
    token = token_of(done)
    for thing in (done, done.login, token, done.identity, dataclasses.replace(token, ttl=1)):
        assert token.client_token not in repr(thing)
        assert token.client_token not in str(thing)
