# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When what is read, renewed and rendered: functions from one state to the next, and what is due in it.

As in ``lifecycle``, nothing here does I/O, reads a clock, or draws a random number of its own: time comes in as
``now`` (``clock.now()``), chance as the seed in the first state.

The rules, in short:

- What several templates ask for alike is asked for once.
- A lease that can be renewed is renewed at about two thirds of it. One that cannot (not renewable, or at its maximum),
  and a certificate, is replaced at 85 to 90 %.
- What has no lease is read anew at the interval, or when the server says that it changes it by itself. What was written
  and has no end is written once.
- Leases end with the token that they were had with: another token reads them anew.
- What fails is tried again after a pause with jitter, from min_backoff to an exponential bound of at most max_backoff,
  on top of Retry-After (at most max_backoff of it). Templates that need it wait for it; what they became before stays.
- A template is rendered when something that it used was read, each time, so that a file that somebody altered is put
  right. With ``wait`` that is put off until nothing has changed for a while.
"""

from __future__ import annotations

import dataclasses
import math
import random
import typing as t

FLOOR = 1.0  # seconds between the beginnings of two requests for the same
RENEW_AT = (0.62, 0.70)  # of the lease
REPLACE_AT = (0.85, 0.90)
CAPPED = 0.9  # a renewal that grants less than this part of the longest so far has met the maximum
SPARE = 5.0  # seconds that the next fetch is left then, as what was granted may be a second or less
LONG_PAUSE = 0.75  # of max_backoff: the shortest pause once pauses are as long as that
SPREAD = (0.95, 1.05)  # of the interval


@dataclasses.dataclass(frozen=True)
class Ask:
    """What a template asks for. version: of a secret, None for the newest. body: JSON that is written, None to read."""

    path: str
    version: int | None = None
    body: str | None = dataclasses.field(default=None, repr=False)


@dataclasses.dataclass(frozen=True)
class Grant:
    """How long an answer is good. since: ``clock.now()`` just before it was asked for. ttl: seconds, 0 for no end.

    rotates: seconds until the server will have changed it by itself, 0 if that is not known.
    """

    since: float
    ttl: float = 0.0
    lease_id: str = dataclasses.field(default="", repr=False)
    renewable: bool = False
    rotates: float = 0.0


@dataclasses.dataclass(frozen=True)
class Setback:
    """Why a request or a rendering failed. text: one line without secrets. retry_after: seconds, or None."""

    text: str
    permanent: bool = False
    retry_after: float | None = None


@dataclasses.dataclass(frozen=True)
class Pace:
    """What the configuration says, in seconds. interval: between two reads of what has no lease."""

    interval: float = 300.0
    min_backoff: float = 1.0
    max_backoff: float = 300.0


@dataclasses.dataclass(frozen=True)
class Known:
    """What is known of one ask. grant: of the answer that there is, None without one. longest: TTL it ever had.

    renew: what is due is a renewal. due: infinite if nothing is. last: when it was last asked for.
    """

    grant: Grant | None = None
    longest: float = 0.0
    renew: bool = False
    due: float = -math.inf
    last: float = -math.inf
    setback: Setback | None = None
    failures: int = 0

    def holds(self, now: float) -> bool:
        """Whether there is an answer that is still good."""
        grant = self.grant
        return grant is not None and (grant.ttl == 0 or now < grant.since + grant.ttl)

    @property
    def begins(self) -> float:
        """When it may be asked for; infinite: nothing is due."""
        return max(self.due, self.last + FLOOR)


@dataclasses.dataclass(frozen=True)
class Stand:
    """How one template stands. uses: what it asked for. due: when it is rendered, infinite if there is no cause.

    changed: when the first change came that it has not seen, None without one. done: number of the token that its file
    was last rendered with, 0 for never.
    """

    uses: frozenset[Ask] = frozenset()
    due: float = -math.inf
    changed: float | None = None
    done: int = 0
    setback: Setback | None = None
    failures: int = 0


@dataclasses.dataclass(frozen=True)
class State:
    """Everything that decides what is done next. waits: of each template. token: number of the one there is, or 0."""

    pace: Pace
    waits: tuple[tuple[float, float], ...]
    seed: int
    token: int = 0
    asks: t.Mapping[Ask, Known] = dataclasses.field(default_factory=dict)
    stands: tuple[Stand, ...] = ()


@dataclasses.dataclass(frozen=True)
class Fetch:
    """Ask for it anew."""

    ask: Ask


@dataclasses.dataclass(frozen=True)
class Renew:
    """Renew its lease."""

    ask: Ask
    lease_id: str = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True)
class Render:
    """Render this template, by its index."""

    template: int


Task = t.Union[Fetch, Renew, Render]


def initial(pace: Pace, waits: t.Sequence[tuple[float, float]], seed: int) -> State:
    """Return the state before there is a token. seed: where all chance comes from."""
    return State(pace, tuple(waits), seed, stands=(Stand(),) * len(waits))


# --- what is due


def next_task(state: State, now: float) -> Task | None:
    """Return what is to be done now, reads before renderings, or None."""
    if not state.token:
        return None
    for ask, known in state.asks.items():
        if known.begins <= now:
            grant = known.grant
            return Renew(ask, grant.lease_id) if known.renew and grant and known.holds(now) else Fetch(ask)
    return next((Render(index) for index, stand in enumerate(state.stands) if stand.due <= now), None)


def wake(state: State) -> float:
    """Return when there is something to do, if nothing happens before."""
    if not state.token:
        return math.inf
    times = [known.begins for known in state.asks.values()] + [stand.due for stand in state.stands]
    return min(times, default=math.inf)


def must_fetch(state: State, ask: Ask, now: float) -> bool:
    """Whether a rendering that needs ``ask`` is to ask for it itself: nothing is known of it, or its time has come."""
    known = state.asks.get(ask)
    return known is None or (not known.holds(now) and known.begins <= now)


# --- what happened


def tokened(state: State, number: int, now: float) -> State:
    """There is the token ``number`` (0: none any more)."""
    if number in (0, state.token):
        return dataclasses.replace(state, token=number)
    asks = {}
    for ask, known in state.asks.items():
        if known.grant and known.grant.lease_id:
            asks[ask] = Known(due=now, last=known.last)
        elif known.setback:
            asks[ask] = dataclasses.replace(known, due=now, setback=None, failures=0)
        else:
            asks[ask] = known
    stands = tuple(dataclasses.replace(stand, due=now, changed=None, failures=0) for stand in state.stands)
    return dataclasses.replace(state, token=number, asks=asks, stands=stands)


def got(state: State, ask: Ask, grant: Grant, now: float) -> State:
    """A fetch brought an answer."""
    luck, state = _luck(state)
    due, renew = _next_of(state.pace, ask, grant, luck)
    known = Known(grant, grant.ttl, renew, due, grant.since)
    stands = tuple(
        _changed(stand, wait, now) if ask in stand.uses else stand for stand, wait in zip(state.stands, state.waits)
    )
    return dataclasses.replace(state, asks={**state.asks, ask: known}, stands=stands)


def renewed(state: State, ask: Ask, grant: Grant, now: float) -> State:
    """A renewal brought ``grant``; what was read stays as it is."""
    known = state.asks.get(ask)
    if known is None or known.grant is None:
        return state
    luck, state = _luck(state)
    longest = max(known.longest, grant.ttl)
    capped = grant.ttl < CAPPED * longest
    grant = dataclasses.replace(grant, lease_id=known.grant.lease_id, renewable=grant.renewable and not capped)
    due, renew = _next_of(state.pace, ask, grant, luck)
    if capped and grant.ttl:
        due = max(now, min(due, grant.since + grant.ttl - SPARE))
    return _with(state, ask, Known(grant, longest, renew, due, now))


def failed(state: State, ask: Ask, setback: Setback, now: float) -> State:
    """A fetch or a renewal failed."""
    known = state.asks.get(ask, Known())
    luck, state = _luck(state)
    failures = known.failures + 1
    pause = _pause(state.pace, failures, luck) + min(setback.retry_after or 0.0, state.pace.max_backoff)
    due, renew = now + pause, False
    if known.renew and known.grant and known.holds(now):
        # A lease that the server does not renew any more is replaced at once; else while there is time.
        last = known.grant.since + known.grant.ttl * REPLACE_AT[0]
        due = now if setback.permanent else max(now, min(due, last))
        renew = not setback.permanent and due < last
    return _with(
        state,
        ask,
        dataclasses.replace(known, due=due, renew=renew, last=now, setback=setback, failures=failures),
    )


def rendered(state: State, index: int, uses: t.AbstractSet[Ask]) -> State:
    """Template ``index`` is a file, for which it used these."""
    return _prune(_stood(state, index, Stand(frozenset(uses), math.inf, done=state.token)))


def blocked(state: State, index: int, uses: t.AbstractSet[Ask]) -> State:
    """Template ``index`` cannot be rendered before something of these that failed is read."""
    stand = state.stands[index]
    return _stood(state, index, Stand(frozenset(uses), math.inf, done=stand.done))


def spoilt(
    state: State, index: int, uses: t.AbstractSet[Ask], setback: Setback, now: float, *, placed: bool, anew: bool
) -> State:
    """Template ``index`` failed by itself. placed: its file is there all the same. anew: what it read may be why."""
    luck, state = _luck(state)
    old = state.stands[index]
    failures = old.failures + 1
    due = now + _pause(state.pace, failures, luck)
    done = state.token if placed else old.done
    state = _stood(state, index, Stand(frozenset(uses), due, None, done, setback, failures))
    if anew:
        asks = dict(state.asks)
        for ask in uses:
            known = asks.get(ask)
            if known and known.grant and ask.body is None and not known.grant.lease_id:
                asks[ask] = dataclasses.replace(known, due=min(known.due, due))
        state = dataclasses.replace(state, asks=asks)
    return state


def look_now(state: State, now: float) -> State:
    """Somebody wants everything to be looked at now: what has no lease, and what failed, is read, all is rendered."""
    asks = {
        ask: dataclasses.replace(known, due=now)
        if known.setback or (known.grant and not known.grant.ttl and ask.body is None)
        else known
        for ask, known in state.asks.items()
    }
    stands = tuple(dataclasses.replace(stand, due=now) for stand in state.stands)
    return dataclasses.replace(state, asks=asks, stands=stands)


def reloaded(state: State, pace: Pace, waits: t.Sequence[tuple[float, float]]) -> State:
    """There are other templates; what is known of asks stays."""
    return dataclasses.replace(state, pace=pace, waits=tuple(waits), stands=(Stand(),) * len(waits))


# --- what is known


def setbacks(state: State) -> list[Setback | None]:
    """Return for each template why it fails, or why something that it uses does; None if all is well."""
    failing = {ask: known.setback for ask, known in state.asks.items() if known.setback}

    def of(stand: Stand) -> Setback | None:
        # The first by its path, so that it stays the same while several fail.
        used = sorted(failing.keys() & stand.uses, key=lambda one: (one.path, one.version or 0, one.body or ""))
        return stand.setback or (failing[used[0]] if used else None)

    return [of(stand) for stand in state.stands]


def done(state: State) -> int:
    """Return the number of the token if every template was rendered with it, else 0."""
    return state.token if all(stand.done == state.token for stand in state.stands) else 0


# --- helpers


def _next_of(pace: Pace, ask: Ask, grant: Grant, luck: random.Random) -> tuple[float, bool]:
    """When something is due for an answer, and whether that is a renewal."""
    if grant.ttl:
        renew = grant.renewable and bool(grant.lease_id)
        share = luck.uniform(*(RENEW_AT if renew else REPLACE_AT))
        return grant.since + grant.ttl * share, renew
    if ask.body is not None:
        return math.inf, False
    interval = pace.interval * luck.uniform(*SPREAD)
    return grant.since + (min(interval, grant.rotates + FLOOR) if grant.rotates else interval), False


def _changed(stand: Stand, wait: tuple[float, float], now: float) -> Stand:
    """The template after something that it uses was read."""
    least, most = wait
    if not stand.done or not least:
        return dataclasses.replace(stand, due=now)
    first = now if stand.changed is None else stand.changed
    return dataclasses.replace(stand, changed=first, due=min(now + least, first + most))


def _pause(pace: Pace, failures: int, luck: random.Random) -> float:
    bound = min(pace.max_backoff, pace.min_backoff * 2.0 ** min(failures, 60))
    least = pace.min_backoff if bound < pace.max_backoff else LONG_PAUSE * bound
    return max(FLOOR, luck.uniform(min(least, bound), bound))


def _prune(state: State) -> State:
    """Forget what no template asks for any more; that can be told once all are rendered."""
    if not done(state):
        return state
    used = frozenset().union(*(stand.uses for stand in state.stands))
    if len(used) == len(state.asks):
        return state
    return dataclasses.replace(state, asks={ask: known for ask, known in state.asks.items() if ask in used})


def _with(state: State, ask: Ask, known: Known) -> State:
    return dataclasses.replace(state, asks={**state.asks, ask: known})


def _stood(state: State, index: int, stand: Stand) -> State:
    return dataclasses.replace(state, stands=(*state.stands[:index], stand, *state.stands[index + 1 :]))


def _luck(state: State) -> tuple[random.Random, State]:
    luck = random.Random(state.seed)  # noqa: S311 (jitter)
    return luck, dataclasses.replace(state, seed=luck.getrandbits(48))
