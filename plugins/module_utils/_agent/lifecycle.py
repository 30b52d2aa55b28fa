# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the agent does, and when: ``step(state, event, now) -> (state, actions)``.

Nothing here does I/O, reads a clock, starts a thread or draws a random number of its own: time comes in as ``now``
(seconds, ``clock.now()``), chance as the seed in the first state. ``runner.py`` performs the actions and brings their
outcomes back as events; the simulation in ``tests/simulation`` runs the same code on simulated time.

The rules, in short:

- A token is renewed at about 70 % of its lease. One that cannot be renewed (batch, not renewable, at its maximum TTL,
  of limited use) is replaced by a login at about 75 %; at its maximum TTL, where little may be left, 5 s before its end
  at the latest. One without an end is only looked after.
- While renewals fail they go on until the token really ends; from about 85 % of the lease a login is tried beside them,
  each right after one more renewal, if that failed too.
- A failed login is tried again after a pause with full jitter from ``min_backoff`` to an exponential bound, in the end
  after 75 to 100 % of ``max_backoff``, on top of Retry-After (at most ``max_backoff`` of it). A permanent error waits
  about ``max_backoff`` at once, a refused signature is made anew once. New AWS keys are looked for meanwhile, and end
  the wait.
- No request is begun within one second of the last one of its purpose, and one request is under way at a time.
- A token is looked up when it is new and then every ``lookup_interval``, unless a renewal has just shown that it lives.
  If that is forbidden to it, its lease is believed. A 403 at a renewal leads to a lookup, then to a login.
- A token that is gone leads to a login at once; if that happens to a new token again and again, with a growing pause.
- A token that was replaced ends by itself; with ``revoke_previous`` it is revoked once every sink holds the new one and
  readers had a while to take that over.
- Sinks are written when the token is new, looked at every few seconds, put back if they are missing or altered, and
  tried again with a growing pause, each by itself.
