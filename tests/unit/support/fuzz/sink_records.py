# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A sink and the record beside it, which others may have altered."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import tempfile
import typing as t
from pathlib import Path
from unittest import mock

import hypothesis.strategies as st

from ansible_collections.vaultfleet.aws.plugins.module_utils._auth import kept
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth import vault as vault_module
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.config import LoginConfig
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.errors import SinkError, VaultError
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.sink import Sink
from ansible_collections.vaultfleet.aws.tests.unit.support.fuzz.target import CANARY, Target, ended
from ansible_collections.vaultfleet.aws.tests.unit.support.fuzz.values import Strategy, changed, json_values, written
from ansible_collections.vaultfleet.aws.tests.unit.support.vaults import LOOKUP, plain_vault_at
from ansible_collections.vaultfleet.aws.tests.unit.support.web import Reply, Web

CONFIG = LoginConfig(type="iam", role="web")
RECORD: dict[str, t.Any] = {
    "fingerprint": "of the token",
    "accessor": "acc",
    "url": "of the server",
    "namespace": "",
    "mount_path": "aws",
    "role": "web",
    "type": "iam",
    "expires_at": 9999999999.0,
    "trusted": False,
    "version": 1,
}


@functools.cache
def _server() -> Web:
    """One for all examples; its threads end with the process."""
    return Web(lambda seen: Reply(204) if seen.path.endswith("/revoke-self") else Reply(200, LOOKUP)).__enter__()


def put(folder: str, token: bytes, record: t.Any, url: str) -> str:
    """Write a sink, and its record if there is one; the path."""
    path = Path(folder) / "token"
    path.write_bytes(token)
    if record is not None:
        known = {
            "of the token": hashlib.sha256(token.decode("utf-8", "replace").strip().encode()).hexdigest(),
            "of the server": url,
        }
        if isinstance(record, dict):
            record = {k: known.get(v, v) if isinstance(v, str) else v for k, v in record.items()}
            for name in ("url", "namespace"):  # which are no secrets, wherever they are from
                if isinstance(record.get(name), str):
                    record[name] = record[name].replace(CANARY, "other")
        text = record if isinstance(record, bytes) else json.dumps(record).encode()
        path.with_name("token.meta").write_bytes(text)
    return str(path)


def _judge(example: dict[str, t.Any]) -> str:
    with (
        tempfile.TemporaryDirectory() as folder,
        plain_vault_at(_server().url, retries=0, timeout=5) as vault,
        mock.patch.object(vault_module, "_SETTLING", 0.0),
    ):
        place = Sink(put(folder, example["token"], example["record"], _server().url))

        def work() -> None:
            if example["do"] == "discard":
                kept.discard(place, vault)
                assert not os.path.lexists(place.path)
                return
            found = kept.examine(place, CONFIG, vault, 60)
            assert bool(found.token) is not bool(found.why)
            assert CANARY not in repr(found.token)
            assert found.why.isprintable()
            assert CANARY not in found.why

        return ended(work, SinkError, VaultError)


TOKENS: Strategy = st.one_of(
    st.just(CANARY.encode()),
    st.just(CANARY.encode()),
    st.sampled_from([b"", b"\n", f"{CANARY}\n".encode(), b"a\nb", b"\xff\xfe", "\u2028".encode(), b"\xc3\xbc", b"\0"]),
    st.binary(max_size=20),
    st.text(max_size=20).map(str.encode),
)
RECORDS: Strategy = st.one_of(st.just(RECORD), changed(RECORD), changed(RECORD), written(json_values), st.just(None))
TARGETS = (
    Target(
        "sink records",
        "a sink's file, and the record beside it",
        st.fixed_dictionaries({"do": st.sampled_from(["examine", "discard"]), "token": TOKENS, "record": RECORDS}),
        _judge,
        share=6,
    ),
)
