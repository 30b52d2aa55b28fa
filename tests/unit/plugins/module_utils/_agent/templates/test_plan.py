# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When templates' secrets are read, renewed and rendered."""

from __future__ import annotations

import math
import typing as t

from hypothesis import given

from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.templates import plan
from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.templates.plan import (
    FLOOR,
    Ask,
    Fetch,
    Grant,
    Pace,
    Render,
    Renew,
    Setback,
    State,
)
from ansible_collections.vaultfleet.aws.tests.unit.support.fuzz.target import bounded
from ansible_collections.vaultfleet.aws.tests.unit.support.fuzz.template_plan import TARGETS

[target] = TARGETS
KV = Ask("kv/data/app")
DB = Ask("db/creds/app")
CERTIFICATE = Ask("pki/issue/web", None, '{"common_name": "x"}')
NOW = 1000.0
AWAY = Setback("the server is away")
DENIED = Setback("permission denied", permanent=True)


def started(
    *uses: set[Ask], waits: tuple[tuple[float, float], ...] = (), seed: int = 1, pace: Pace | None = None
) -> State:
    """A state with token 1, whose templates were rendered with these, all read just now."""
    state = plan.initial(pace or Pace(), waits or ((0.0, 0.0),) * len(uses), seed)
    state = plan.tokened(state, 1, NOW)
    grants = {DB: Grant(NOW, 600.0, "db/creds/app/1", renewable=True), CERTIFICATE: Grant(NOW, 600.0)}
    for ask in sorted(set().union(*uses), key=lambda one: one.path):
        state = plan.got(state, ask, grants.get(ask, Grant(NOW)), NOW)
    for index, used in enumerate(uses):
        state = plan.rendered(state, index, used)
    return state


def share(state: State, ask: Ask) -> float:
    """At what part of 600 s something is due."""
    return (state.asks[ask].due - NOW) / 600


def test_nothing_is_done_without_a_token() -> None:
    state = plan.initial(Pace(), ((0.0, 0.0),), 1)
    assert plan.next_task(state, NOW) is None
    assert plan.wake(state) == math.inf
    state = plan.tokened(state, 1, NOW)
    assert plan.next_task(state, NOW) == Render(0)
    assert plan.next_task(plan.tokened(state, 0, NOW), NOW) is None


def test_what_is_not_known_is_asked_for_by_the_rendering() -> None:
    state = plan.tokened(plan.initial(Pace(), ((0.0, 0.0),), 1), 1, NOW)
    assert plan.must_fetch(state, KV, NOW)
    state = plan.got(state, KV, Grant(NOW), NOW)
    assert not plan.must_fetch(state, KV, NOW)
    state = plan.failed(state, DB, AWAY, NOW)
    assert not plan.must_fetch(state, DB, NOW)
    assert plan.must_fetch(state, DB, NOW + 10)


def test_each_kind_has_its_time() -> None:
    for seed in range(100):
        state = started({KV, DB, CERTIFICATE}, seed=seed)
        assert 0.62 <= share(state, DB) <= 0.70
        assert state.asks[DB].renew
        assert 0.85 <= share(state, CERTIFICATE) <= 0.90
        assert 0.95 * 300 <= state.asks[KV].due - NOW <= 1.05 * 300


def test_other_times() -> None:
    state = plan.got(started(), Ask("sys/hmac", None, "{}"), Grant(NOW), NOW)
    assert state.asks[Ask("sys/hmac", None, "{}")].due == math.inf
    assert plan.got(state, KV, Grant(NOW, rotates=20), NOW).asks[KV].due == NOW + 21
    state = plan.got(state, DB, Grant(NOW, 600, "id", renewable=False), NOW)
    assert not state.asks[DB].renew
    assert 0.85 <= share(state, DB) <= 0.90


def test_a_renewal_leaves_the_file_alone_until_the_maximum_is_met() -> None:
    state = started({DB})
    due = state.asks[DB].due
    assert plan.next_task(state, due) == Renew(DB, "db/creds/app/1")
    state = plan.renewed(state, DB, Grant(due, 600, "", renewable=True), due)
    assert plan.wake(state) == state.asks[DB].due > due
    assert state.asks[DB].renew
    due = state.asks[DB].due
    state = plan.renewed(state, DB, Grant(due, 100, "", renewable=True), due)
    assert 0.85 <= (state.asks[DB].due - due) / 100 <= 0.90
    assert plan.next_task(state, state.asks[DB].due) == Fetch(DB)


def test_what_the_maximum_leaves_is_too_short_to_wait_for() -> None:
    """A few seconds, or none: the next fetch, which may take a while, is not left to the last moment."""
    state = started({DB})
    due = state.asks[DB].due
    for left, earliest in ((20, 15), (3, 0), (1, 0)):
        capped = plan.renewed(state, DB, Grant(due, left, "", renewable=True), due)
        assert capped.asks[DB].due == due + earliest
        assert plan.next_task(capped, due + max(earliest, FLOOR)) == Fetch(DB)


