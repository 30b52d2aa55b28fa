# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tokens through their lives: renewal, replacement, rescue, loss, lookups."""

from __future__ import annotations

import dataclasses
import math
import typing as t

import pytest

from ansible_collections.vaultfleet.aws.plugins.module_utils._agent import lifecycle
from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.messages import (
    Checked,
    CheckNow,
    Forget,
    Keep,
    Lease,
    LoggedIn,
    Purpose,
    Put,
    Ready,
    Reloaded,
    Renewed,
    Request,
    Stale,
    Started,
    Tick,
)
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.token import Standing
from ansible_collections.vaultfleet.aws.tests.unit.plugins.module_utils._agent.play import (
    AWAY,
    DENIED,
    SEEDS,
    WRONG_ROLE,
    Play,
    only,
    policy,
    purposes,
)

QUIET = policy(lookup_interval=0, sinks=0)

# --- start


def test_the_first_login_is_at_once_long_after_boot() -> None:
    assert purposes(Play().feed(Started())) == [Purpose.LOGIN]


def test_just_after_boot_the_first_login_is_spread() -> None:
    pauses = []
    for seed in SEEDS:
        play = Play(seed=seed, now=20.0)
        play.feed(Started())
        pauses.append(play.due(Purpose.LOGIN))

    assert 0 <= min(pauses) < 1
    assert 9 < max(pauses) <= lifecycle.BOOT_SPREAD


def test_once_does_not_wait_for_the_fleet_at_boot() -> None:
    assert purposes(Play(policy(once=True), now=20.0).feed(Started())) == [Purpose.LOGIN]


def test_a_kept_token_costs_no_login() -> None:
    play = Play()
    kept = Lease(7, play.now - 100, 3600, True, asks=True, granted=3600)

    actions = play.feed(Started(kept))

    assert purposes(actions) == [Purpose.CHECK]
    assert only(actions, Put) == [Put(0, 7)]
    assert only(actions, Ready) == [Ready()]
    play.feed(Checked(7, Standing.LIVE, kept))
    play.state = dataclasses.replace(play.state, policy=QUIET)
    play.until(kept.since + 0.64 * 3600)
    assert Purpose.LOGIN not in purposes(action for _time, action in play.actions)


def test_a_kept_token_that_may_not_be_looked_up_is_believed() -> None:
    play = Play()

    actions = play.feed(Started(Lease(7, play.now - 100, 3600, True, asks=False, granted=3600)))

    assert purposes(actions) == []
    assert play.due(Purpose.CHECK) == math.inf


def test_a_kept_token_that_is_over_is_no_token() -> None:
    play = Play()

    actions = play.feed(Started(Lease(7, play.now - 3601, 3600, True)))

    assert purposes(actions) == [Purpose.LOGIN]
    assert play.state.lease is None


def test_a_kept_token_past_its_renewal_is_renewed_at_once() -> None:
    play = Play()

    actions = play.feed(Started(Lease(7, play.now - 3000, 3600, True, asks=False, granted=3600)))

    assert purposes(actions) == [Purpose.RENEW]


# --- renewal and replacement


def test_a_token_is_renewed_between_65_and_75_percent() -> None:
    shares = []
    for seed in SEEDS:
        play = Play(QUIET, seed).serve()
        request = play.next_request()
        assert request == Request(Purpose.RENEW, play.number)
        shares.append(play.share)

    assert 0.65 <= min(shares) < 0.66
    assert 0.74 < max(shares) <= 0.75


def test_each_renewal_has_a_moment_of_its_own() -> None:
    play = Play(QUIET).serve()
    shares = set()
    for _round in range(5):
        play.next_request()
        shares.add(round(play.share, 6))
        play.renew()

    assert len(shares) == 5


@pytest.mark.parametrize(
    "values", [{"renewable": False}, {"renewable": True, "num_uses": 5}], ids=["batch", "num_uses"]
)
def test_a_token_that_is_not_renewed_is_replaced_between_70_and_80_percent(values: dict[str, t.Any]) -> None:
    shares = []
    for seed in SEEDS:
        play = Play(QUIET, seed).serve(**values)
        request = play.next_request()
        assert request is not None
        assert request.purpose is Purpose.LOGIN
        shares.append(play.share)

    assert 0.70 <= min(shares) < 0.71
    assert 0.79 < max(shares) <= 0.80


