# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a server answers for templates, over an hour of simulated time."""

from __future__ import annotations

import dataclasses
import math
import random
import typing as t

import hypothesis.strategies as st

from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.templates import plan
from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.templates.plan import (
    FLOOR,
    Ask,
    Fetch,
    Grant,
    Known,
    Pace,
    Renew,
    Setback,
    State,
)
from ansible_collections.vaultfleet.aws.tests.unit.support.fuzz.target import FINE, Target

ASKS = {
    "kv": Ask("kv/data/app"),
    "db": Ask("db/creds/app"),
    "certificate": Ask("pki/issue/web", None, '{"common_name": "x"}'),
}
SETBACKS = {"away": Setback("the server is away"), "denied": Setback("permission denied", permanent=True)}
NOW = 1000.0


def _answer(answer: t.Any) -> Grant | Setback:
    """What an example's answer stands for: the name of a setback, or ttl, leased, renewable."""
    if isinstance(answer, str):
        return SETBACKS[answer]
    ttl, leased, renewable = answer
    return Grant(0, ttl, "id" if leased and ttl else "", renewable)


def _judge(example: dict[str, t.Any]) -> str:
    """No request within the floor, no rendering with what has ended, and time goes on."""
    seed, tokens = example["seed"], example["tokens"]
    answers = [_answer(answer) for answer in example["answers"]]
    templates = [{ASKS[name] for name in names} for names in example["templates"]]
    luck = random.Random(seed)  # noqa: S311 (a game)
    state = plan.tokened(plan.initial(Pace(), ((0.0, 0.0),) * len(templates), seed), 1, NOW)
    now, number, begun = NOW, 1, dict[Ask, float]()

    def ask_for(state: State, ask: Ask) -> State:
        assert now - begun.get(ask, -math.inf) >= FLOOR - 1e-6, "within the floor"
        begun[ask] = now
        answer = luck.choice(answers)
        if isinstance(answer, Setback):
            return plan.failed(state, ask, answer, now)
        return plan.got(state, ask, dataclasses.replace(answer, since=now), now)

    for _step in range(400):
        task = plan.next_task(state, now)
        if task is None:
            wake = plan.wake(state)
            assert wake > now, "it wants to be woken for nothing"
            due = NOW + tokens[0] if tokens else math.inf
            if min(wake, due) == math.inf:
                break
            if due <= wake:
                tokens, number, now = tokens[1:], number + 1, max(now, due)
                state = plan.tokened(state, number, now)
            else:
                now = wake
        elif isinstance(task, Renew):
            known = state.asks[task.ask]
            assert known.grant
            assert now < known.grant.since + known.grant.ttl, "what has ended is renewed"
            begun[task.ask] = now
            answer = luck.choice(answers)
            if isinstance(answer, Setback):
                state = plan.failed(state, task.ask, answer, now)
            else:
                state = plan.renewed(state, task.ask, dataclasses.replace(answer, since=now), now)
        elif isinstance(task, Fetch):
            state = ask_for(state, task.ask)
        else:
            uses = templates[task.template]
            for ask in sorted(uses, key=lambda one: one.path):
                if plan.must_fetch(state, ask, now):
                    state = ask_for(state, ask)
                if not state.asks.get(ask, Known()).holds(now):
                    state = plan.blocked(state, task.template, uses)
                    break
            else:
                state = plan.rendered(state, task.template, uses)
    else:
        assert now > NOW + 5, "a hot loop"
    return FINE


_grants = st.tuples(st.sampled_from([0.0, 1.0, 2.0, 60.0, 3600.0]), st.booleans(), st.booleans()).map(list)
TARGETS = (
    Target(
        "template times",
        "leases, refusals and tokens over simulated time",
        st.fixed_dictionaries(
            {
                "seed": st.integers(0, 2**40),
                "answers": st.lists(_grants | st.sampled_from([*SETBACKS]), min_size=1, max_size=8),
                "templates": st.lists(
                    st.sets(st.sampled_from([*ASKS]), max_size=3).map(sorted), min_size=1, max_size=4
                ),
                "tokens": st.lists(st.floats(1, 2000), max_size=3),
            }
        ),
        _judge,
        share=2,
    ),
)
