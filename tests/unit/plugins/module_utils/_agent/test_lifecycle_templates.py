# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What templates are to the lifecycle: ready, the end of a run, a doubt."""

from __future__ import annotations

import pytest

from ansible_collections.vaultfleet.aws.plugins.module_utils._agent import lifecycle
from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.lifecycle import Phase
from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.messages import (
    Doubted,
    LoggedIn,
    Purpose,
    Ready,
    Reloaded,
    Rendered,
    SinkHolds,
)
from ansible_collections.vaultfleet.aws.tests.unit.plugins.module_utils._agent.play import Play, only, policy, purposes


def test_ready_comes_after_the_first_rendering_of_all() -> None:
    play = Play(policy(templates=3), sinks_work=False)
    play.log_in()
    assert only(play.feed(SinkHolds(0, 1, wrote=True)), Ready) == []
    assert only(play.feed(Rendered(0, "one fails")), Ready) == []
    assert only(play.feed(Rendered(1, "a command fails")), Ready) == [Ready()]
    assert only(play.feed(Rendered(1)), Ready) == []


def test_ready_comes_after_the_sink_if_that_is_later() -> None:
    play = Play(policy(templates=1), sinks_work=False)
    play.log_in()
    assert only(play.feed(Rendered(1)), Ready) == []
    assert only(play.feed(SinkHolds(0, 1, wrote=True)), Ready) == [Ready()]


def test_without_a_sink() -> None:
    play = Play(policy(sinks=0, templates=1, exit_after_auth=True))
    assert play.log_in()
    assert play.code is None
    assert only(play.feed(Rendered(1)), Ready) == [Ready()]
    assert play.code == 0


@pytest.mark.parametrize("name", ["once", "exit_after_auth"])
def test_the_end_of_a_run_waits_for_the_rendering_with_its_token(name: str) -> None:
    play = Play(policy(templates=1, **{name: True}))
    play.log_in()
    play.feed(Rendered(0))
    assert play.code is None
    play.feed(Rendered(1))
    assert play.code == 0


def test_an_older_rendering_does_not_end_it() -> None:
    play = Play(policy(templates=1, exit_after_auth=True))
    play.log_in()
    play.feed(Rendered(play.number - 1))
    assert play.code is None
    play.feed(Rendered(play.number, "its command failed"))
    assert play.code is None


@pytest.mark.parametrize(("permanent", "code"), [(True, 2), (False, 3)])
def test_once_gives_up_at_the_first_error(permanent: bool, code: int) -> None:
    play = Play(policy(templates=1, once=True))
    play.log_in()
    play.feed(Rendered(0, "no such secret", permanent))
    assert play.code == code
    assert play.texts("error") == ["giving up: no such secret"]


def test_a_failing_template_is_a_risk_and_no_more() -> None:
    play = Play(policy(templates=1)).serve()
    play.feed(Rendered(1))
    wake = lifecycle.wake(play.state)
    assert play.feed(Rendered(1, "no such secret")) == []
    assert lifecycle.phase(play.state) is Phase.AT_RISK
    assert lifecycle.wake(play.state) == wake
    play.feed(Rendered(1))
    assert lifecycle.phase(play.state) is Phase.SERVING


def test_a_reload_has_all_rendered_again() -> None:
    play = Play(policy(templates=1)).serve()
    play.feed(Rendered(1, "an error of the old templates"))
    play.feed(Reloaded(policy(templates=2), same_login=True))
    assert play.state.rendered == Rendered(0)
    assert lifecycle.phase(play.state) is Phase.SERVING


def test_a_doubt_is_looked_into() -> None:
    play = Play(policy(templates=1)).serve()
    assert purposes(play.feed(Doubted(1), after=2)) == [Purpose.CHECK]


@pytest.mark.parametrize("case", ["another token", "may not look", "no token"])
def test_a_doubt_that_leads_to_nothing(case: str) -> None:
    play = Play(policy(templates=1, lookup_interval=0 if case == "may not look" else 300))
    if case == "no token":
        play.feed(LoggedIn(play.lease()))
        play.feed(Reloaded(policy(templates=1), same_login=False))
    else:
        play.serve()
    number = 7 if case == "another token" else 1
    assert Purpose.CHECK not in purposes(play.feed(Doubted(number), after=2))


def test_the_old_token_is_revoked_when_all_is_rendered_with_the_new_one() -> None:
    play = Play(policy(templates=1, revoke_previous=True, lookup_interval=0)).serve(renewable=False)
    play.feed(Rendered(1))
    play.next_request()
    play.feed(LoggedIn(play.lease()))
    until = play.now + 60
    assert Purpose.RETIRE not in purposes(action for _time, action in play.until(until))
    play.feed(Rendered(2))
    assert Purpose.RETIRE in purposes(action for _time, action in play.until(until + 60))