def test_a_token_at_its_maximum_ttl_is_replaced() -> None:
    play = Play(QUIET).serve(ttl=3600)
    play.next_request()
    play.renew(ttl=3600)
    play.next_request()

    play.renew(ttl=3000)  # less than nine tenths of what it had

    request = play.next_request()
    assert request is not None
    assert request.purpose is Purpose.LOGIN
    assert 0.70 <= play.share <= 0.80


@pytest.mark.parametrize(("granted", "least", "most"), [(2, 0, 0), (6, 1, 1), (3000, 2100, 2400)])
def test_at_the_maximum_ttl_a_login_has_time_enough(granted: int, least: float, most: float) -> None:
    # What the last renewal grants is by chance, and a quarter of two seconds is too short for a login.
    play = Play(QUIET).serve(ttl=3600)
    play.next_request()
    begun = play.now

    play.renew(ttl=granted)

    if play.state.busy is None:
        play.next_request()
    assert play.state.busy is Purpose.LOGIN
    assert least <= round(play.now - begun, 3) <= most


def test_a_little_less_than_before_is_not_the_maximum() -> None:
    play = Play(QUIET).serve(ttl=3600)
    play.next_request()

    play.renew(ttl=3590)

    assert play.next_request() == Request(Purpose.RENEW, play.number)


def test_a_token_without_an_end_is_only_looked_after() -> None:
    play = Play().serve(ttl=0, renewable=False)

    done = play.until(play.now + 400)

    assert purposes(action for _time, action in done) == [Purpose.CHECK]
    assert play.due(Purpose.RENEW) == play.due(Purpose.LOGIN) == math.inf


def test_a_renewal_is_kept_and_the_lookup_moves_on() -> None:
    play = Play().serve(ttl=300)
    while play.state.busy is not Purpose.RENEW:
        play.next_request()
        if play.state.busy is Purpose.CHECK:
            play.live()

    actions = play.renew(ttl=300)

    assert only(actions, Keep) == [Keep(play.held)]
    assert 270 <= play.due(Purpose.CHECK) <= 330


def test_the_new_token_replaces_the_old_one_in_the_sink() -> None:
    play = Play(policy(lookup_interval=0)).serve(renewable=False)
    play.next_request()

    actions = play.feed(LoggedIn(play.lease()))

    assert only(actions, Put) == [Put(0, 2)]
    assert [keep.lease.number for keep in only(actions, Keep)] == [2]
    assert play.state.sinks[0].holds == 2


def test_a_renewal_of_an_older_token_changes_nothing() -> None:
    play = Play(QUIET).serve()
    play.next_request()
    before = play.held

    play.feed(Renewed(Lease(99, play.now, 10, True)))

    assert play.held == before
    assert play.state.busy is None


# --- renewals that fail


def test_renewals_go_on_until_the_token_ends_and_then_only_logins() -> None:
    play = Play(QUIET).serve(ttl=600)
    renewals: list[float] = []
    logins: list[float] = []
    while play.state.lease is not None:
        request = play.next_request()
        assert request is not None
        if play.state.lease is not None:
            (renewals if request.purpose is Purpose.RENEW else logins).append(play.share)
        play.fail(request.purpose)

    assert len(renewals) > 5
    assert renewals[-1] > 0.98
    assert logins
    assert logins[0] >= 0.80
    assert "the token has ended, and there is no other one" in play.texts("error")
    play.next_request()
    assert play.state.busy is Purpose.LOGIN


def test_a_rescuing_login_comes_between_80_and_90_percent() -> None:
    shares = []
    for seed in SEEDS:
        play = Play(QUIET, seed).serve()
        request = play.next_request()
        while request is not None and request.purpose is Purpose.RENEW:
            play.fail(Purpose.RENEW)
            request = play.next_request()
        shares.append(play.share)

    assert 0.80 <= min(shares) < 0.82
    assert 0.88 < max(shares) <= 0.9001


def test_right_before_each_rescuing_login_comes_a_renewal() -> None:
    play = Play(QUIET).serve(ttl=1200)
    order = []
    while play.state.lease is not None:
        request = play.next_request()
        assert request is not None
        order.append((request.purpose, play.now))
        play.fail(request.purpose)
    logins = [place for place, (purpose, _time) in enumerate(order[:-1]) if purpose is Purpose.LOGIN]

    assert len(logins) > 2
    for place in logins:
        before, time = order[place - 1]
        assert before is Purpose.RENEW
        assert order[place][1] - time <= lifecycle.FLOOR


