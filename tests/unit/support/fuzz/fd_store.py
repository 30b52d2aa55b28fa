# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the service manager gives back: records of the agent's nonce and token, and whatever else."""

from __future__ import annotations

import dataclasses
import json
import typing as t
from pathlib import Path

import hypothesis.strategies as st

from ansible_collections.vaultfleet.aws.plugins.module_utils._agent import store as module
from ansible_collections.vaultfleet.aws.plugins.module_utils._agent import wrapping
from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.store import Store
from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.systemd import Notifier
from ansible_collections.vaultfleet.aws.tests.unit.support.fuzz.target import CANARY, FINE, Target, shown
from ansible_collections.vaultfleet.aws.tests.unit.support.fuzz.values import changed, json_values, written

KEY = "0" * 64
WRAPPING = {
    "number": 1, "token": CANARY, "text": CANARY, "since": 1.5, "ttl": 60.0, "wished": 60, "used": False
}  # fmt: skip
TOKEN: dict[str, t.Any] = {
    "v": 1,
    "seq": 5,
    "binding": "b",
    "boot": "x",
    "token": CANARY,
    "accessor": "a",
    "since": 1.5,
    "ttl": 60,
    "renewable": True,
    "num_uses": 0,
    "asks": None,
    "granted": 60,
    "wrapped": {"/run/token": WRAPPING},
}
NONCE: dict[str, t.Any] = {"v": 1, "seq": 1, "key": KEY, "nonce": CANARY}
_NAMES = [
    "vf-nonce-1",
    "vf-token-1",
    "vf-nonce-2",
    "vf-token-2",
    "vf-nonce-x",
    "vf-probe",
    "x",
    "\n",
    "vf-token-\udc80",
]


def _open_descriptors() -> int:
    return sum(1 for _entry in Path("/proc/self/fd").iterdir())


def _judge(example: list[list[t.Any]]) -> str:
    """Never an error, never a descriptor left open, and no secret in what is told."""
    before = _open_descriptors()
    fds: dict[str, list[int]] = {}
    boot = module._boot_id()
    for name, content in example:
        fields = (
            {**content, **({"boot": boot} if content.get("boot") == "x" else {})} if isinstance(content, dict) else {}
        )
        descriptor = module._sealed(content if isinstance(content, bytes) else json.dumps(fields).encode())
        fds.setdefault(name, []).append(descriptor)
    store = Store.from_fds(Notifier(None), fds)
    kept = store.token("b")
    nonce = store.nonce(KEY)
    assert nonce is None or (nonce.isprintable() and 0 < len(nonce.encode()) <= 128)
    if kept:
        assert CANARY not in repr(dataclasses.replace(kept, accessor=""))  # which is no secret
        assert kept.client_token.isascii()
        for fields in kept.wrapped.values():
            one = wrapping.kept(fields, kept.lease.number)
            assert one is None or (one.token.isprintable() and one.ends > 0)
    assert _open_descriptors() == before
    for problem in store.problems:
        shown(problem)
    return FINE if kept or nonce else "nothing kept"


_token = changed({**TOKEN, "wrapped": {}}) | changed(WRAPPING).map(
    lambda one: {**TOKEN, "wrapped": {"/run/token": one}}
)
_contents = st.one_of(_token, changed(NONCE), written(json_values), json_values.map(lambda v: {**NONCE, "extra": v}))
TARGETS = (
    Target(
        "kept state",
        "records in the service manager's store",
        st.lists(st.tuples(st.sampled_from(_NAMES), _contents).map(list), max_size=6),
        _judge,
        share=6,
    ),
)
