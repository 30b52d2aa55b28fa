# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Logins that fail: pauses, classes of errors, Retry-After, credentials, and when the agent gives up."""

from __future__ import annotations

import dataclasses
import math
import statistics

import pytest

from ansible_collections.vaultfleet.aws.plugins.module_utils._agent import lifecycle
from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.lifecycle import Phase
from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.messages import (
    CheckNow,
    Failed,
    Failure,
    Policy,
    Polled,
    Purpose,
    Reloaded,
    Say,
    Started,
)
from ansible_collections.vaultfleet.aws.tests.unit.plugins.module_utils._agent.play import (
    AWAY,
    BAD_SIGNATURE,
    NO_CREDENTIALS,
    POLICY,
    SEEDS,
    WRONG_ROLE,
    Play,
    only,
    policy,
    purposes,
)


def failing(times: int, failure: Failure = AWAY, policy: Policy = POLICY, seed: int = 1) -> Play:
    """A first login that has failed so many times."""
    play = Play(policy, seed)
    play.feed(Started())
    for _time in range(times):
        play.next_request()
        play.fail(Purpose.LOGIN, failure)
    return play


def pauses(times: int, failure: Failure = AWAY, policy: Policy = POLICY) -> list[float]:
    """What fleets wait after so many failures."""
    return [failing(times, failure, policy, seed).due(Purpose.LOGIN) for seed in SEEDS]


@pytest.mark.parametrize("times", [1, 2, 3, 5, 8])
def test_while_pauses_grow_they_have_full_jitter(times: int) -> None:
    found = pauses(times)

    assert min(found) >= 1
    assert max(found) <= 2**times
    assert min(found) < 1 + 0.1 * 2**times
    assert max(found) > 0.9 * 2**times


@pytest.mark.parametrize("times", [9, 12, 80])
def test_the_longest_pauses_are_near_max_backoff(times: int) -> None:
    found = pauses(times)

    assert 225 <= min(found) < 235
    assert 290 < max(found) <= 300


def test_the_bounds_are_those_of_the_configuration() -> None:
    found = pauses(10, policy=policy(min_backoff=5, max_backoff=20))

    assert min(found) >= 15
    assert max(found) <= 20


def test_min_backoff_may_equal_max_backoff() -> None:
    found = pauses(3, policy=policy(min_backoff=10, max_backoff=10))

    assert min(found) >= 7.5
    assert max(found) <= 10


def test_no_pause_is_shorter_than_the_floor() -> None:
    found = pauses(3, policy=policy(min_backoff=0.01, max_backoff=0.02))

    assert set(found) == {lifecycle.FLOOR}


def test_an_answer_that_took_long_does_not_shorten_the_pause() -> None:
    play = Play()
    play.feed(Started())

    play.feed(Failed(Purpose.LOGIN, AWAY), after=25)

    assert play.due(Purpose.LOGIN) >= 1


def test_a_permanent_error_waits_long_at_once() -> None:
    found = pauses(1, WRONG_ROLE)

    assert min(found) >= 150
    assert max(found) <= 300


def test_a_permanent_error_is_an_error_and_blocks() -> None:
    play = failing(1, WRONG_ROLE)

    assert lifecycle.phase(play.state) is Phase.BLOCKED
    assert play.texts("error") == ["the login failed: no such role"]


def test_a_refused_signature_is_made_anew_once_and_soon() -> None:
    first, second = pauses(1, BAD_SIGNATURE), pauses(2, BAD_SIGNATURE)

    assert max(first) <= 2
    assert min(second) >= 150
    assert lifecycle.phase(failing(1, BAD_SIGNATURE).state) is Phase.WAITING
    assert lifecycle.phase(failing(2, BAD_SIGNATURE).state) is Phase.BLOCKED


def test_retry_after_comes_before_the_jitter() -> None:
    found = pauses(1, dataclasses.replace(AWAY, retry_after=40.0))

    assert min(found) >= 41
    assert max(found) <= 42
    assert statistics.pstdev(found) > 0.1


def test_retry_after_counts_up_to_max_backoff() -> None:
    """Seen: a load balancer's answer can name years, and one such answer must not end the agent's work."""
    found = pauses(1, dataclasses.replace(AWAY, retry_after=999999999.0))

    assert min(found) >= POLICY.max_backoff + 1
    assert max(found) <= POLICY.max_backoff + 2


def test_nothing_but_a_reload_to_another_server_ends_retry_after() -> None:
    play = failing(1, dataclasses.replace(AWAY, retry_after=40.0))
    begun = play.now

    assert purposes(play.feed(CheckNow(), after=2)) == []
    play.next_request()
    assert play.now == begun + 40

    other = failing(1, dataclasses.replace(AWAY, retry_after=40.0))
    assert purposes(other.feed(Reloaded(POLICY, same_login=False), after=2)) == [Purpose.LOGIN]


def test_a_login_that_works_forgets_failures() -> None:
    play = failing(6)

    play.log_in()

    assert play.state.timers[Purpose.LOGIN].failures == 0
    assert lifecycle.phase(play.state) is Phase.SERVING