def test_a_renewal_that_works_again_ends_the_rescue() -> None:
    play = Play(QUIET).serve()
    request = play.next_request()
    while request is not None and play.share < 0.95:
        play.fail(request.purpose)
        request = play.next_request()
    assert play.state.timers[Purpose.LOGIN].failures
    if request == Request(Purpose.LOGIN, 1):
        play.fail(Purpose.LOGIN)
        play.next_request()

    play.renew()

    assert play.due(Purpose.LOGIN) == math.inf
    assert play.state.timers[Purpose.LOGIN].failures == 0
    assert lifecycle.phase(play.state) is lifecycle.Phase.SERVING


def test_the_pause_between_renewals_leaves_room_before_the_end() -> None:
    for seed in SEEDS:
        play = Play(QUIET, seed).serve(ttl=60)
        while play.share < 0.79:
            play.next_request()
            if play.state.busy is not Purpose.RENEW:
                break
            play.fail(Purpose.RENEW)
            assert play.due(Purpose.RENEW) <= max(lifecycle.FLOOR, (play.held.ends - play.now) / 3) + 1e-6


def test_a_renewal_that_is_refused_for_good_is_not_pressed() -> None:
    play = Play(QUIET).serve()
    play.next_request()
    assert purposes(play.fail(Purpose.RENEW, WRONG_ROLE)) == [Purpose.LOGIN]

    play.fail(Purpose.LOGIN)

    assert play.due(Purpose.LOGIN) <= 2
    assert play.due(Purpose.RENEW) > 100


@pytest.mark.parametrize("purpose", [Purpose.RENEW, Purpose.CHECK])
def test_what_fails_after_the_token_ended_is_not_tried_again(purpose: Purpose) -> None:
    play = Play(policy(sinks=0, lookup_interval=0 if purpose is Purpose.RENEW else 30)).serve(ttl=60)
    play.next_request()
    play.until(play.held.ends)
    assert play.state.lease is None

    actions = play.fail(purpose)
    actions += play.feed(CheckNow(), after=2)
    actions += play.fail(Purpose.LOGIN)
    actions += [action for _time, action in play.until(play.now + 3)]

    assert set(purposes(actions)) == {Purpose.LOGIN}


def test_a_renewal_waits_as_long_as_the_server_asks() -> None:
    play = Play(QUIET).serve()
    play.next_request()

    play.fail(Purpose.RENEW, dataclasses.replace(AWAY, retry_after=120))

    begun = play.now
    play.next_request()
    assert play.now - begun >= 120


# --- 403 at a renewal


@pytest.fixture
def doubtful() -> Play:
    """A renewal was refused, and the lookup that is to tell why is under way."""
    play = Play(QUIET).serve()
    play.next_request()
    assert purposes(play.fail(Purpose.RENEW, DENIED)) == [Purpose.CHECK]
    return play


def test_refused_and_gone_is_a_login(doubtful: Play) -> None:
    actions = doubtful.feed(Checked(1, Standing.GONE))

    assert only(actions, Forget) == [Forget()]
    assert purposes(actions) == [Purpose.LOGIN]
    assert doubtful.state.lease is None


def test_refused_but_alive_is_replaced_before_it_ends(doubtful: Play) -> None:
    actions = doubtful.live()

    assert not doubtful.held.renewable
    assert only(actions, Keep) == [Keep(doubtful.held)]
    assert doubtful.next_request() == Request(Purpose.LOGIN, 1)
    assert doubtful.share <= 0.8


def test_refused_and_unknown_is_replaced_before_it_ends(doubtful: Play) -> None:
    doubtful.feed(Checked(1, Standing.UNKNOWN))

    assert doubtful.held.asks is False
    assert doubtful.next_request() == Request(Purpose.LOGIN, 1)
    assert doubtful.share <= 0.8


def test_while_nobody_answers_the_doubt_a_login_is_tried_in_time(doubtful: Play) -> None:
    while doubtful.state.busy is not Purpose.LOGIN:
        doubtful.fail(Purpose.CHECK)
        doubtful.next_request()

    assert 0.8 <= doubtful.share <= 0.9


