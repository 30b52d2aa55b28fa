# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A token out of a wrapping token: what is checked before, what is known of it after, and what is never lost."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.errors import ConfigError, VaultError
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.unwrapped import Unwrapped, Wrapping, unwrap
from ansible_collections.vaultfleet.aws.tests.unit.support.vaults import AUTH, LOGIN, LOOKUP, TOKEN, plain_vault_at
from ansible_collections.vaultfleet.aws.tests.unit.support.web import Reply, Seen, Web

WRAPPING = "hvs.wrapping-canary"
LIVE = Reply(body=LOOKUP)
DENIED = Reply(403, {"errors": ["1 error occurred:\n\t* permission denied\n\n"]})  # by a policy
OF_LOGIN, OF_SINK = "auth/aws/login", "sys/wrapping/wrap"


def found(answer: t.Any = None, lookup: Reply = LIVE, path: str = OF_LOGIN) -> tuple[Unwrapped, list[str]]:
    """What a wrapping token holds, and what was asked for; the answer is that of a login unless another is given."""

    def serve(seen: Seen) -> Reply:
        if seen.path.endswith("wrapping/lookup"):
            return Reply(body={"data": {"creation_path": path}})
        return Reply(body=LOGIN if answer is None else answer) if seen.path.endswith("unwrap") else lookup

    with Web(serve) as web, plain_vault_at(web.url, retries=0) as vault:
        seen = unwrap(vault, Wrapping(WRAPPING, path))
        return seen, [one.path.rpartition("/v1/")[2] for one in web.seen]


def test_of_a_login() -> None:
    """Its lease is what the server says now: since the login some of it is over."""
    unwrapped, asked = found()
    assert asked == ["sys/wrapping/lookup", "sys/wrapping/unwrap", "auth/token/lookup-self"]
    assert unwrapped.auth == {
        "client_token": TOKEN,
        "accessor": "acc-1",
        "lease_duration": pytest.approx(3000, abs=1),
        "policies": ["default"],
        "renewable": True,
    }
    assert unwrapped.token
    assert TOKEN not in repr(unwrapped)


def test_of_a_wrapped_sink() -> None:
    """The token alone is inside, and the server tells the rest."""
    unwrapped, _asked = found({"data": {"token": TOKEN}}, path=OF_SINK)
    assert unwrapped.auth["client_token"] == TOKEN
    assert unwrapped.auth["policies"] == ["default"]


@pytest.mark.parametrize("lookup", [DENIED, Reply(503)])
def test_what_cannot_be_looked_up_is_handed_out(lookup: Reply) -> None:
    """The wrapping token is used up, so this is the only chance."""
    of_login, _asked = found({"auth": {**AUTH, "policies": ["app"]}}, lookup)
    assert (of_login.auth["client_token"], of_login.auth["lease_duration"], of_login.token) == (TOKEN, 3600, None)
    of_sink, _asked = found({"data": {"token": TOKEN}}, lookup, OF_SINK)
    assert (of_sink.auth, of_sink.token) == ({"client_token": TOKEN}, None)
    assert found(lookup=Reply(503))[0].auth["client_token"] == TOKEN


def test_what_ended_while_it_was_wrapped() -> None:
    """It may look itself up, so that it is gone if it cannot."""
    for lookup in (DENIED, *(Reply(403, {"errors": [said]}) for said in ("bad token", "permission denied"))):
        with pytest.raises(VaultError, match=r"works no more.*log in anew"):
            found(lookup=lookup)


@pytest.mark.parametrize("answer", [{}, {"data": None}, {"data": {"password": "canary"}}, {"data": {"token": "a b"}}])
def test_what_holds_no_token(answer: object) -> None:
    with pytest.raises(VaultError, match="has no usable token") as caught:
        found(answer)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({}, "auth/aws/login"),
        ({"mount_path": "auth/aws-eu/"}, "auth/aws-eu/login"),
        ({"mount_path": "x", "wrapping_path": "sys/wrapping/wrap"}, "sys/wrapping/wrap"),
        ({"wrapping_path": "/auth/token/create/"}, "auth/token/create"),
    ],
)
def test_where_it_must_have_been_made(options: dict[str, str], path: str) -> None:
    assert Wrapping.from_options({"wrapping_token": WRAPPING, **options}).path == path


@pytest.mark.parametrize("text", [WRAPPING, f" {WRAPPING}\n", json.dumps({"token": WRAPPING, "ttl": 5}) + "\n"])
def test_bare_or_as_a_sink_holds_it(text: str) -> None:
    assert Wrapping.from_options({"wrapping_token": text}).token == WRAPPING
    assert WRAPPING not in repr(Wrapping.from_options({"wrapping_token": text}))


@pytest.mark.parametrize(
    "options",
    [
        {"wrapping_token": ""},
        {"wrapping_token": "canary with blanks"},
        {"wrapping_token": "canary\r\nX: y"},
        {"wrapping_token": "{canary"},
        {"wrapping_token": '{"canary": 1}'},
        {"wrapping_token": '{"token": "ca nary"}'},
        {"wrapping_token": WRAPPING, "wrapping_path": "a b"},
        {"wrapping_token": WRAPPING, "wrapping_path": "a\nb"},
        {"wrapping_token": WRAPPING, "mount_path": "a b"},
    ],
)
def test_bad_input(options: dict[str, str]) -> None:
    with pytest.raises(ConfigError) as caught:
        Wrapping.from_options(options)
    assert caught.value.option in options
    assert "canary" not in str(caught.value)
