# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a server answers to a login and to the calls about tokens, and what is not even HTTP."""

from __future__ import annotations

import dataclasses
import typing as t
from unittest import mock

import hypothesis.strategies as st

from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.templates import reads
from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.templates.plan import Ask
from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.templates.render import (
    RenderError,
    compiled,
    render,
)
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth import unwrapped
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth import vault as vault_module
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.config import LoginConfig
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.errors import VaultError
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.login import log_in
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.request import LoginRequest
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.token import Token
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.vault import Vault
from ansible_collections.vaultfleet.aws.tests.unit.support.fuzz.target import CANARY, Target, ended
from ansible_collections.vaultfleet.aws.tests.unit.support.fuzz.values import Strategy, changed, json_values, replies
from ansible_collections.vaultfleet.aws.tests.unit.support.vaults import AUTH, LOOKUP, plain_vault_at
from ansible_collections.vaultfleet.aws.tests.unit.support.web import Reply, Web

PATH = "auth/aws/login"
TOKEN = Token(CANARY, "acc", 60, True, 0, ("default",), {}, 0.0)
WRAP_INFO = {"token": CANARY, "accessor": "acc", "ttl": 60, "creation_path": PATH, "creation_time": "2026-01-01"}
HEALTH = {"initialized": True, "sealed": False, "standby": False, "version": "1.20.0", "server_time_utc": 1}
LEASE = {"lease_id": f"db/creds/app/{CANARY}", "lease_duration": 60, "renewable": True}
SECRET = {"password": CANARY, "certificate": "x", "expiration": 9999999999, "ttl": 5, "rotation_period": 9}
KV2 = {"data": {"password": CANARY}, "metadata": {"version": 1, "created_time": "2026-01-01T00:00:00Z"}}
TEMPLATE = "{{ secret('kv/data/app').data.password }}{{ secret('db/creds/app').metadata.version + 1 }}"


def _proof(_fresh: bool) -> LoginRequest:
    return LoginRequest({"role": "web", "nonce": CANARY}, {"role": "web", "region": "x"}, (CANARY,))


def _login(vault: Vault, wrap_ttl: int) -> None:
    login = vault.login("aws", _proof, wrap_ttl=wrap_ttl)
    assert bool(login.token) is not bool(wrap_ttl)
    if login.token:  # the rest is no secret, wherever it is from
        assert CANARY not in repr(dataclasses.replace(login.token, accessor="", policies=()))
    if login.wrapped:
        assert CANARY not in repr(dataclasses.replace(login.wrapped, accessor="", creation_path=""))


def _whole_login(vault: Vault) -> None:
    options = {"type": "iam", "role": "web", "region": "us-east-1", "access_key": "AKIA1", "secret_key": CANARY}
    done = log_in(LoginConfig.from_options(options), vault)
    assert done.login.token
    assert done.login.token.client_token


def _rendered(vault: Vault) -> None:
    render(compiled(TEMPLATE, strict=True), TEMPLATE, lambda ask: reads.fetch(vault, CANARY, ask)[0])


CALLS: dict[str, t.Callable[[Vault], object]] = {
    "login": lambda vault: _login(vault, 0),
    "wrapped login": lambda vault: _login(vault, 60),
    "whole login": _whole_login,
    "lookup": lambda vault: vault.lookup_self(CANARY),
    "standing": lambda vault: vault.standing(TOKEN, fresh=True),
    "renew": lambda vault: vault.renew_self(CANARY, 60),
    "revoke": lambda vault: vault.revoke_self(CANARY),
    "unwrap": lambda vault: unwrapped.unwrap(vault, unwrapped.Wrapping(CANARY, PATH)),
    "wrap": lambda vault: vault.wrap(CANARY, 60),
    "discard": lambda vault: vault.discard(CANARY),
    "still wraps": lambda vault: vault.still_wraps(CANARY),
    "health": lambda vault: vault.health(),
}
SENDS_NOTHING = ("health",)
READS: dict[str, t.Callable[[Vault], object]] = {
    "read": lambda vault: reads.fetch(vault, CANARY, Ask("kv/data/app", 2)),
    "write": lambda vault: reads.fetch(vault, CANARY, Ask("pki/issue/web", None, f'{{"key": "{CANARY}"}}')),
    "renew lease": lambda vault: reads.renew(vault, CANARY, Ask("db/creds/app"), f"db/creds/app/{CANARY}"),
    "render": _rendered,
}


def _judge(example: dict[str, t.Any]) -> str:
    given = example["replies"]
    if example["call"] in SENDS_NOTHING:  # so a secret in the answer is known by its shape only
        known = f"hvs.{CANARY}"
        given = [{**one, "body": one["body"].replace(CANARY.encode(), known.encode())} for one in given]
        given = [{**one, "headers": {k: v.replace(CANARY, known) for k, v in one["headers"].items()}} for one in given]
    answers = [Reply(one["status"], one["body"], one["headers"]) for one in given]
    call = {**CALLS, **READS}[example["call"]]
    with (
        Web(answers) as web,
        plain_vault_at(web.url, retries=0, timeout=5) as vault,
        mock.patch.object(vault_module, "_SETTLING", 0.0),
    ):
        return ended(lambda: call(vault), VaultError, RenderError)


def _judge_bytes(example: bytes) -> str:
    server = Web(Reply(raw=lambda sock: sock.sendall(example)))
    with server as web, plain_vault_at(web.url, retries=0, timeout=5) as vault:
        return ended(lambda: vault.lookup_self(CANARY), VaultError)


_auth = changed({**AUTH, "client_token": CANARY})
_data: Strategy = st.one_of(changed(LOOKUP["data"]), changed({"token": CANARY, "creation_path": PATH}), json_values)
_nearly = st.fixed_dictionaries(
    {
        "auth": _auth,
        "data": changed({**LOOKUP["data"], "token": CANARY, "creation_path": PATH}),
        "wrap_info": changed(WRAP_INFO),
        **{name: st.just(value) for name, value in HEALTH.items()},
    }
)
_bodies: Strategy = st.one_of(
    _nearly,
    _nearly,
    _nearly,
    st.fixed_dictionaries({"auth": _auth | json_values}),
    st.fixed_dictionaries({"data": _data}),
    st.fixed_dictionaries({"wrap_info": changed(WRAP_INFO) | json_values}),
    st.fixed_dictionaries({"errors": st.lists(json_values, max_size=3) | json_values}),
    changed(HEALTH),
    json_values,
)
_secrets: Strategy = st.one_of(
    st.tuples(changed(LEASE), st.one_of(changed(SECRET), changed(KV2), json_values)).map(
        lambda two: {**two[0], "data": two[1]}
    ),
    st.fixed_dictionaries({"errors": st.lists(json_values, max_size=3)}),
    json_values,
)
calls = Target(
    "server answers",
    "answers to logins, lookups, renewals, revocations, wrapping, unwrapping, health",
    st.fixed_dictionaries({"call": st.sampled_from([*CALLS]), "replies": replies(_bodies)}),
    _judge,
    share=16,
)
secrets = Target(
    "template answers",
    "answers to reads, writes and renewals of leases, and what templates make of them",
    st.fixed_dictionaries({"call": st.sampled_from([*READS]), "replies": replies(_secrets)}),
    _judge,
    share=8,
)
raw = Target(
    "server answers, bytes",
    "what is not even HTTP",
    st.binary(max_size=80) | st.binary(max_size=40).map(lambda rest: b"HTTP/1.1 200 OK\r\n" + rest),
    _judge_bytes,
    share=2,
)
TARGETS = (calls, secrets, raw)
