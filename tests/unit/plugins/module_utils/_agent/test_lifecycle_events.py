# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sinks, signals, reloads and the end."""

from __future__ import annotations

import math

import pytest

from ansible_collections.vaultfleet.aws.plugins.module_utils._agent import lifecycle
from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.lifecycle import Phase
from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.messages import (
    Checked,
    CheckNow,
    Exit,
    Forget,
    Keep,
    LoggedIn,
    Policy,
    Purpose,
    Put,
    Ready,
    Reloaded,
    Request,
    Retired,
    Revoked,
    SinkFailed,
    SinkHolds,
    Started,
    Stop,
    Tick,
)
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.token import Standing
from ansible_collections.vaultfleet.aws.tests.unit.plugins.module_utils._agent.play import (
    AWAY,
    POLICY,
    SEEDS,
    Play,
    only,
    policy,
    purposes,
)


def with_sinks(count: int, **values: bool) -> Play:
    """A token is there, and every sink is asked to hold it; none has answered."""
    play = Play(policy(sinks=count, lookup_interval=0, **values), sinks_work=False)
    play.feed(Started())
    actions = play.feed(LoggedIn(play.lease()))
    assert only(actions, Put) == [Put(index, 1) for index in range(count)]
    return play


# --- sinks


def test_ready_comes_once_with_the_first_sink() -> None:
    play = with_sinks(2)

    assert only(play.feed(SinkHolds(1, 1, wrote=True)), Ready) == [Ready()]
    assert only(play.feed(SinkHolds(0, 1, wrote=True)), Ready) == []


def test_a_sink_is_looked_at_every_few_seconds() -> None:
    play = with_sinks(1)
    play.feed(SinkHolds(0, 1, wrote=True))

    puts = [(time, action) for time, action in play.until(play.now + 5) if isinstance(action, Put)]

    assert puts == [(play.now, Put(0, 1))]


def test_a_sink_that_is_looked_at_is_not_asked_again() -> None:
    play = with_sinks(1)

    assert play.until(play.now + 1000) == []


def test_a_sink_that_was_put_back_is_told() -> None:
    play = with_sinks(1)
    play.feed(SinkHolds(0, 1, wrote=True))
    assert play.texts("warn") == []
    play.until(play.now + 5)

    play.feed(SinkHolds(0, 1, wrote=True))

    assert play.texts("warn") == ["a sink was missing or altered, and was put back"]


def test_a_sink_that_got_an_older_token_meanwhile_is_asked_again_at_once() -> None:
    play = Play(policy(lookup_interval=0), sinks_work=False)
    play.log_in(renewable=False)
    play.next_request()
    assert play.state.sinks[0].busy
    assert only(play.feed(LoggedIn(play.lease())), Put) == []

    actions = play.feed(SinkHolds(0, 1, wrote=True))

    assert only(actions, Put) == [Put(0, 2)]


def test_a_failing_sink_is_tried_again_with_growing_pauses_and_said_once() -> None:
    longest = 0.0
    for seed in SEEDS:
        play = Play(policy(lookup_interval=0), seed, sinks_work=False)
        play.log_in(ttl=0)
        bounds = []
        for _round in range(8):
            begun = play.now
            play.feed(SinkFailed(0, "disk full"))
            play.until(play.state.sinks[0].due)
            bounds.append(play.now - begun)
        assert min(bounds) >= 1
        assert max(bounds[:2]) <= 4
        longest = max(longest, *bounds)
        assert play.texts("error") == ["a sink failed: disk full"]
    assert 50 < longest <= 60


def test_another_error_of_a_sink_is_said() -> None:
    play = with_sinks(1)
    play.feed(SinkFailed(0, "disk full"))
    play.until(play.state.sinks[0].due)

    play.feed(SinkFailed(0, "read-only"))

    assert play.texts("error") == ["a sink failed: disk full", "a sink failed: read-only"]


def test_a_failing_sink_holds_up_no_other() -> None:
    play = with_sinks(3)
    play.feed(SinkFailed(1, "disk full"))
    play.feed(SinkHolds(0, 1, wrote=True))
    play.feed(SinkHolds(2, 1, wrote=True))

    assert [sink.holds for sink in play.state.sinks] == [1, 0, 1]
    assert play.state.sinks[0].due == play.state.sinks[2].due == play.now + lifecycle.SINK_LOOK
    assert play.state.ready
    assert lifecycle.phase(play.state) is Phase.AT_RISK


def test_a_new_token_ends_the_pause_of_a_failing_sink() -> None:
    play = Play(sinks_work=False)
    play.log_in()
    for _round in range(6):
        play.feed(SinkFailed(0, "disk full"))
        play.until(play.state.sinks[0].due)
    play.feed(SinkFailed(0, "disk full"))
    assert play.state.sinks[0].due > play.now
    play.feed(Checked(1, Standing.GONE))

    actions = play.feed(LoggedIn(play.lease()))

    assert only(actions, Put) == [Put(0, 2)]


