# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lookup's shared records and notes: whatever stands there costs a login, and nothing worse."""

from __future__ import annotations

import json
import os
import tempfile
import typing as t
from pathlib import Path
from unittest import mock

from hypothesis import strategies as st

from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.config import LoginConfig, VaultConnection
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.errors import LoginError
from ansible_collections.vaultfleet.aws.plugins.plugin_utils import _hit, _shared
from ansible_collections.vaultfleet.aws.plugins.plugin_utils._cleanup import revoke_created
from ansible_collections.vaultfleet.aws.plugins.plugin_utils._shared import Wish, shared_login
from ansible_collections.vaultfleet.aws.plugins.plugin_utils._store import StoreError, open_store
from ansible_collections.vaultfleet.aws.tests.unit.support import certificates
from ansible_collections.vaultfleet.aws.tests.unit.support.fuzz.target import CANARY, Target, ended, shown
from ansible_collections.vaultfleet.aws.tests.unit.support.fuzz.values import Strategy, changed, json_values, written
from tests.fuzz.servers import everything

_NOTE = "given-" + "0" * 64
_ANSWER = {"auth": {"client_token": CANARY, "accessor": "a", "lease_duration": 60}}
RECORD: dict[str, t.Any] = {
    "token": CANARY, "answer": _ANSWER, "ttl": 3600, "renewable": True, "ends": 1e12, "checked": 1e9, "asks": True,
    "version": 1,
}  # fmt: skip
ONE: dict[str, t.Any] = {"key": "@key@", "min_ttl": 60, "check_interval": 30, "whole": False}
FAILURE: dict[str, t.Any] = {"message": "no", "until": 1.0, "version": 1}
CREATED: dict[str, t.Any] = {"token": CANARY, "connection": {"url": "@url@", "retries": 0, "timeout": 5}, "ends": None}
OWNER: dict[str, t.Any] = {
    "run": {"pid": 1, "started": 1, "boot_id": "x", "pid_namespace": "y"}, "callback": True
}  # fmt: skip


def _without_secret_url(created: t.Any) -> t.Any:
    """A token to revoke; where its server is is no secret, wherever it is from."""
    connection = created.get("connection")
    if not isinstance(connection, dict) or not isinstance(connection.get("url"), str):
        return created
    return {**created, "connection": {**connection, "url": connection["url"].replace(CANARY, "x")}}


def _judge(example: dict[str, t.Any]) -> str:
    options = {"type": "iam", "role": "web", "region": "us-east-1", "access_key": "AKIA1", "secret_key": CANARY}
    where = {"url": everything(), "retries": 0, "timeout": 5, "ca_cert": certificates.CA}
    wish = Wish(LoginConfig.from_options(options), VaultConnection.from_options(where))
    with (
        tempfile.TemporaryDirectory(dir="/dev/shm") as folder,
        mock.patch.dict(os.environ, {"XDG_RUNTIME_DIR": folder}),
    ):
        key = _shared._key(wish)
        store = open_store()
        assert store.path.startswith(folder)
        for name, content in (
            (key, example["record"]),
            (_NOTE, example["note"]),
            (f"{key}.failed", example["failure"]),
            ("owner.json", example["owner"]),
            ("created", example["created"]),
        ):
            if content is None:
                continue
            text = content if isinstance(content, bytes) else json.dumps(content).encode()
            text = text.replace(b"@key@", key.encode()).replace(b"@url@", everything().encode())
            place = Path(store.path) / name
            place.touch(0o600)
            place.write_bytes(text)
        found = _hit.recall(_NOTE)
        assert found is None or isinstance(found, list)

        def work() -> None:
            answer = shared_login(wish, store)
            assert isinstance(answer["auth"]["client_token"], str)
            shown(revoke_created(store).warning or "none")

        end = ended(work, LoginError, StoreError)
        return end if found is None else "fine, the short way"


_one: Strategy = st.one_of(st.just(ONE), st.just(ONE), changed(ONE), json_values)
_connections = changed(CREATED["connection"]).map(lambda connection: {**CREATED, "connection": connection})
TARGETS = (
    Target(
        "cache records",
        "the lookup's records and notes",
        st.fixed_dictionaries(
            {
                "record": st.one_of(
                    changed(RECORD),
                    changed(_ANSWER["auth"]).map(lambda auth: {**RECORD, "answer": {"auth": auth}}),
                    written(json_values),
                ),
                "note": st.lists(_one, max_size=2).map(lambda ones: {"version": 1, "tokens": ones})
                | written(json_values),
                "failure": st.none() | changed(FAILURE) | written(json_values),
                "created": st.none()
                | (changed(CREATED) | _connections).map(_without_secret_url)
                | written(json_values),
                "owner": st.none() | changed(OWNER) | changed(OWNER["run"]).map(lambda run: {**OWNER, "run": run}),
            }
        ),
        _judge,
        share=6,
    ),
)
