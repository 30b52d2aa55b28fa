# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The agent's configuration, as an object and as bytes."""

from __future__ import annotations

import json
import tempfile
import typing as t
from pathlib import Path

import hypothesis.strategies as st

from ansible_collections.vaultfleet.aws.plugins.module_utils._agent import keys
from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.config import ConfigErrors, Problem, load
from ansible_collections.vaultfleet.aws.tests.unit.support.fuzz.target import CANARY, FINE, Target, shown
from ansible_collections.vaultfleet.aws.tests.unit.support.fuzz.values import near

SECRETS = ("secret_key", "session_token", "nonce")

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 700) | st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(
        ["iam", "ec2", "aws", "file", "5m", "0640", "auto", "", "/", "https://vault:8200", "team", "true", "\0"]
    ),
)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


def table(of: keys.Table, **blocks: st.SearchStrategy[t.Any]) -> st.SearchStrategy[t.Any]:
    """A block with keys that are known, refused or unknown, and values that are mostly near what is right."""
    names = [name for name in (*of.kinds, *of.refused) if name not in blocks and name not in SECRETS]
    secrets = {name: st.sampled_from([CANARY, CANARY + "\n", [CANARY]]) for name in SECRETS if name in of.kinds}
    optional = {**dict.fromkeys(names, scalars), **secrets, **blocks}
    known = st.fixed_dictionaries({}, optional=optional)
    full = st.tuples(known, st.dictionaries(st.text(max_size=6), anything, max_size=1)).map(
        lambda two: {**two[1], **two[0]}
    )
    return st.one_of(full, full, st.lists(full, max_size=2), full.map(lambda inner: {"aws": inner}), anything)


files = table(keys.FILE, path=st.sampled_from(["/tmp/token", "token", "/", "/tmp/token/x"]) | scalars)
sinks = table(keys.SINK, type=st.just("file") | scalars, config=files)
method = table(keys.METHOD, type=st.just("aws") | scalars, config=table(keys.AWS, type=st.sampled_from(["iam", "ec2"])))
vault = table(keys.VAULT, retry=table(keys.RETRY))
documents = table(
    keys.TOP, vault=vault, auto_auth=table(keys.AUTO_AUTH, method=method, sink=sinks, sinks=sinks | st.just([]))
)
_AWS = {"type": "iam", "role": "web", "region": "us-east-1"}
_BLOCKS: dict[str, tuple[keys.Table, t.Callable[[t.Any], t.Any]]] = {
    "top": (keys.TOP, lambda top: top),
    "vault": (keys.VAULT, lambda top: top["vault"]),
    "retry": (keys.RETRY, lambda top: top["vault"].setdefault("retry", {})),
    "auto_auth": (keys.AUTO_AUTH, lambda top: top["auto_auth"]),
    "method": (keys.METHOD, lambda top: top["auto_auth"]["method"][0]),
    "aws": (keys.AWS, lambda top: top["auto_auth"]["method"][0]["config"]),
    "sink": (keys.SINK, lambda top: top["auto_auth"]["sink"][0]),
    "file": (keys.FILE, lambda top: top["auto_auth"]["sink"][0]["config"]),
}


def _nearly(changes: list[tuple[str, str, t.Any]]) -> dict[str, t.Any]:
    """A good configuration with a few keys as they should not be."""
    sink = {"type": "file", "config": {"path": "/tmp/token"}}
    auto_auth = {"method": [{"type": "aws", "config": dict(_AWS)}], "sink": [sink]}
    top: dict[str, t.Any] = {"vault": {"address": "https://vault.test:8200"}, "auto_auth": auto_auth}
    blocks = {name: find(top) for name, (_table, find) in _BLOCKS.items() if name in {one[0] for one in changes}}
    for block, key, value in changes:
        blocks[block][key] = value
    return top


def _change(block: str) -> st.SearchStrategy[t.Any]:
    of = _BLOCKS[block][0]
    key = st.sampled_from([*of.kinds, *of.refused, "other"])
    secret = st.sampled_from([CANARY, CANARY + "\n", [CANARY]])
    return key.flatmap(
        lambda key: st.tuples(st.just(block), st.just(key), near(key, secret if key in SECRETS else anything))
    )


nearly = st.lists(st.sampled_from([*_BLOCKS]).flatmap(_change), max_size=3).map(_nearly)
variables = st.dictionaries(
    st.sampled_from(
        ["VAULT_ADDR", "BAO_ADDR", "VAULT_NAMESPACE", "VAULT_CLIENT_TIMEOUT", "VAULT_SKIP_VERIFY", "BAO_CACERT"]
    ),
    st.text(max_size=10),
    max_size=3,
)


def _judge(example: dict[str, t.Any]) -> str:
    content = example["file"] if isinstance(example["file"], bytes) else json.dumps(example["file"]).encode()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "agent.json"
        place.touch(0o600)
        place.write_bytes(content)
        path = str(place)
        problems: tuple[Problem, ...] = ()
        config = None
        try:
            config = load([path], example["environ"])
        except ConfigErrors as e:
            problems = e.problems
    assert bool(config) != bool(problems)
    assert CANARY not in repr(config)
    for problem in problems:
        shown(str(problem))
        assert problem.file in (path, "environment"), problem.file
        assert problem.key or any(word in problem.text for word in ("JSON", "number", "UTF-8")), str(problem)
        assert problem.text
        assert problem.hint
    return "ConfigErrors" if config is None else FINE


objects = Target(
    "agent configuration",
    "objects with the agent's keys, and variables of its environment",
    st.fixed_dictionaries(
        {"file": st.booleans().flatmap(lambda near: nearly if near else documents), "environ": st.just({}) | variables}
    ),
    _judge,
    share=8,
)
raw = Target(
    "agent configuration, bytes",
    "bytes, and text with the characters of JSON",
    st.fixed_dictionaries(
        {
            "file": st.binary(max_size=60)
            | st.text(alphabet='{}[]":,\\ \nantrue019.e-\ufeff', max_size=60).map(str.encode),
            "environ": st.just({}),
        }
    ),
    _judge,
    share=4,
)
TARGETS = (objects, raw)