def test_exit_after_auth_waits_for_the_last_sink() -> None:
    play = with_sinks(2, exit_after_auth=True)
    play.feed(SinkHolds(0, 1, wrote=True))
    play.feed(SinkFailed(1, "disk full"))
    assert play.code is None
    play.until(play.state.sinks[1].due)

    play.feed(SinkHolds(1, 1, wrote=True))

    assert play.code == 0


def test_once_gives_up_with_a_sink() -> None:
    play = with_sinks(2, once=True)

    play.feed(SinkFailed(1, "disk full"))

    assert play.code == 3


def test_news_of_a_sink_that_is_none_any_more_changes_nothing() -> None:
    play = with_sinks(1)
    before = play.state.sinks

    play.feed(SinkHolds(5, 1, wrote=True))
    play.feed(SinkFailed(5, "disk full"))

    assert play.state.sinks == before


# --- look now


def test_check_now_looks_the_token_up_and_at_every_sink() -> None:
    play = Play(policy(sinks=2)).serve()

    actions = play.feed(CheckNow(), after=2)

    assert purposes(actions) == [Purpose.CHECK]
    assert only(actions, Put) == [Put(0, 1), Put(1, 1)]


def test_check_now_ends_the_pause_of_a_login() -> None:
    play = Play()
    play.feed(Started())
    for _round in range(9):
        play.next_request()
        play.fail(Purpose.LOGIN)

    assert purposes(play.feed(CheckNow(), after=2)) == [Purpose.LOGIN]


def test_check_now_ends_the_pause_of_a_renewal() -> None:
    play = Play(policy(lookup_interval=0)).serve()
    play.next_request()
    play.fail(Purpose.RENEW)

    assert purposes(play.feed(CheckNow(), after=lifecycle.FLOOR)) == [Purpose.RENEW]


def test_check_now_in_a_loop_is_no_storm() -> None:
    play = Play().serve()
    times = []
    for _round in range(500):
        if purposes(play.feed(CheckNow(), after=0.01)):
            times.append(play.now)
            play.live()

    assert 4 <= len(times) <= 6
    assert all(later - earlier >= lifecycle.FLOOR for earlier, later in zip(times, times[1:]))


# --- reload


def test_a_reload_of_the_same_login_keeps_the_token_and_writes_the_new_sinks() -> None:
    play = Play(policy(sinks=1)).serve()

    actions = play.feed(Reloaded(policy(sinks=3), same_login=True), after=2)

    assert purposes(actions) == []
    assert only(actions, Put) == [Put(index, 1) for index in range(3)]
    assert play.held.number == 1
    assert only(actions, Forget) == []


def test_a_reload_to_another_login_serves_the_old_token_until_there_is_a_new_one() -> None:
    play = Play().serve()

    actions = play.feed(Reloaded(POLICY, same_login=False), after=2)

    assert only(actions, Forget) == [Forget()]
    assert purposes(actions) == [Purpose.LOGIN]
    assert only(actions, Put) == [Put(0, 1)]
    play.fail(Purpose.LOGIN)
    done = play.until(play.now + 1000)
    assert {action.purpose for _time, action in done if isinstance(action, Request)} == {Purpose.LOGIN}
    actions = play.feed(LoggedIn(play.lease()))
    assert only(actions, Put) == [Put(0, 2)]
    assert [keep.lease.number for keep in only(actions, Keep)] == [2]


def test_a_reload_has_a_login_that_waits_tried_at_once() -> None:
    play = Play()
    play.feed(Started())
    for _round in range(9):
        play.next_request()
        play.fail(Purpose.LOGIN)

    assert purposes(play.feed(Reloaded(POLICY, same_login=True), after=2)) == [Purpose.LOGIN]


def test_a_reload_changes_the_interval_of_lookups() -> None:
    play = Play().serve()

    play.feed(Reloaded(policy(lookup_interval=10), same_login=True))
    assert 9 <= play.due(Purpose.CHECK) <= 11

    play.feed(Reloaded(policy(lookup_interval=0), same_login=True))
    assert play.due(Purpose.CHECK) == math.inf


# --- stop


def test_a_stop_leaves_the_token_alone() -> None:
    play = Play().serve()

    assert play.feed(Stop()) == [Exit(0)]


def test_a_stop_before_the_first_token() -> None:
    play = Play(now=5.0)
    play.feed(Started())

    assert play.feed(Stop()) == [Exit(0)]


def test_a_replaced_token_is_revoked_once_every_sink_holds_the_new_one() -> None:
    play = Play(policy(revoke_previous=True), sinks_work=False).serve()
    play.serve(ttl=600.0)
    play.until(play.now + 3 * lifecycle.RETIRE_GRACE)
    assert Request(Purpose.RETIRE, 1) not in [action for _time, action in play.actions]

    play.feed(SinkHolds(0, 2, True))
    begun = play.now
    play.sinks_work = True
    asked = [time for time, action in play.until(begun + 60) if action == Request(Purpose.RETIRE, 1)]
    assert len(asked) == 1
    assert asked[0] <= begun + lifecycle.RETIRE_GRACE
    play.feed(Retired())
    assert play.state.replaced == 0
    assert "revoked the token that was replaced" in play.texts("info")