- Templates are ``templates``'; what counts here is whether all were rendered, and with which token.
"""

from __future__ import annotations

import dataclasses
import enum
import math
import random
import typing as t

from .._auth.errors import Retry
from .._auth.token import Standing
from .messages import (
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
    Say,
    SinkFailed,
    SinkHolds,
    Stale,
    Started,
    Stop,
    Tick,
)

T = t.TypeVar("T")

FLOOR = 1.0  # seconds between the beginnings of two requests of one purpose
RENEW_AT = (0.65, 0.75)  # of the lease
REPLACE_AT = (0.70, 0.80)
RESCUE_AT = (0.80, 0.90)  # from here on a login is tried beside renewals that fail
CAPPED = 0.9  # a renewal that grants less than this part of the first lease has met the maximum TTL
SPARE = 5.0  # seconds that a login is left then, as what was granted may be a second or less
LONG_PAUSE = 0.75  # of max_backoff: the shortest pause once pauses are as long as that
LOOK_SPREAD = (0.9, 1.1)  # of lookup_interval
SINK_LOOK = 5.0  # seconds between two looks at a sink
SINK_LONGEST_PAUSE = 60.0  # seconds
JUST_BOOTED = 120.0  # seconds since the machine started, within which a whole fleet may start with it
BOOT_SPREAD = 10.0  # seconds over which first logins are spread then
YOUNG = 60.0  # seconds; a token that is gone before this counts as one of a series
RETIRE_GRACE = 10.0  # seconds that readers have to take over the new token, once every sink holds it
STOP_PATIENCE = 1.5  # seconds for a request under way, whose token would be lost
REVOKE_PATIENCE = 5.0  # seconds
_NOT_RENDERED = Rendered(0)
_SOONER = 2.0  # seconds by which a lookup may differ from the lease without being news


@dataclasses.dataclass(frozen=True)
class Timer:
    """When something is done next (infinite: not planned), how often it failed in a row, and when it last began.

    earliest: what a server asked for with Retry-After.
    """

    due: float = math.inf
    earliest: float = -math.inf
    failures: int = 0
    last: float = -math.inf
    error: str = ""
    permanent: bool = False

    @property
    def begins(self) -> float:
        """When it may be begun; infinite: it is not planned."""
        return max(self.due, self.earliest, self.last + FLOOR)


@dataclasses.dataclass(frozen=True)
class SinkState:
    """What is known of one sink. holds: number of the token in it, 0 for none. busy: it is being seen to."""

    holds: int = 0
    busy: bool = False
    due: float = -math.inf
    failures: int = 0
    error: str = ""


@dataclasses.dataclass(frozen=True)
class State:
    """Everything that decides what happens next.

    busy: the request under way. doubt: a renewal was refused with 403, and a lookup is to tell why. losses: how many
    young tokens in a row were gone. replaced: number of the token that is to be revoked, 0 for none. rendered: how the
    templates stand. stopping: when patience ends, None while nobody has asked to stop.
    """

    policy: Policy
    seed: int
    lease: Lease | None = None
    busy: Purpose | None = None
    timers: t.Mapping[Purpose, Timer] = dataclasses.field(default_factory=lambda: dict.fromkeys(Purpose, Timer()))
    sinks: tuple[SinkState, ...] = ()
    doubt: bool = False
    losses: int = 0
    replaced: int = 0
    rendered: Rendered = _NOT_RENDERED
    ready: bool = False
    stopping: float | None = None
    exited: bool = False


class Phase(enum.Enum):
    """The state in one word, for people."""

    STARTING = "starting"  # no token yet
    WAITING = "waiting"  # no token: the last login failed, and is tried again
    BLOCKED = "blocked"  # no token: the last login failed in a way that somebody must mend
    SERVING = "serving"
    AT_RISK = "at risk"  # the token works, but what keeps it alive, or a sink or a template, fails
    STOPPING = "stopping"


def initial(policy: Policy, seed: int) -> State:
    """Return the state before ``Started``. seed: where all chance comes from."""
    return State(policy, seed, sinks=(SinkState(),) * policy.sinks)


def wake(state: State) -> float:
    """Return when ``step`` must be called again with a Tick, if no event comes before."""
    if state.exited:
        return math.inf
    if state.stopping is not None:
        return state.stopping
    times = [] if state.lease is None else [state.lease.ends]
    if _shown(state.lease):
        times += [sink.due for sink in state.sinks if not sink.busy]
    if state.busy is None:
        times += [timer.begins for timer in state.timers.values()]
    return min(times, default=math.inf)


def phase(state: State) -> Phase:
    """Return the state in one word."""
    login, renew = state.timers[Purpose.LOGIN], state.timers[Purpose.RENEW]
    if state.stopping is not None:
        return Phase.STOPPING
    if state.lease is None:
        if not login.failures:
            return Phase.STARTING
        return Phase.BLOCKED if login.permanent else Phase.WAITING
    if login.failures or renew.failures or state.rendered.error or any(sink.failures for sink in state.sinks):
        return Phase.AT_RISK
    return Phase.SERVING


def step(state: State, event: Event, now: float) -> tuple[State, tuple[Action, ...]]:
    """Return what follows from ``event`` at ``now``: the next state, and what to do, in this order."""
    if state.exited:
        return state, ()
    work = _Step(state, now)
    work.learn(event)
    work.act()
    return _but(work.state, seed=work.luck.getrandbits(48), timers=work.timers), tuple(work.actions)


def _but(old: T, **values: t.Any) -> T:
    """``dataclasses.replace``, without what makes it slow where a simulation takes millions of steps."""
    new = object.__new__(type(old))
    new.__dict__.update(old.__dict__, **values)
    return new


def _shown(lease: Lease | None) -> bool:
    """Whether the sinks are to hold this token: there is one, and it is no wrapping token that was used."""
    return lease is not None and not (lease.wrapped and lease.ttl == 0)


class _Step:
    """One step in the making."""

    def __init__(self, state: State, now: float) -> None:
        self.state = state
        self.timers = dict(state.timers)  # put back at the end of the step
        self.now = now
        self.luck = random.Random(state.seed)  # noqa: S311 (jitter)
        self.actions: list[Action] = []

    # --- what an event teaches

    def learn(self, event: Event) -> None:
        _LEARN[type(event)](self, event)

    def _started(self, event: Started) -> None:
        if event.kept and event.kept.ends > self.now:
            self._say("info", "went on with the token of the last process", expires_in=self._left(event.kept))
            self._adopt(event.kept)
            if event.kept.asks is not False:
                self._set(Purpose.CHECK, due=self.now)
            return
        spread = BOOT_SPREAD if self.now < JUST_BOOTED and not self.state.policy.once else 0.0
        self._set(Purpose.LOGIN, due=self.now + self.luck.uniform(0, spread))

    def _tick(self, event: Tick) -> None:
        pass

    def _logged_in(self, event: LoggedIn) -> None:
        lease = event.lease
        self._done(Purpose.LOGIN)
        self._say("info", "logged in", ttl=int(lease.ttl), renewable=lease.renewable)
        old = self.state.lease
        self._adopt(lease)
        if self.state.policy.revoke_previous and old and not old.wrapped and old.ends > self.now + RETIRE_GRACE:
            self._change(replaced=old.number)
            self._set(Purpose.RETIRE, due=self.now + RETIRE_GRACE)
        if not lease.wrapped:
            self.actions.append(Keep(lease))

    def _renewed(self, event: Renewed) -> None:
        self._done(Purpose.RENEW)
        old = self.state.lease
        if old is None or old.number != event.lease.number:
            return  # the token was replaced meanwhile
        lease = dataclasses.replace(event.lease, asks=old.asks, granted=max(old.granted, event.lease.ttl))
        self._say("info", "renewed the token", ttl=int(lease.ttl))
        self._change(doubt=False, lease=lease)
        self._set(Purpose.LOGIN, failures=0, error="", permanent=False)
        self._plan()
        self.actions.append(Keep(lease))

    def _checked(self, event: Checked) -> None:
        self._done(Purpose.CHECK)
        lease = self.state.lease
        if lease is None or lease.number != event.number:
            return
        if lease.wrapped:
            self._checked_wrapped(lease, event.standing)
            return
        if event.standing is Standing.GONE:
            self._lost(lease)
            return
        asks = event.standing is Standing.LIVE
        if not asks and lease.asks is not False:
            self._say("info", "the token may not look itself up: its lease is believed, a revocation shows at renewal")
        known = dataclasses.replace(lease, asks=asks)
        told = event.lease
        if told is not None and told.ends != lease.ends and not abs(told.ends - lease.ends) < _SOONER:
            # What is left of a lease does not tell how long it was, so that its length stays, unless it grew.
            ttl = told.ttl and max(told.ttl, lease.ttl)
            known = dataclasses.replace(known, since=told.since + told.ttl - ttl, ttl=ttl)
        if self.state.doubt:
            self._say("warn", "the server does not renew the token, so it is replaced before it ends")
            known = dataclasses.replace(known, renewable=False)
        self._change(lease=known, doubt=False)
        if known.ends != lease.ends or known.renewable != lease.renewable:
            self._plan()
        self._plan_look()
        if known != lease:
            self.actions.append(Keep(known))

    def _checked_wrapped(self, lease: Lease, standing: Standing) -> None:
        if standing is Standing.GONE:
            self._say("info", "the wrapped token was used: nothing is left to do until a restart or a reload")
            self._change(lease=dataclasses.replace(lease, ttl=0))
        elif self.now < lease.since + lease.ttl * REPLACE_AT[0]:
            self._plan()
        else:
            self._set(Purpose.LOGIN, due=self.now)

    def _polled(self, event: Polled) -> None:
        self._done(Purpose.POLL)
        if not self._timer(Purpose.LOGIN).failures:
            return
        if event.changed:
            self._say("info", "there are new AWS credentials: logging in")
            self._set(Purpose.LOGIN, due=self.now)
        else:
            self._set(Purpose.POLL, due=self.now + self.state.policy.poll_interval)

    def _retired(self, event: Retired) -> None:
        self._done(Purpose.RETIRE)
        self._change(replaced=0)
        self._say("info", "revoked the token that was replaced")

    def _retire_failed(self, failure: Failure, permanent: bool) -> None:
        self._set(Purpose.RETIRE, failures=0, error="", permanent=False)
        self._change(replaced=0)
        self._say("warn", f"the token that was replaced was not revoked, and ends by itself: {failure.text}")

    def _revoked(self, event: Revoked) -> None:
        self._done(Purpose.REVOKE)
        self._change(lease=None)
        self.actions.append(Forget())

    def _failed(self, event: Failed) -> None:
        purpose, failure = event.purpose, event.failure
        timer = self._timer(purpose)
        self._change(busy=None)
        permanent = failure.retry is Retry.PERMANENT or (failure.retry is Retry.RESIGN and timer.failures > 0)
        earliest = self.now + self._asked(failure)
        self._set(purpose, failures=timer.failures + 1, error=failure.text, permanent=permanent, earliest=earliest)
        _FAILED[purpose](self, failure, permanent)

    def _stale(self, event: Stale) -> None:
        self._change(busy=None)
        if event.purpose is Purpose.LOGIN:
            self._set(Purpose.LOGIN, due=self.now)

    def _login_failed(self, failure: Failure, permanent: bool) -> None:
        policy = self.state.policy
        stopping = self.state.stopping is not None
        if not stopping and (policy.once or (policy.exit_on_err and self.state.lease is None)):
            self._say("error", f"giving up: {failure.text}")
            self._exit(2 if permanent else 3)
            return
        pause = self._pause(Purpose.LOGIN, failure, permanent)
        self._set(Purpose.LOGIN, due=self.now + pause)
        self._renew_before_login()
        if failure.credentials and policy.poll_interval:
            self._set(Purpose.POLL, due=self.now + policy.poll_interval)
        level = "error" if permanent or self.state.lease is None else "warn"
        self._say(level, f"the login failed: {failure.text}", next_try_in=round(pause, 1))

    def _renewal_failed(self, failure: Failure, permanent: bool) -> None:
        lease = self.state.lease
        if lease is None:
            self._done(Purpose.RENEW)
            return
        self._say("warn", f"the renewal failed: {failure.text}", expires_in=self._left(lease))
        doubt = failure.denied and lease.asks is not False
        if doubt:
            self._change(doubt=True)
            self._set(Purpose.CHECK, due=self.now)
        else:
            pause = min(self._pause(Purpose.RENEW, failure, permanent), max(FLOOR, (lease.ends - self.now) / 3))
            self._set(Purpose.RENEW, due=self.now + pause)
        if self._timer(Purpose.LOGIN).due == math.inf:
            # What is permanent for the token may be nothing to a login; a server that is away has both wait.
            share = 0.0 if permanent and not doubt else self.luck.uniform(*RESCUE_AT)
            self._set(Purpose.LOGIN, due=max(self.now, lease.since + lease.ttl * share))
        self._renew_before_login()

    def _renew_before_login(self) -> None:
        """Have one more renewal tried right before a login that is planned beside renewals that fail.

        So a fleet asks a server that is back for renewals, not for logins.
        """
        renew, login = self._timer(Purpose.RENEW), self._timer(Purpose.LOGIN)
        if renew.failures and not renew.permanent and self.now < login.due < renew.due < math.inf:
            self._set(Purpose.RENEW, due=login.due)

    def _check_failed(self, failure: Failure, permanent: bool) -> None:
        if self.state.lease is None:
            self._done(Purpose.CHECK)
            return
        self._say("warn", f"the token could not be looked up: {failure.text}")
        self._set(Purpose.CHECK, due=self.now + self._pause(Purpose.CHECK, failure, permanent))

    def _poll_failed(self, failure: Failure, permanent: bool) -> None:
        self._set(Purpose.POLL, failures=0, due=self.now + self.state.policy.poll_interval)

    def _revoke_failed(self, failure: Failure, permanent: bool) -> None:
        self._say("warn", f"the token was not revoked: {failure.text}")
        self._change(lease=None)
        self.actions.append(Forget())

    def _sink_holds(self, event: SinkHolds) -> None:
        old = self._sink(event.sink)
        if old is None:
            return
        if old.failures:
            self._say("info", "a sink that failed works again", sink=event.sink)
        if event.news:
            self._say("info", event.news, sink=event.sink)
        elif not old.failures and event.wrote and old.holds == event.number:
            self._say("warn", "a sink was missing or altered, and was put back", sink=event.sink)
        lease = self.state.lease
        newer = lease is not None and lease.number != event.number
        pause = 0.0 if newer else min(SINK_LOOK, max(FLOOR, event.again))
        self._set_sink(event.sink, SinkState(event.number, due=self.now + pause))
        self._be_ready()

    def _be_ready(self) -> None:
        state = self.state
        written = not state.sinks or any(sink.holds for sink in state.sinks)
        if not state.ready and written and (state.rendered.number or not state.policy.templates):
            self._change(ready=True)
            self.actions.append(Ready())

    def _rendered(self, event: Rendered) -> None:
        self._change(rendered=event)
        self._be_ready()
        if event.error and self.state.policy.once:
            self._say("error", f"giving up: {event.error}")
            self._exit(2 if event.permanent else 3)

    def _doubted(self, event: Doubted) -> None:
        lease = self.state.lease
        if lease is not None and lease.number == event.number and self._may_look(lease):
            self._set(Purpose.CHECK, due=self.now)

    def _sink_failed(self, event: SinkFailed) -> None:
        old = self._sink(event.sink)
        if old is None:
            return
        failures = old.failures + 1
        bound = min(SINK_LONGEST_PAUSE, FLOOR * 2**failures)
        pause = self.luck.uniform(FLOOR, bound)
        if event.text != old.error:
            self._say("error", f"a sink failed: {event.text}", sink=event.sink, next_try_in=round(pause, 1))
        self._set_sink(event.sink, SinkState(old.holds, False, self.now + pause, failures, event.text))
        if self.state.policy.once:
            self._exit(3)

    def _check_now(self, event: CheckNow) -> None:
        self._say("info", "looking at everything now, as asked")
        lease = self.state.lease
        if lease is not None and _shown(lease) and lease.asks is not False and not lease.num_uses:
            self._set(Purpose.CHECK, due=self.now)
        for purpose in (Purpose.LOGIN, Purpose.RENEW):
            if self._timer(purpose).failures:
                self._set(purpose, due=self.now)
        self._change(sinks=tuple(dataclasses.replace(sink, due=self.now) for sink in self.state.sinks))

    def _reloaded(self, event: Reloaded) -> None:
        self._change(policy=event.policy, sinks=(SinkState(),) * event.policy.sinks, rendered=_NOT_RENDERED)
        lease = self.state.lease
        if not event.same_login:
            self.actions.append(Forget())
            # It stays in the sinks until there is another one, but is never sent to what may be another server.
            if lease is not None:
                self._change(lease=dataclasses.replace(lease, renewable=False, asks=False), doubt=False)
            for purpose in (Purpose.RENEW, Purpose.CHECK, Purpose.POLL, Purpose.LOGIN):
                self._set(purpose, due=math.inf, earliest=-math.inf, failures=0, error="", permanent=False)
            self._set(Purpose.LOGIN, due=self.now)
            return
        self._plan_look()
        if not _shown(lease) or self._timer(Purpose.LOGIN).failures:
            self._set(Purpose.LOGIN, due=self.now)

    def _stop(self, event: Stop) -> None:
        if self.state.stopping is None:
            self._change(stopping=self.now + STOP_PATIENCE)

    # --- what is due now

    def act(self) -> None:
        if self.state.exited:
            return
        if self.state.stopping is not None:
            self._act_stopping(self.state.stopping)
            return
        self._end_lease()
        self._begin_request()
        self._begin_sinks()
        policy = self.state.policy
        if self._all_hold() and (policy.exit_after_auth or policy.once):
            self._exit(0)

    def _act_stopping(self, patience: float) -> None:
        lease = self.state.lease
        if self.state.busy is not None and self.now < patience:
            return
        revocable = lease is not None and lease.ends > self.now and not lease.wrapped
        if self.state.policy.revoke_on_exit and revocable and self.state.busy is not Purpose.REVOKE:
            self._say("info", "revoking the token, as revoke_on_exit says")
            self._change(busy=Purpose.REVOKE, stopping=self.now + REVOKE_PATIENCE)
            self.actions.append(Request(Purpose.REVOKE, t.cast(Lease, lease).number))
            return
        if self.state.busy is Purpose.REVOKE:
            self._say("warn", f"the token was not revoked: the server gave no answer in {REVOKE_PATIENCE:.0f} s")
        self._exit(0)

    def _end_lease(self) -> None:
        lease = self.state.lease
        if lease is None or lease.ends > self.now:
            return
        if not lease.wrapped:
            self._say("error", "the token has ended, and there is no other one")
        self._drop()
        login = self._timer(Purpose.LOGIN)
        if self.state.busy is not Purpose.LOGIN and (login.due == math.inf or not login.failures):
            self._set(Purpose.LOGIN, due=self.now)

    def _begin_request(self) -> None:
        if self.state.busy is not None:
            return
        if self._timer(Purpose.RETIRE).due <= self.now and not self._all_hold():
            self._set(Purpose.RETIRE, due=self.now + RETIRE_GRACE)
        for purpose in (Purpose.RENEW, Purpose.LOGIN, Purpose.CHECK, Purpose.POLL, Purpose.RETIRE):
            timer = self._timer(purpose)
            if self.now >= timer.begins:
                lease = self.state.lease
                self._set(purpose, due=math.inf, last=self.now)
                self._change(busy=purpose)
                fresh = purpose is Purpose.CHECK and lease is not None and lease.asks is None
                number = self.state.replaced if purpose is Purpose.RETIRE else lease.number if lease else 0
                self.actions.append(Request(purpose, number, fresh))
                return

    def _all_hold(self) -> bool:
        """Whether every sink holds the token that there is, and every template was rendered with it."""
        lease, rendered = self.state.lease, self.state.rendered
        if lease is None or (self.state.policy.templates and (rendered.number != lease.number or rendered.error)):
            return False
        return all(sink.holds == lease.number and not sink.failures for sink in self.state.sinks)

    def _begin_sinks(self) -> None:
        lease = self.state.lease
        if lease is None or not _shown(lease):
            return
        for index, sink in enumerate(self.state.sinks):
            if not sink.busy and sink.due <= self.now:
                self._set_sink(index, dataclasses.replace(sink, busy=True))
                self.actions.append(Put(index, lease.number))

    # --- how a token is looked after

    def _adopt(self, lease: Lease) -> None:
        """Make ``lease`` the token that the sinks get."""
        self._change(
            lease=dataclasses.replace(lease, granted=max(lease.granted, lease.ttl)),
            doubt=False,
            sinks=tuple(dataclasses.replace(sink, due=self.now) for sink in self.state.sinks),
        )
        for purpose in (Purpose.RENEW, Purpose.CHECK, Purpose.POLL):
            self._set(purpose, due=math.inf, failures=0, error="")
        self._plan()
        if lease.asks is None and self._may_look(lease):
            self._set(Purpose.CHECK, due=self.now)  # the one moment at which a 403 tells what the token may

    def _plan(self) -> None:
        """Plan renewal or replacement of the token."""
        lease = t.cast(Lease, self.state.lease)
        capped = lease.ttl < lease.granted * CAPPED
        renewable = lease.renewable and not capped and not lease.num_uses and lease.ttl > 0
        share = self.luck.uniform(*(RENEW_AT if renewable else REPLACE_AT))
        due = math.inf if lease.ttl == 0 else lease.since + lease.ttl * share
        if capped and lease.renewable:
            due = min(due, lease.ends - SPARE)
        if lease.wrapped:
            self._set(Purpose.CHECK, due=due)
            return
        self._set(Purpose.RENEW, due=due if renewable else math.inf, failures=0, error="")
        self._set(Purpose.LOGIN, due=math.inf if renewable else due)
        self._plan_look()

    def _plan_look(self) -> None:
        lease = self.state.lease
        due = math.inf
        if lease is not None and self._may_look(lease):
            due = self.now + self.state.policy.lookup_interval * self.luck.uniform(*LOOK_SPREAD)
        if lease is None or not lease.wrapped:
            self._set(Purpose.CHECK, due=due, failures=0, error="")

    def _may_look(self, lease: Lease) -> bool:
        allowed = lease.asks is not False and not lease.num_uses and not lease.wrapped
        return allowed and self.state.policy.lookup_interval > 0

    def _lost(self, lease: Lease) -> None:
        young = self.now - lease.since < YOUNG and lease.asks is None
        losses = self.state.losses + 1 if young else 0
        self._say("warn", "the token is gone (revoked, or unknown to the server): logging in")
        self._drop()
        self._change(losses=losses)
        pause = self.luck.uniform(0, self._bound(losses)) if losses > 1 else 0.0
        self._set(Purpose.LOGIN, due=self.now + pause)

    def _drop(self) -> None:
        self._change(lease=None, doubt=False)
        for purpose in (Purpose.RENEW, Purpose.CHECK):
            self._set(purpose, due=math.inf, failures=0, error="")
        self.actions.append(Forget())

    def _pause(self, purpose: Purpose, failure: Failure, permanent: bool) -> float:
        policy = self.state.policy
        if permanent:
            pause = policy.max_backoff * self.luck.uniform(0.5, 1.0)
        else:
            bound = self._bound(self._timer(purpose).failures)
            # Short pauses spread a fleet whose agents failed together; long ones keep the rate low once they are apart.
            least = policy.min_backoff if bound < policy.max_backoff else LONG_PAUSE * bound
            pause = self.luck.uniform(least, bound)
        # On top of what the server asks for, which all its clients were told alike.
        return max(FLOOR, pause) + self._asked(failure)

    def _asked(self, failure: Failure) -> float:
        """Seconds that the server asked to wait; a load balancer that says a year must not end the agent's work."""
        return min(failure.retry_after or 0.0, self.state.policy.max_backoff)

    def _bound(self, failures: int) -> float:
        policy = self.state.policy
        return min(policy.max_backoff, policy.min_backoff * 2.0 ** min(failures, 60))

    # --- small helpers

    def _timer(self, purpose: Purpose) -> Timer:
        return self.timers[purpose]

    def _set(self, purpose: Purpose, **values: t.Any) -> None:
        self.timers[purpose] = _but(self.timers[purpose], **values)

    def _done(self, purpose: Purpose) -> None:
        self._change(busy=None)
        self._set(purpose, failures=0, error="", permanent=False)

    def _change(self, **values: t.Any) -> None:
        self.state = _but(self.state, **values)

    def _sink(self, index: int) -> SinkState | None:
        return self.state.sinks[index] if index < len(self.state.sinks) else None

    def _set_sink(self, index: int, value: SinkState) -> None:
        sinks = list(self.state.sinks)
        sinks[index] = value
        self._change(sinks=tuple(sinks))

    def _left(self, lease: Lease) -> float | None:
        return None if lease.ends == math.inf else round(lease.ends - self.now, 1)

    def _say(self, level: str, text: str, **fields: t.Any) -> None:
        self.actions.append(Say(level, text, fields))

    def _exit(self, code: int) -> None:
        self._change(exited=True)
        self.actions.append(Exit(code))


_LEARN: dict[type, t.Callable[[_Step, t.Any], None]] = {
    Started: _Step._started,
    Tick: _Step._tick,
    LoggedIn: _Step._logged_in,
    Renewed: _Step._renewed,
    Checked: _Step._checked,
    Polled: _Step._polled,
    Retired: _Step._retired,
    Revoked: _Step._revoked,
    Failed: _Step._failed,
    Stale: _Step._stale,
    SinkHolds: _Step._sink_holds,
    SinkFailed: _Step._sink_failed,
    Rendered: _Step._rendered,
    Doubted: _Step._doubted,
    CheckNow: _Step._check_now,
    Reloaded: _Step._reloaded,
    Stop: _Step._stop,
}
_FAILED: dict[Purpose, t.Callable[[_Step, Failure, bool], None]] = {
    Purpose.RENEW: _Step._renewal_failed,
    Purpose.LOGIN: _Step._login_failed,
    Purpose.CHECK: _Step._check_failed,
    Purpose.POLL: _Step._poll_failed,
    Purpose.REVOKE: _Step._revoke_failed,
    Purpose.RETIRE: _Step._retire_failed,
}
