# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Unwrapping with the module and the lookup: the right path, the wrong one, twice, too late, and in check mode."""

from __future__ import annotations

import json
import re
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.vault import Vault
from tests.live import inprocess
from tests.live.core import client, log, static
from tests.live.lookup.conftest import runs
from tests.live.lookup.runs import NAME, Runs, keep, play, see
from tests.live.playbooks import Player, login, mine
from tests.stack.handle import Stack

__all__ = ["runs"]

INTERCEPTED = "if it is not your own doing, somebody may have intercepted it"


def wrapped_login(stack: Stack, ttl: str = "2m", connection: dict[str, t.Any] | None = None, **options: t.Any) -> str:
    """The wrapping token of a login."""
    done = log(stack, static(stack, wrap_ttl=ttl, **options), **(connection or {})).login
    assert done.wrapped
    return done.wrapped.token


def unwrap(stack: Stack, wrapping_token: str, **options: t.Any) -> dict[str, t.Any]:
    """What the module makes of it."""
    given = {"url": stack.env["VAULT_ADDR"], "ca_cert": stack.env["VAULT_CACERT"], "retries": 0}
    return inprocess.run({**given, "wrapping_token": wrapping_token, **options})


def lives(vault: Vault, wrapping_token: str) -> bool:
    """Whether it was not used."""
    return vault.still_wraps(wrapping_token)


def test_from_task_to_task(stack: Stack, player: Player) -> None:
    """One host logs in with its identity, another one gets the token: it works, and shows nowhere."""
    played = player.play(
        login("wrapped", **mine(stack), wrap_ttl="90s"),
        login("asked", {"check_mode": True}, wrapping_token="{{ wrapped.login.wrap_info.token }}"),
        login("elsewhere", wrapping_token="{{ wrapped.login.wrap_info.token }}", mount_path="aws-open"),
        login("unwrapped", wrapping_token="{{ wrapped.login.wrap_info.token }}"),
        login("twice", wrapping_token="{{ wrapped.login.wrap_info.token }}"),
        arguments=["-vvvv"],
    )
    results = played.results
    assert results["asked"]["changed"]
    assert "login" not in results["asked"]
    assert "made at auth/aws/login, not at auth/aws-open/login" in results["elsewhere"]["msg"]
    auth = results["unwrapped"]["login"]["auth"]
    assert results["unwrapped"]["changed"]
    assert stack.vault.call("GET", "secret/data/demo", token=auth["client_token"]).status == 200
    assert "demo-read" in auth["policies"]
    assert auth["lease_duration"] > 0
    assert results["unwrapped"]["expires_at"].endswith("Z")
    assert INTERCEPTED in results["twice"]["msg"]
    for secret in (auth["client_token"], results["wrapped"]["login"]["wrap_info"]["token"]):
        assert secret not in played.shown


def test_one_that_was_made_elsewhere_stays_whole(stack: Stack) -> None:
    """For those who look into it; in check mode, too."""
    with client(stack) as vault:
        planted = wrapped_login(stack, mount_path="aws-open")
        for check in (True, False):
            result = unwrap(stack, planted, _ansible_check_mode=check)
            assert "treat what it wrapped as stolen" in result["msg"]
            assert lives(vault, planted)
        assert unwrap(stack, planted, mount_path="auth/aws-open")["login"]["auth"]["client_token"]
        assert not lives(vault, planted)


def test_what_a_wrapped_sink_holds(stack: Stack) -> None:
    """The JSON as it is, or the token in it; the default path is that of logins, which refuses it."""
    token = log(stack, static(stack)).login.token
    assert token
    with client(stack) as vault:
        for form in (json.dumps, lambda info: info["token"]):
            given = form(vault.wrap(token.client_token, 60))
            assert "made at sys/wrapping/wrap, not at auth/aws/login" in unwrap(stack, given)["msg"]
            result = unwrap(stack, given, wrapping_path="sys/wrapping/wrap")
            assert result["login"]["auth"]["client_token"] == token.client_token
            assert result["login"]["auth"]["accessor"] == token.accessor


def test_its_lease_is_what_is_left(stack: Stack) -> None:
    """Not what the login said, which was a while ago; one that ended meanwhile is told."""
    start = time.monotonic()
    first, second = wrapped_login(stack), wrapped_login(stack, role="web-short")
    end = time.monotonic() + 5  # of the second one, at the latest
    time.sleep(2.5)
    now = unwrap(stack, first)["login"]["auth"]["lease_duration"]
    said = log(stack, static(stack)).login.token
    assert said
    # The server counts whole seconds, more than once, and so do we.
    assert said.ttl - (time.monotonic() - start) - 4 < now <= said.ttl - 2, (said.ttl, now)
    time.sleep(max(0.0, end + 0.5 - time.monotonic()))
    assert "the token that was wrapped works no more" in unwrap(stack, second)["msg"]


@pytest.mark.parametrize("role", ["web-nolookup", "web-limited"])
def test_tokens_that_tell_nothing_of_themselves(stack: Stack, role: str) -> None:
    """They are handed out, with a warning, and none of their uses is spent."""
    result = unwrap(stack, wrapped_login(stack, role=role))
    assert "expires_at" not in result
    assert "does not tell how long" in json.dumps(result["warnings"])
    token = result["login"]["auth"]["client_token"]
    for _use in range(3 if role == "web-limited" else 1):
        assert stack.vault.call("GET", "secret/data/demo", token=token).status == 200


def test_too_late_and_garbage(stack: Stack) -> None:
    late = wrapped_login(stack, ttl="1s")
    time.sleep(2)
    for token in (late, "hvs.a-token-that-never-was-one", log_token(stack)):
        result = unwrap(stack, token)
        assert result["failed"]
        assert INTERCEPTED in result["msg"]
        assert token not in json.dumps(result)


def log_token(stack: Stack) -> str:
    """A token that is none for wrapping."""
    token = log(stack, static(stack)).login.token
    assert token
    return token.client_token


def test_in_a_namespace(stack: Stack) -> None:
    """The path is told within it."""
    there = {"namespace": stack.env["STACK_NAMESPACE"]}
    token = wrapped_login(stack, connection=there)
    assert unwrap(stack, token, **there)["login"]["auth"]["client_token"]


def test_the_lookup(runs: Runs, stack: Stack, tmp_path: Path) -> None:
    """A variable that is used many times, by several hosts at once, unwraps once; the end does not revoke the token."""
    token = wrapped_login(stack)
    expression = f"lookup('{NAME}', wrapping_token=lookup('ansible.builtin.env', 'WRAPPED'))"
    tasks = [see("one", "token"), see("two", "token"), keep(tmp_path / "token", "token")]
    book = play(*tasks, vars={"token": f"{{{{ {expression} }}}}"})
    ended = runs.run(book, hosts=3, callback=True, variables={"WRAPPED": token})
    assert len(ended.tokens()) == 6
    assert len(set(ended.tokens())) == 1
    unwrapped = (tmp_path / "token").read_text(encoding="ascii")
    assert unwrapped not in ended.shown
    assert token not in ended.shown
    assert runs.lives(unwrapped)
    assert runs.stores == []

    again = runs.run(book, variables={"WRAPPED": token}, fails=True)
    assert INTERCEPTED in re.sub(r"\s+", " ", again.shown)
    planted = wrapped_login(stack, mount_path="aws-open")
    refused = runs.run(book, variables={"WRAPPED": planted}, fails=True)
    assert "not at auth/aws/login" in re.sub(r"\s+", " ", refused.shown)
    with client(stack) as vault:
        assert lives(vault, planted)