def test_a_replaced_token_that_is_not_revoked_is_told_of_once() -> None:
    play = Play(policy(revoke_previous=True)).serve()
    play.serve(ttl=600.0)
    play.until(play.now + 2 * lifecycle.RETIRE_GRACE)

    play.fail(Purpose.RETIRE)
    play.until(play.now + 60)

    assert len([action for _time, action in play.actions if action == Request(Purpose.RETIRE, 1)]) == 1
    assert play.texts("warn") == ["the token that was replaced was not revoked, and ends by itself: the server is away"]


def test_a_replaced_token_ends_by_itself_unless_told() -> None:
    play = Play().serve()
    play.serve(ttl=600.0)
    play.until(play.now + 100)

    assert not [action for _time, action in play.actions if action == Request(Purpose.RETIRE, 1)]


def test_revoke_on_exit_revokes_first() -> None:
    play = Play(policy(revoke_on_exit=True)).serve()

    assert only(play.feed(Stop()), Request) == [Request(Purpose.REVOKE, 1)]
    assert lifecycle.phase(play.state) is Phase.STOPPING

    assert play.feed(Revoked()) == [Forget(), Exit(0)]


def test_a_revocation_that_fails_does_not_hold_up_the_end() -> None:
    play = Play(policy(revoke_on_exit=True)).serve()
    play.feed(Stop())

    assert play.fail(Purpose.REVOKE)[-1] == Exit(0)
    assert play.texts("warn") == ["the token was not revoked: the server is away"]


def test_a_revocation_that_hangs_does_not_hold_up_the_end() -> None:
    play = Play(policy(revoke_on_exit=True)).serve()
    play.feed(Stop())
    begun = play.now

    play.until(begun + 60)

    assert play.code == 0
    assert [time for time, action in play.actions if isinstance(action, Exit)] == [begun + lifecycle.REVOKE_PATIENCE]


@pytest.mark.parametrize("values", [{"wrapped": True, "renewable": False}])
def test_a_wrapping_token_is_not_revoked(values: dict[str, bool]) -> None:
    play = Play(policy(revoke_on_exit=True))
    play.log_in(**values)

    assert play.feed(Stop()) == [Exit(0)]


def test_a_stop_waits_a_little_for_the_login_under_way_and_keeps_its_token() -> None:
    play = Play()
    play.feed(Started())
    assert play.feed(Stop()) == []

    actions = play.feed(LoggedIn(play.lease()), after=0.5)

    assert [keep.lease.number for keep in only(actions, Keep)] == [1]
    assert actions[-1] == Exit(0)


def test_a_stop_revokes_the_token_of_the_login_under_way() -> None:
    play = Play(policy(revoke_on_exit=True))
    play.feed(Started())
    play.feed(Stop())

    actions = play.feed(LoggedIn(play.lease()), after=0.5)

    assert purposes(actions) == [Purpose.REVOKE]


def test_a_stop_does_not_wait_for_long() -> None:
    play = Play()
    play.feed(Started())
    play.feed(Stop())
    begun = play.now

    play.until(begun + 60)

    assert [time for time, action in play.actions if isinstance(action, Exit)] == [begun + lifecycle.STOP_PATIENCE]


def test_a_second_stop_changes_nothing() -> None:
    play = Play()
    play.feed(Started())
    play.feed(Stop())
    patience = lifecycle.wake(play.state)

    play.feed(Stop(), after=1)

    assert lifecycle.wake(play.state) == patience


@pytest.mark.parametrize("values", [{}, {"exit_on_err": True}])
def test_a_login_that_fails_during_a_stop_is_no_error(values: dict[str, bool]) -> None:
    play = Play(policy(**values))
    play.feed(Started())
    play.feed(Stop())

    assert play.fail(Purpose.LOGIN, AWAY)[-1] == Exit(0)


def test_nothing_new_begins_during_a_stop() -> None:
    play = Play(policy(lookup_interval=0)).serve(ttl=60)
    play.next_request()
    play.feed(Stop())

    assert play.feed(Tick(), after=1) == []


# --- phases


def test_phases_in_words() -> None:
    play = Play(Policy(sinks=0, lookup_interval=0))
    assert lifecycle.phase(play.state) is Phase.STARTING
    play.feed(Started())
    play.fail(Purpose.LOGIN)
    assert lifecycle.phase(play.state) is Phase.WAITING
    play.log_in()
    assert lifecycle.phase(play.state) is Phase.SERVING
    play.next_request()
    play.fail(Purpose.RENEW)
    assert lifecycle.phase(play.state) is Phase.AT_RISK
