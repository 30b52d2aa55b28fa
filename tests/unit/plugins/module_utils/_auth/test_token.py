# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tokens read from answers, and the arithmetic of leases."""

from __future__ import annotations

import math
import typing as t

import pytest

from ansible_collections.vaultfleet.aws.plugins.module_utils._auth import clock
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.errors import VaultError
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.token import (
    token_of_login,
    token_of_lookup,
    wrapped_of_login,
)

AUTH: dict[str, t.Any] = {"client_token": "hvs.canary", "accessor": "acc", "lease_duration": 600, "renewable": True}
WRAP: dict[str, t.Any] = {"token": "hvs.canary", "accessor": "acc", "ttl": 300, "creation_path": "auth/aws/login"}


def login(**changed: t.Any) -> dict[str, t.Any]:
    """An answer to a login."""
    return {"auth": {**AUTH, **changed}}


def test_lease() -> None:
    """Counted from before the request."""
    token = token_of_login(login(), 100.0)
    assert token.left(100.0) == 600
    assert token.left(650.5) == 49.5
    assert token.left(800.0) == -100
    assert token_of_login(login(lease_duration=0), 100.0).left(1e9) == math.inf


def test_login() -> None:
    """All that is read, and what is absent."""
    token = token_of_login(login(policies=["a", "b"], metadata={"role": "x"}, num_uses=3), 0)
    assert (token.client_token, token.accessor, token.renewable, token.num_uses) == ("hvs.canary", "acc", True, 3)
    assert (token.policies, token.metadata) == (("a", "b"), {"role": "x"})
    token = token_of_login({"auth": {"client_token": "t", "lease_duration": 1}}, 0)
    assert (token.accessor, token.renewable, token.num_uses, token.policies, token.metadata) == ("", False, 0, (), {})


def test_lookup() -> None:
    """The lease is the one that is left; the token is the one that was asked about."""
    token = token_of_lookup({"data": {"ttl": 5, "accessor": "acc", "meta": {"a": "b"}, "id": "other"}}, "mine", 10)
    assert (token.client_token, token.ttl, token.metadata) == ("mine", 5, {"a": "b"})


@pytest.mark.parametrize(("expire_time", "ttl"), [("2026-11-21T15:42:11.608502297Z", 1), (None, 0)])
def test_a_token_that_is_about_to_end_is_not_for_ever(expire_time: str | None, ttl: int) -> None:
    """Both have a ttl of 0 then."""
    assert token_of_lookup({"data": {"ttl": 0, "expire_time": expire_time}}, "mine", 10).ttl == ttl


def test_wrapped() -> None:
    """A wrapping token."""
    wrapped = wrapped_of_login({"wrap_info": WRAP, "auth": None})
    assert (wrapped.token, wrapped.ttl, wrapped.creation_path) == ("hvs.canary", 300, "auth/aws/login")


BAD_TOKENS = [None, "", 5, ["hvs.canary"], {"a": 1}, "two words", "line\nbreak", "tökèn", "nul\0", "\x7f"]
BAD_SECONDS: list[t.Any] = [None, "600", 600.0, True, -1, 10**11, [], 2**70]


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"auth": None},
        {"auth": []},
        {"auth": "hvs.canary"},
        *[login(client_token=value) for value in BAD_TOKENS],
        *[login(lease_duration=value) for value in BAD_SECONDS],
        login(num_uses="many"),
        login(accessor=5),
        login(accessor="a\nb"),
    ],
)
def test_garbled_login(answer: dict[str, t.Any]) -> None:
    """One error, which repeats nothing of the answer."""
    with pytest.raises(VaultError, match="Vault's answer has") as caught:
        token_of_login(answer, 0)
    assert "canary" not in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize("data", [None, [], {}, {"ttl": "5"}, {"ttl": 5, "accessor": {}}])
def test_garbled_lookup(data: object) -> None:
    """The same for lookup-self."""
    with pytest.raises(VaultError, match="Vault's answer has"):
        token_of_lookup({"data": data}, "hvs.canary", 0)


@pytest.mark.parametrize(
    "info", [None, [], {}, {**WRAP, "token": ""}, {**WRAP, "ttl": None}, {**WRAP, "creation_path": 5}]
)
def test_garbled_wrapping(info: object) -> None:
    """The same for a wrapped answer."""
    with pytest.raises(VaultError, match="Vault's answer has") as caught:
        wrapped_of_login({"wrap_info": info})
    assert "canary" not in str(caught.value)


def test_clock_is_steady() -> None:
    """It does not go back, and counts seconds."""
    first = clock.now()
    assert 0 <= clock.now() - first < 5