def test_refused_where_lookup_is_forbidden_is_a_login_at_once() -> None:
    play = Play()
    play.log_in()
    play.feed(Checked(1, Standing.UNKNOWN))
    play.next_request()

    assert purposes(play.fail(Purpose.RENEW, DENIED)) == [Purpose.LOGIN]


# --- lookups


def test_a_new_token_is_looked_up_and_then_about_every_interval() -> None:
    pauses = []
    for seed in SEEDS:
        play = Play(seed=seed)
        actions = play.log_in()
        assert only(actions, Request) == [Request(Purpose.CHECK, 1, fresh=True)]
        play.live()
        begun = play.now
        assert play.next_request() == Request(Purpose.CHECK, 1)
        pauses.append(play.now - begun)

    assert 270 <= min(pauses) < 273
    assert 327 < max(pauses) <= 330


def test_an_interval_of_zero_means_no_lookups() -> None:
    play = Play(QUIET)

    assert purposes(play.log_in()) == []
    assert play.due(Purpose.CHECK) == math.inf


def test_a_token_of_limited_use_is_not_used_up_by_lookups() -> None:
    play = Play()

    assert purposes(play.log_in(num_uses=3)) == []
    play.feed(CheckNow())
    assert play.state.busy is None
    assert play.due(Purpose.CHECK) == math.inf


def test_that_lookup_is_forbidden_is_said_once_and_no_loop() -> None:
    play = Play()
    play.log_in()

    play.feed(Checked(1, Standing.UNKNOWN))

    assert play.held.asks is False
    done = play.until(play.now + 2000)
    assert purposes(action for _time, action in done) == []
    play.next_request()
    play.renew()
    assert play.held.asks is False
    assert len([text for text in play.texts("info") if "may not look itself up" in text]) == 1


def test_a_lookup_that_fails_is_tried_again_and_the_token_stays() -> None:
    play = Play()
    play.log_in()

    play.fail(Purpose.CHECK)

    assert play.held.number == 1
    assert 1 <= play.due(Purpose.CHECK) <= 2


def test_a_revoked_token_is_replaced_at_once() -> None:
    play = Play().serve()
    play.next_request()

    actions = play.feed(Checked(1, Standing.GONE))

    assert purposes(actions) == [Purpose.LOGIN]
    assert only(actions, Forget) == [Forget()]


def test_new_tokens_that_are_gone_again_and_again_are_asked_for_less_and_less() -> None:
    play = Play()
    play.feed(Started())
    pauses: list[float] = []
    for _round in range(14):
        play.feed(LoggedIn(play.lease()))
        assert play.next_request() == Request(Purpose.CHECK, play.number, fresh=True)
        begun = play.now
        play.feed(Checked(play.number, Standing.GONE))
        assert play.next_request() == Request(Purpose.LOGIN)
        pauses.append(play.now - begun)

    assert max(pauses[:3]) <= 8
    assert max(pauses[8:]) > 60
    assert max(pauses) <= 300


def test_a_series_of_losses_ends_with_a_token_that_lives() -> None:
    play = Play()
    play.feed(Started())
    for _round in range(3):
        play.feed(LoggedIn(play.lease()))
        play.next_request()
        play.feed(Checked(play.number, Standing.GONE))
        play.next_request()
    assert play.state.losses == 3
    play.feed(LoggedIn(play.lease()))
    play.next_request()
    play.live()
    play.next_request()

    actions = play.feed(Checked(play.number, Standing.GONE))

    assert play.state.losses == 0
    assert purposes(actions) == [Purpose.LOGIN]


def test_what_the_server_says_of_the_end_is_believed() -> None:
    play = Play()
    play.log_in(ttl=3600)

    actions = play.feed(Checked(1, Standing.LIVE, Lease(1, play.now, 1000, True)))

    assert play.held.ends == play.now + 1000
    assert only(actions, Keep) == [Keep(play.held)]


def test_an_end_that_differs_by_the_answers_way_is_no_news() -> None:
    play = Play(QUIET)
    play.feed(Started())
    play.feed(LoggedIn(play.lease()))
    play.state = dataclasses.replace(play.state, busy=Purpose.CHECK)

    play.feed(Checked(1, Standing.LIVE, Lease(1, play.now + 100, 3501, True)), after=100)

    assert play.held.ends == play.held.since + 3600
    assert play.held.ttl == 3600