def test_a_renewal_that_fails() -> None:
    state = started({DB})
    now = state.asks[DB].due
    assert plan.next_task(plan.failed(state, DB, DENIED, now), now + FLOOR) == Fetch(DB)
    while now < NOW + 700:
        state = plan.failed(state, DB, AWAY, now)
        now = state.asks[DB].begins
        task = plan.next_task(state, now)
        assert isinstance(task, Renew) == (now < NOW + 600 * 0.85), now - NOW
    assert isinstance(plan.next_task(state, now), Fetch)


def test_a_failure_has_a_growing_pause_and_minds_the_server() -> None:
    longest = []
    for failures in (1, 3, 20):
        pauses = []
        for seed in range(100):
            state = started(seed=seed, pace=Pace(min_backoff=2, max_backoff=60))
            for _time in range(failures):
                state = plan.failed(state, KV, AWAY, NOW)
            pauses.append(state.asks[KV].due - NOW)
        assert min(pauses) >= (45 if failures == 20 else 2)
        longest.append(max(pauses))
    assert longest[0] <= 4 < longest[1] <= 16 < longest[2] <= 60
    assert plan.failed(started(), KV, Setback("busy", retry_after=100), NOW).asks[KV].due >= NOW + 100
    assert plan.failed(started(), KV, Setback("busy", retry_after=3600), NOW).asks[KV].due <= NOW + 302


def test_a_template_waits_for_what_failed() -> None:
    state = plan.tokened(plan.initial(Pace(), ((0.0, 0.0),) * 2, 1), 1, NOW)
    state = plan.blocked(plan.failed(state, KV, AWAY, NOW), 0, {KV})
    state = plan.rendered(state, 1, set())
    assert plan.setbacks(state) == [AWAY, None]
    assert plan.done(state) == 0
    now = plan.wake(state)
    assert plan.next_task(state, now) == Fetch(KV)
    state = plan.got(state, KV, Grant(now), now)
    assert plan.next_task(state, now) == Render(0)
    state = plan.rendered(state, 0, {KV})
    assert plan.setbacks(state) == [None, None]
    assert plan.done(state) == 1


def test_a_template_that_fails_by_itself() -> None:
    state = started({KV, DB})
    spoilt = plan.spoilt(state, 0, {KV, DB}, DENIED, NOW, placed=False, anew=True)
    assert plan.setbacks(spoilt) == [DENIED]
    due = spoilt.stands[0].due
    assert spoilt.asks[KV].due == due  # it may say something else then
    assert spoilt.asks[DB] == state.asks[DB]  # but a lease is not had for that
    assert plan.next_task(spoilt, due) == Fetch(KV)
    placed = plan.spoilt(plan.tokened(state, 2, NOW), 0, {KV}, AWAY, NOW, placed=True, anew=False)
    assert plan.done(placed) == 2
    assert placed.asks[KV] == state.asks[KV]


def test_another_token() -> None:
    """What hangs on the old one is read anew, the rest is not; all is rendered again."""
    state = plan.failed(started({KV, DB, CERTIFICATE}), Ask("kv/data/other"), DENIED, NOW)
    state = plan.tokened(state, 2, NOW + 50)
    assert state.asks[KV].due > NOW + 100
    assert state.asks[CERTIFICATE].due > NOW + 100
    assert not state.asks[DB].holds(NOW + 50)
    tasks = []
    while isinstance(task := plan.next_task(state, NOW + 50), Fetch):
        tasks.append(task.ask)
        state = plan.got(state, task.ask, Grant(NOW + 50), NOW + 50)
    assert sorted(tasks, key=lambda one: one.path) == [DB, Ask("kv/data/other")]
    assert task == Render(0)
    assert plan.done(state) == 0
    assert plan.tokened(state, 2, NOW + 60) == state


def test_a_change_waits_until_nothing_changes() -> None:
    state = started({KV}, waits=((5.0, 12.0),))
    seen = []
    for after in (0, 4, 8, 12):
        state = plan.got(state, KV, Grant(NOW + after), NOW + after)
        seen.append(state.stands[0].due - NOW)
    assert seen == [5, 9, 12, 12]
    first = plan.tokened(plan.initial(Pace(), ((5.0, 12.0),), 1), 1, NOW)
    assert plan.next_task(first, NOW) == Render(0)


def test_what_nobody_uses_any_more_is_forgotten() -> None:
    state = started({KV}, {DB})
    state = plan.rendered(state, 1, {KV})
    assert set(state.asks) == {KV}
    state = plan.reloaded(started({KV}, {DB}), Pace(), ((0.0, 0.0),))
    assert set(state.asks) == {KV, DB}  # until it is known what the new templates use
    assert set(plan.rendered(state, 0, {DB}).asks) == {DB}


def test_look_now() -> None:
    state = plan.look_now(plan.failed(started({KV, DB, CERTIFICATE}), DB, AWAY, NOW), NOW + 10)
    assert {ask for ask, known in state.asks.items() if known.begins <= NOW + 10} == {KV, DB}
    assert state.stands[0].due == NOW + 10


def test_nothing_shows_a_secret() -> None:
    shown = repr(Ask("p", None, '{"a": "canary"}')) + repr(Grant(1, 1, "canary")) + repr(Renew(KV, "canary"))
    assert "canary" not in shown


@bounded(150)
@given(target.examples)
def test_whatever_the_server_answers(example: dict[str, t.Any]) -> None:
    """No request within the floor, no rendering with what has ended, and time goes on."""
    target.judge(example)
