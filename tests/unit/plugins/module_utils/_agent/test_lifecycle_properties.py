# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever happens, in whatever order: what the lifecycle never does."""

from __future__ import annotations

import copy
import dataclasses
import math

import hypothesis.strategies as st
from hypothesis import HealthCheck, given, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from ansible_collections.vaultfleet.aws.plugins.module_utils._agent import lifecycle, messages
from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.messages import (
    Action,
    Checked,
    CheckNow,
    Doubted,
    Event,
    Exit,
    Failed,
    Failure,
    Forget,
    Keep,
    Lease,
    LoggedIn,
    Policy,
    Polled,
    Purpose,
    Put,
    Ready,
    Reloaded,
    Rendered,
    Renewed,
    Request,
    Retired,
    Revoked,
    SinkFailed,
    SinkHolds,
    Stale,
    Started,
    Stop,
    Tick,
)
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.errors import Retry
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.token import Standing

FIXED = settings(
    max_examples=200,
    stateful_step_count=50,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
ALMOST = 1e-6  # seconds

policies = st.builds(
    Policy,
    sinks=st.integers(1, 3),
    templates=st.sampled_from([0, 0, 2]),
    min_backoff=st.sampled_from([0.1, 1.0, 5.0]),
    max_backoff=st.sampled_from([5.0, 60.0, 300.0]),
    lookup_interval=st.sampled_from([0.0, 1.0, 30.0, 300.0]),
    poll_interval=st.sampled_from([0.0, 1.0, 60.0]),
    exit_on_err=st.booleans(),
    exit_after_auth=st.just(False) | st.booleans(),
    revoke_on_exit=st.booleans(),
    revoke_previous=st.booleans(),
    once=st.just(False) | st.booleans(),
)
failures = st.builds(
    Failure,
    text=st.just("it failed"),
    retry=st.sampled_from(Retry),
    retry_after=st.none() | st.sampled_from([0.0, 1.0, 30.0, 4000.0]),
    denied=st.booleans(),
    credentials=st.booleans(),
)
ttls = st.sampled_from([0.0, 1.0, 2.0, 20.0, 300.0, 3600.0, 2764800.0])
whiles = st.sampled_from([0.0, 0.0, 0.001, 0.3, 1.0, 5.0, 60.0, 400.0, 4000.0])


class AnyOrder(RuleBasedStateMachine):
    """A runner that does what it should, in a world that does what it likes."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.state: lifecycle.State
        self.number = 0
        self.wrapped = False
        self.under_way: Request | None = None
        self.outdated = False  # the request under way was begun before a reload to another login
        self.puts: set[int] = set()  # sinks that are being seen to
        self.begun: dict[Purpose, float] = {}
        self.stopped = False
        self.code: int | None = None
        self.started = False

    # --- events

    @precondition(lambda self: not self.started)
    @rule(
        policy=policies,
        seed=st.integers(0, 2**48 - 1),
        now=st.sampled_from([0.0, 60.0, 1e6]),
        age=st.none() | st.sampled_from([-0.5, 0.0, 10.0, 1000.0]),
        ttl=ttls,
        asks=st.sampled_from([None, True, False]),
        renewable=st.booleans(),
        wrapped=st.booleans(),
    )
    def start(
        self,
        policy: Policy,
        seed: int,
        now: float,
        age: float | None,
        ttl: float,
        asks: bool | None,
        renewable: bool,
        wrapped: bool,
    ) -> None:
        self.started, self.now, self.wrapped = True, now, wrapped
        self.state = lifecycle.initial(policy, seed)
        kept = None
        if age is not None and not wrapped:
            self.number = 1
            kept = Lease(1, now - age, ttl, renewable, asks=asks, granted=ttl)
        self.feed(Started(kept))

    @precondition(lambda self: self.runs())
    @rule(seconds=whiles)
    def time_passes(self, seconds: float) -> None:
        end = self.now + seconds
        for _step in range(30):
            wake = lifecycle.wake(self.state)
            if not self.runs() or wake > end:
                break
            self.now = max(self.now, wake)
            self.feed(Tick())
        else:
            end = self.now
        self.now = max(self.now, end)

    @precondition(lambda self: self.runs() and self.state.policy.templates)
    @rule(all_of_them=st.booleans(), error=st.sampled_from(["", "", "it failed"]), permanent=st.booleans())
    def templates_tell(self, all_of_them: bool, error: str, permanent: bool) -> None:
        number = self.state.lease.number if self.state.lease and all_of_them else 0
        self.feed(Rendered(number, error, permanent))

    @precondition(lambda self: self.runs() and self.number)
    @rule(old=st.booleans())
    def a_template_doubts(self, old: bool) -> None:
        self.feed(Doubted(self.number - old))

    @precondition(lambda self: self.runs())
    @rule()
    def tick(self) -> None:
        self.feed(Tick())

    @precondition(lambda self: self.runs() and self.under_way and self.under_way.purpose is not Purpose.REVOKE)
    @rule(failure=failures)
    def request_fails(self, failure: Failure) -> None:
        self.outcome(Failed(self.asked.purpose, failure))

    @precondition(lambda self: self.runs() and self.under_way)
    @rule(
        ttl=ttls,
        renewable=st.booleans(),
        num_uses=st.sampled_from([0, 0, 0, 2]),
        standing=st.sampled_from(Standing),
        other=st.sampled_from([0.0, 0.0, -5.0, 5.0, 500.0]),
        changed=st.booleans(),
    )
    def request_works(
        self, ttl: float, renewable: bool, num_uses: int, standing: Standing, other: float, changed: bool
    ) -> None:
        purpose, lease = self.asked.purpose, self.state.lease
        event: Event
        if purpose is Purpose.LOGIN:
            if not self.outdated:
                self.number += 1
            if self.wrapped:
                event = LoggedIn(Lease(self.number, self.now, ttl or 60.0, False, wrapped=True))
            else:
                event = LoggedIn(Lease(self.number, self.now, ttl, renewable, num_uses))
        elif purpose is Purpose.RENEW:
            event = Renewed(Lease(self.asked.number, self.now, ttl or 60.0, renewable))
        elif purpose is Purpose.CHECK:
            told = None
            if standing is Standing.LIVE and lease is not None and not lease.wrapped:
                left = 0.0 if lease.ttl == 0 else max(1.0, lease.ends - self.now + other)
                told = Lease(self.asked.number, self.now, left, lease.renewable)
            event = Checked(self.asked.number, standing, told)
        elif purpose is Purpose.POLL:
            event = Polled(changed)
        else:
            event = Retired() if purpose is Purpose.RETIRE else Revoked()
        self.outcome(event)

    @precondition(lambda self: self.runs() and self.under_way and self.under_way.purpose is Purpose.REVOKE)
    @rule(failure=failures)
    def revocation_fails(self, failure: Failure) -> None:
        self.outcome(Failed(Purpose.REVOKE, failure))

    @precondition(lambda self: self.runs() and self.puts)
    @rule(data=st.data(), works=st.booleans(), wrote=st.booleans())
    def sink_answers(self, data: st.DataObject, works: bool, wrote: bool) -> None:
        sink = data.draw(st.sampled_from(sorted(self.puts)))
        self.puts.discard(sink)
        number = self.state.lease.number if self.state.lease else self.number
        self.feed(SinkHolds(sink, number, wrote) if works else SinkFailed(sink, "it failed"))

    @precondition(lambda self: self.runs())
    @rule()
    def look_now(self) -> None:
        self.feed(CheckNow())

    @precondition(lambda self: self.runs() and not self.stopped)
    @rule(policy=policies, same=st.booleans())
    def reload(self, policy: Policy, same: bool) -> None:
        self.puts.clear()  # what these bring back is of the old configuration
        self.outdated = self.outdated or (not same and self.under_way is not None)
        self.feed(Reloaded(dataclasses.replace(policy, once=self.state.policy.once), same))

    @precondition(lambda self: self.runs() and self.number)
    @rule(really=st.sampled_from([False] * 9 + [True]))
    def stop(self, really: bool) -> None:
        if really:
            self.stopped = True
            self.feed(Stop())

    @precondition(lambda self: self.code is not None)
    @rule(event=st.sampled_from([Tick(), CheckNow(), Stop()]))
    def nothing_follows_the_end(self, event: Event) -> None:
        assert lifecycle.step(self.state, event, self.now) == (self.state, ())

    # --- what holds

    @invariant()
    def there_is_a_next_moment(self) -> None:
        if not self.started:
            return
        wake = lifecycle.wake(self.state)
        used = self.state.lease is not None and self.state.lease.wrapped and self.state.lease.ttl == 0
        waits = self.under_way is not None or bool(self.puts)
        endless = self.state.lease is not None and self.state.lease.ttl == 0  # only its sinks need another look
        if self.code is None and not used and not waits and not endless:
            assert wake < math.inf
        if self.code is not None:
            assert wake == math.inf

    @invariant()
    def nothing_else_sneaks_in(self) -> None:
        if self.started:
            assert set(vars(self.state)) == {field.name for field in dataclasses.fields(lifecycle.State)}
            for timer in self.state.timers.values():
                assert set(vars(timer)) == {field.name for field in dataclasses.fields(lifecycle.Timer)}
            lifecycle.phase(self.state)

    # --- machinery

    def runs(self) -> bool:
        return self.started and self.code is None

    @property
    def asked(self) -> Request:
        assert self.under_way is not None
        return self.under_way

    def outcome(self, event: Event) -> None:
        purpose, outdated = self.asked.purpose, self.outdated
        self.under_way, self.outdated = None, False
        self.feed(Stale(purpose) if outdated else event)

    def feed(self, event: Event) -> None:
        before, held = self.state, self.state.lease
        image = copy.deepcopy(before)
        after, actions = lifecycle.step(before, event, self.now)
        assert before == image, "the state was changed in place"
        assert lifecycle.step(image, event, self.now) == (after, actions), "the same input gave another output"
        self.state = after
        for action in actions:
            self.judge(action, event, held)
        wake = lifecycle.wake(after)
        assert wake == math.inf or wake > self.now - ALMOST, "it wants to be woken in the past"
        if isinstance(event, Tick):
            assert wake > self.now, "a tick was for nothing, and the next one is due now"

    def judge(self, action: Action, event: Event, held: Lease | None) -> None:
        assert self.code is None, "it did something after its end"
        if isinstance(action, Request):
            self.judge_request(action)
        elif isinstance(action, Put):
            assert action.sink not in self.puts, "a sink is seen to twice at once"
            assert action.sink < self.state.policy.sinks
            assert action.number == self.number
            self.puts.add(action.sink)
        elif isinstance(action, Keep):
            assert not action.lease.wrapped
        elif isinstance(action, Exit):
            self.code = action.code
            policy = self.state.policy
            told = self.stopped or policy.once or policy.exit_after_auth
            lives = held is not None and held.ends > self.now
            assert told or not lives, "it ended with a token that lives"
            assert told or (policy.exit_on_err and isinstance(event, Failed))
        else:
            assert isinstance(action, (Forget, Ready, messages.Say))

    def judge_request(self, request: Request) -> None:
        # A request that hangs while the agent is to stop is given up, so that the token can be revoked in time.
        given_up = self.stopped and request.purpose is Purpose.REVOKE
        assert self.under_way is None or given_up, "two requests at once"
        last = self.begun.get(request.purpose, -math.inf)
        assert self.now - last >= lifecycle.FLOOR - ALMOST, "a request within the floor"
        if request.purpose is Purpose.RETIRE:
            assert 0 < request.number < self.number, "the token that is in use is revoked"
            assert all(sink.holds == self.number for sink in self.state.sinks), "a sink still has the old token"
        elif request.purpose is not Purpose.LOGIN and request.purpose is not Purpose.POLL:
            assert request.number == self.number, "a request for an older token"
        if self.stopped:
            assert request.purpose is Purpose.REVOKE
        self.begun[request.purpose] = self.now
        self.under_way = request


def test_in_any_order() -> None:
    run_state_machine_as_test(AnyOrder, settings=FIXED)


@settings(FIXED, max_examples=25)
@given(
    policy=policies,
    seed=st.integers(0, 2**48 - 1),
    ttl=ttls,
    renewable=st.booleans(),
    answers=st.lists(st.sampled_from(["works", "away", "denied", "gone", "unknown", "hurry"]), min_size=1, max_size=6),
    sink_works=st.booleans(),
)
def test_no_hot_loop_whatever_the_server_answers(
    policy: Policy, seed: int, ttl: float, renewable: bool, answers: list[str], sink_works: bool
) -> None:
    """Every answer comes at once, over and over again, and yet time goes on."""
    policy = dataclasses.replace(policy, exit_on_err=False, exit_after_auth=False, once=False)
    state, actions = lifecycle.step(lifecycle.initial(policy, seed), Started(), 1000.0)
    now, number, steps, requests = 1000.0, 0, 0, 0
    while steps < 2000 and (actions or lifecycle.wake(state) < math.inf):
        queue = list(actions)
        actions = ()
        for action in queue:
            event: Event | None = None
            if isinstance(action, Request):
                requests += 1
                number += action.purpose is Purpose.LOGIN
                event = _answer(action, answers[requests % len(answers)], Lease(number, now, ttl, renewable))
            elif isinstance(action, Put):
                event = SinkHolds(action.sink, action.number, True) if sink_works else SinkFailed(action.sink, "full")
            if event is not None:
                state, more = lifecycle.step(state, event, now)
                actions += more
                steps += 1
        if not actions:
            now = max(now, lifecycle.wake(state))
            if now == math.inf:
                break
            state, actions = lifecycle.step(state, Tick(), now)
            steps += 1

    if steps >= 2000:
        passed = now - 1000.0
        assert requests <= 4 * (passed / lifecycle.FLOOR + 1)  # each purpose once a second
        assert steps <= 20 * (passed + 1)


def _answer(request: Request, answer: str, lease: Lease) -> Event:
    purpose = request.purpose
    if answer == "away":
        return Failed(purpose, Failure("away", credentials=True))
    if answer == "hurry":
        return Failed(purpose, Failure("busy", retry_after=0.0))
    if answer == "denied":
        return Failed(purpose, Failure("denied", Retry.PERMANENT, denied=True))
    if purpose is Purpose.LOGIN:
        return LoggedIn(lease)
    if purpose is Purpose.RENEW:
        return Renewed(dataclasses.replace(lease, number=request.number, ttl=lease.ttl or 1.0))
    if purpose is Purpose.POLL:
        return Polled(changed=True)
    if purpose is Purpose.RETIRE:
        return Retired()
    standing = {"gone": Standing.GONE, "unknown": Standing.UNKNOWN}.get(answer, Standing.LIVE)
    return Checked(request.number, standing)


def test_no_message_and_no_state_has_room_for_a_secret() -> None:
    classes = [
        value
        for module in (messages, lifecycle)
        for value in vars(module).values()
        if isinstance(value, type) and dataclasses.is_dataclass(value)
    ]
    texts = {
        f"{kind.__name__}.{field.name}"
        for kind in classes
        for field in dataclasses.fields(kind)
        if field.type in ("str", "t.Any", "bytes") or "str" in str(field.type)
    }

    # Texts are errors' and the log's, which the core keeps free of secrets; a token is a number here.
    assert texts == {
        "Failure.text",
        "SinkFailed.text",
        "SinkHolds.news",
        "Say.level",
        "Say.text",
        "Say.fields",
        "Rendered.error",
        "Timer.error",
        "SinkState.error",
    }
    names: set[str] = {field.name for kind in classes for field in dataclasses.fields(kind)}
    assert not {name for name in names if name in {"token", "client_token", "nonce", "key", "secret"}}