def test_a_lookup_late_in_the_lease_does_not_make_a_renewable_token_look_capped() -> None:
    # A slow server dates the lease later than the agent, so that their ends differ; that is no reason for a login.
    play = Play().serve(ttl=1200)
    request = play.next_request()
    assert request == Request(Purpose.CHECK, 1)

    play.feed(Checked(1, Standing.LIVE, Lease(1, play.now, play.held.ends + 5 - play.now, True)))

    request = play.next_request()
    while request == Request(Purpose.CHECK, 1):
        play.live()
        request = play.next_request()
    assert request == Request(Purpose.RENEW, 1)


def test_a_lookup_that_tells_of_no_end_ends_renewals() -> None:
    play = Play()
    play.log_in(ttl=3600)

    play.feed(Checked(1, Standing.LIVE, Lease(1, play.now, 0, False)))

    assert play.held.ends == math.inf
    assert play.due(Purpose.RENEW) == play.due(Purpose.LOGIN) == math.inf


def test_a_lookup_of_an_older_token_changes_nothing() -> None:
    play = Play()
    play.log_in()
    before = play.held

    actions = play.feed(Checked(99, Standing.GONE))

    assert play.held == before
    assert purposes(actions) == []


# --- wrapped tokens


def test_a_wrapped_token_is_never_kept_renewed_or_looked_up_as_a_token() -> None:
    play = Play()

    actions = play.log_in(ttl=300, renewable=False, wrapped=True)

    assert only(actions, Keep) == []
    assert purposes(actions) == []
    assert only(actions, Put) == [Put(0, 1)]
    assert play.next_request() == Request(Purpose.CHECK, 1, fresh=True)
    assert 0.7 <= play.share <= 0.8


def test_a_wrapped_token_that_nobody_used_is_replaced_before_it_ends() -> None:
    play = Play()
    play.log_in(ttl=300, renewable=False, wrapped=True)
    play.next_request()

    assert purposes(play.feed(Checked(1, Standing.LIVE))) == [Purpose.LOGIN]


def test_a_wrapped_token_that_was_used_leaves_nothing_to_do() -> None:
    play = Play()
    play.log_in(ttl=300, renewable=False, wrapped=True)
    play.next_request()

    play.feed(Checked(1, Standing.GONE))

    assert lifecycle.wake(play.state) == math.inf
    assert play.feed(Tick(), after=10_000) == []
    assert purposes(play.feed(CheckNow())) == []


def test_a_used_wrapped_token_is_followed_by_a_login_at_a_reload() -> None:
    play = Play()
    play.log_in(ttl=300, renewable=False, wrapped=True)
    play.next_request()
    play.feed(Checked(1, Standing.GONE))

    actions = play.feed(Reloaded(play.state.policy, same_login=True), after=100)

    assert purposes(actions) == [Purpose.LOGIN]


def test_a_wrapped_token_that_is_looked_at_early_is_not_replaced_early() -> None:
    play = Play()
    play.log_in(ttl=300, renewable=False, wrapped=True)
    assert purposes(play.feed(CheckNow(), after=10)) == [Purpose.CHECK]

    assert purposes(play.feed(Checked(1, Standing.LIVE))) == []

    assert play.next_request() == Request(Purpose.CHECK, 1, fresh=True)
    assert 0.7 <= play.share <= 0.8


def test_a_wrapped_token_that_ends_is_followed_by_a_login() -> None:
    play = Play()
    play.log_in(ttl=300, renewable=False, wrapped=True)
    while play.state.lease is not None:
        play.next_request()
        if play.state.busy is Purpose.CHECK:
            play.fail(Purpose.CHECK)

    assert play.state.busy is Purpose.LOGIN
    assert play.texts("error") == []


# --- what began before a reload


def test_a_login_of_the_old_configuration_is_followed_by_one_of_the_new() -> None:
    play = Play()
    play.feed(Started())
    play.feed(Reloaded(play.state.policy, same_login=False))

    assert purposes(play.feed(Stale(Purpose.LOGIN), after=2)) == [Purpose.LOGIN]


def test_a_renewal_of_the_old_configuration_is_not_tried_again() -> None:
    play = Play(QUIET).serve()
    play.next_request()
    play.feed(Reloaded(play.state.policy, same_login=False))

    actions = play.feed(Stale(Purpose.RENEW), after=2)

    assert purposes(actions) == [Purpose.LOGIN]
    assert play.due(Purpose.RENEW) == math.inf
