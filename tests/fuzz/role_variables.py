# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variables of the role."""

from __future__ import annotations

import json
import typing as t

from hypothesis import strategies as st

from ansible_collections.vaultfleet.aws.plugins.plugin_utils._role import peers
from ansible_collections.vaultfleet.aws.plugins.plugin_utils._role.plan import KNOWN, PREFIX, Plan, PlanError, plan
from ansible_collections.vaultfleet.aws.tests.unit.support.fuzz.target import CANARY, FINE, Target, shown
from ansible_collections.vaultfleet.aws.tests.unit.support.fuzz.values import near
from tests.fuzz.module_options import JUNK

_BASE: dict[str, t.Any] = {
    "name": "vault-agent",
    "state": "present",
    "service_state": "started",
    "type": "iam",
    "sinks": [{"path": "/run/vault-agent/token", "mode": "0640"}],
    "readers": [],
    "wait_timeout": 60,
    "url": "https://vault.example.org:8200",
    "role": "web",
}
_SECRETS = ("access_key", "secret_key", "session_token", "nonce")
_SINK = st.fixed_dictionaries(
    {},
    optional={
        "path": st.sampled_from(["/run/vault-agent/token", "/run/x", "/", "x", "/etc/x\n"]) | JUNK,
        **dict.fromkeys(
            ("mode", "owner", "group", "wrap_ttl", "dh_type", "dh_path", "aad", "derive_key", "other"), JUNK
        ),
    },
)
_TEMPLATE = st.fixed_dictionaries(
    {},
    optional={
        "dest": st.sampled_from(["/run/vault-agent/app.conf", "/etc/app.conf", "x", ""]) | JUNK,
        "contents": st.sampled_from(["{{ secret('kv/data/app').data.x }}", "{{", "{% include 'x' %}", "{{ y }}"])
        | JUNK,
        **dict.fromkeys(("src", "mode", "owner", "group", "reload", "command", "wait", "other"), JUNK),
    },
)
_DRAWN: dict[str, st.SearchStrategy[t.Any]] = {
    **{name: near(name, JUNK) for name in sorted(KNOWN)},
    **{name: st.sampled_from([CANARY, f"{CANARY}\n", f"{CANARY} x", [CANARY], f"{CANARY}%\0"]) for name in _SECRETS},
    "sinks": st.lists(_SINK, max_size=2) | JUNK,
    "templates": st.lists(_TEMPLATE, max_size=2) | JUNK,
    "state": st.sampled_from(["present", "present", "absent"]) | JUNK,
    "readers": near("readers", st.lists(st.sampled_from(["app", "0", "-x"]) | JUNK, max_size=2) | JUNK),
    "no_such_variable": JUNK,
}

_NAMES = st.sampled_from(sorted(_DRAWN))


def _judge(example: dict[str, t.Any]) -> str:
    variables = {f"{PREFIX}{name}": value for name, value in {**_BASE, **example}.items()}
    try:
        made = plan(variables)
        problems = peers.refused_for(made, {})
        if problems:
            raise PlanError(problems)
    except PlanError as e:
        said = e.problems
    else:
        return _planned(made)
    assert said
    for problem in said:
        shown(problem)
        assert problem.startswith(PREFIX), f"no variable is named: {problem}"
    return "PlanError"


def _planned(made: Plan) -> str:
    json.dumps(made.config)
    json.dumps(peers.planned(made, {}))
    assert CANARY not in repr(made)
    assert CANARY not in str(made.config), "a secret in the agent's file"
    return FINE


TARGETS = (
    Target(
        "role variables",
        "the variables of vault_agent",
        st.one_of(st.sets(_NAMES, max_size=1), st.sets(_NAMES, max_size=2), st.sets(_NAMES, max_size=5)).flatmap(
            lambda names: st.fixed_dictionaries({name: _DRAWN[name] for name in sorted(names)})
        ),
        _judge,
        share=8,
    ),
)