def test_the_next_try_is_told() -> None:
    play = failing(1)
    say = [action for _time, action in play.actions if isinstance(action, Say)][-1]

    assert say.fields["next_try_in"] == round(play.due(Purpose.LOGIN), 1)
    assert say.level == "error"


def test_a_failed_login_beside_a_token_that_works_is_a_warning() -> None:
    play = Play(policy(lookup_interval=0)).serve(renewable=False)
    play.next_request()

    play.fail(Purpose.LOGIN)

    assert play.texts("warn") == ["the login failed: the server is away"]
    assert lifecycle.phase(play.state) is Phase.AT_RISK


def test_a_token_that_ends_does_not_shorten_the_pause_of_a_login_that_fails() -> None:
    play = Play(policy(lookup_interval=0, sinks=0)).serve(ttl=60, renewable=False)
    play.next_request()
    play.fail(Purpose.LOGIN, dataclasses.replace(WRONG_ROLE))
    due = play.now + play.due(Purpose.LOGIN)

    play.next_request()

    assert play.state.lease is None
    assert play.now == due


# --- AWS credentials


def test_new_credentials_are_looked_for_while_the_old_ones_keep_the_login_waiting() -> None:
    play = failing(9, NO_CREDENTIALS)

    request = play.next_request()

    assert request is not None
    assert request.purpose is Purpose.POLL


def test_new_credentials_end_the_wait() -> None:
    play = failing(9, NO_CREDENTIALS)
    play.next_request()

    assert purposes(play.feed(Polled(changed=True))) == [Purpose.LOGIN]


def test_the_same_credentials_do_not_and_are_looked_for_again() -> None:
    play = failing(9, NO_CREDENTIALS)
    play.next_request()

    actions = play.feed(Polled(changed=False))

    assert purposes(actions) == []
    assert play.due(Purpose.POLL) == 60


def test_looking_for_credentials_goes_on_after_it_failed() -> None:
    play = failing(9, NO_CREDENTIALS)
    play.next_request()

    play.fail(Purpose.POLL)

    assert play.due(Purpose.POLL) == 60


def test_credentials_are_not_looked_for_where_they_are_not_to_blame() -> None:
    assert failing(3, AWAY).due(Purpose.POLL) == math.inf


def test_an_ec2_login_has_no_credentials_to_look_for() -> None:
    assert failing(3, NO_CREDENTIALS, policy(poll_interval=0)).due(Purpose.POLL) == math.inf


def test_a_reload_from_iam_to_ec2_ends_the_polls() -> None:
    play = failing(9, NO_CREDENTIALS)

    play.feed(Reloaded(policy(poll_interval=0), same_login=False))

    assert play.due(Purpose.POLL) == math.inf


def test_new_credentials_after_the_login_worked_change_nothing() -> None:
    play = failing(9, NO_CREDENTIALS)
    play.next_request()
    play.state = dataclasses.replace(
        play.state, timers={**play.state.timers, Purpose.LOGIN: lifecycle.Timer(due=math.inf)}
    )

    assert purposes(play.feed(Polled(changed=True))) == []


# --- giving up


def test_exit_on_err_gives_up_at_the_first_error_without_a_token() -> None:
    assert failing(1, AWAY, policy(exit_on_err=True)).code == 3
    assert failing(1, WRONG_ROLE, policy(exit_on_err=True)).code == 2


def test_exit_on_err_does_not_throw_away_a_token_that_works() -> None:
    play = Play(policy(exit_on_err=True, lookup_interval=0, sinks=0)).serve(ttl=60, renewable=False)
    play.next_request()

    play.fail(Purpose.LOGIN)

    assert play.code is None
    play.until(play.held.ends - 0.1)
    assert play.code is None


def test_once_gives_up_at_the_first_error() -> None:
    assert failing(1, AWAY, policy(once=True)).code == 3
    assert failing(1, WRONG_ROLE, policy(once=True)).code == 2


@pytest.mark.parametrize("name", ["once", "exit_after_auth"])
def test_the_agent_ends_when_every_sink_holds_the_token(name: str) -> None:
    play = Play(policy(sinks=2, **{name: True}))

    play.log_in()

    assert play.code == 0
    assert [sink.holds for sink in play.state.sinks] == [1, 1]


def test_exit_after_auth_outlasts_failures_before() -> None:
    play = failing(3, AWAY, policy(exit_after_auth=True))
    assert play.code is None

    play.log_in()

    assert play.code == 0


def test_nothing_follows_the_end() -> None:
    play = failing(1, AWAY, policy(once=True))

    assert play.feed(CheckNow()) == []
    assert lifecycle.wake(play.state) == math.inf


def test_no_failure_says_a_secret_or_more_than_its_text() -> None:
    says = only([action for _time, action in failing(4).actions], Say)

    assert {say.text for say in says} == {"the login failed: the server is away"}
    assert {key for say in says for key in say.fields} == {"next_try_in"}
