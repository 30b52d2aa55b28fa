# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Steps of the clock by an hour, either way, while somebody runs: tokens are measured by a clock that nobody sets."""

from __future__ import annotations

import functools
import time

from tests.chaos.faketime import Clock
from tests.chaos.kills import SINK, task
from tests.chaos.trial import LOGIN_RATE, NO_TORN_SINK, NO_WRONG_TOKEN, RECOVERY, Finding, Ground, Trial
from tests.chaos.victims import (
    LONG,
    Reader,
    accepted,
    agents,
    backoff,
    lookups,
    message,
    most_tries,
    next_task,
    rate,
    recovery,
    returns,
    settled,
    told,
)
from tests.live.lookup.runs import meet, play, see

GROUP = "clocks"
HOUR = 3600  # seconds
CLOCK = "set this host's clock"
WAYS = {"forth": HOUR, "back": -HOUR}


def trials() -> list[Trial]:
    """All of them."""
    return [
        trial
        for way, step in WAYS.items()
        for trial in (
            Trial(GROUP, f"an hour {way} under an agent with a token", functools.partial(serving, step=step), 14),
            Trial(GROUP, f"an hour {way} under an agent that must log in", functools.partial(refused, step=step), 20),
            Trial(GROUP, f"an hour {way} under a lookup's cache", functools.partial(lookup, step=step), 10),
            Trial(GROUP, f"an hour {way} under a module with a sink", functools.partial(module, step=step), 20),
        )
    ]


def serving(ground: Ground, step: int) -> list[Finding]:
    """A token with a lease that is renewed: neither dropped nor held for longer, and no login for it."""
    clock = Clock.new(ground.folder)
    with agents(ground) as made:
        agent = made.iam("serving", role={"token_ttl": "8s", "token_max_ttl": "1h"}, auto_auth={"lookup_interval": 1})
        agent.start(**clock.environment)
        token = settled(agent)
        begun = time.monotonic()
        with Reader.of(agent) as reader:
            time.sleep(ground.random.uniform(0.5, 2))
            clock.set(step)
            time.sleep(8)
            clock.set(0)
            time.sleep(1)
        renewals = len(agent.uses("auth/token/renew-self"))
        same = agent.token() == token and agent.works()
        lasted = time.monotonic() - begun
        return [
            *reader.findings(),
            rate(agent.logins(), 1, lasted),
            Finding(RECOVERY, same and 1 <= renewals <= lasted + 1, f"the same token, renewed {renewals} times"),
            message(agent, "renewed the token"),
        ]


def refused(ground: Ground, step: int) -> list[Finding]:
    """AWS refuses what was signed at a wrong time; the message names the clock, and a clock that is right ends it."""
    clock = Clock.new(ground.folder)
    with agents(ground) as made:
        agent = made.iam("refused", role=LONG, auto_auth={"lookup_interval": 1})
        agent.start(**clock.environment)
        settled(agent)
        with Reader.of(agent) as reader:
            time.sleep(ground.random.uniform(0.2, 1))
            clock.set(step)
            old = accepted(agent, reader)
            begun, before = time.monotonic(), agent.logins()
            ground.stack.root("POST", "auth/token/revoke", {"token": old})
            agent.tells("blocked")
            blocked = agent.status()["errors"].get("login", "")
            time.sleep(ground.random.uniform(2, 5))
            lasted, tries = time.monotonic() - begun, agent.logins() - before
            clock.set(0)
            seconds = returns(agent, time.monotonic(), old)
            time.sleep(0.3)
        # A refused signature is made anew once, at once.
        return [
            *reader.findings(),
            rate(tries, 1 + most_tries(agent, lasted), lasted),
            recovery(seconds, backoff(agent)[1]),
            told(blocked, CLOCK),
        ]


def lookup(ground: Ground, step: int) -> list[Finding]:
    """Between two tasks of a play: the shared token serves on, and no login is made."""
    clock = Clock.new(ground.folder)
    with lookups(ground) as runs:
        before = ground.stack.logins("aws")
        run = runs.start(
            play(see("one"), meet(runs.folder, "set"), see("two"), meet(runs.folder, "right"), see("three")),
            hosts=3,
            variables={**clock.environment, "VAULTFLEET_AWS_CHECK_INTERVAL": "1"},
        )
        run.reached("set")
        clock.set(step)
        time.sleep(1.2)
        run.go("set")
        run.reached("right")
        clock.set(0)
        run.go("right")
        ended = run.end()
        tokens, logins = ended.tokens(), ground.stack.logins("aws") - before
        return [
            Finding(
                NO_WRONG_TOKEN,
                len(tokens) == 9 and len(set(tokens)) == 1,
                f"{len(tokens)} lookups, {len(set(tokens))} token",
            ),
            rate(logins, 1, ended.seconds),
            Finding(RECOVERY, ended.rc == 0, f"the play ended with {ended.rc}"),
        ]


def module(ground: Ground, step: int) -> list[Finding]:
    """In the midst of a login that hangs, before one that finds a good token, and before one that must log in."""
    clock = Clock.new(ground.folder)
    with lookups(ground) as runs:
        place = ground.folder / SINK
        book = play(task(ground.stack, place))
        ground.stack.aws_fault("hang", seconds=2, service="sts", count=1)
        run = runs.start(book, variables=clock.environment)
        before = ground.stack.logins("aws")
        give_up = time.monotonic() + 20
        while ground.stack.logins("aws") == before and time.monotonic() < give_up:
            time.sleep(0.05)
        time.sleep(ground.random.uniform(0, 1))
        clock.set(step)
        during = run.end()
        first = place.read_text(encoding="ascii")
        again = runs.run(book, variables=clock.environment)
        logins = ground.stack.logins("aws") - before
        same = place.read_text(encoding="ascii") == first and "changed=0" in again.shown
        ground.stack.root("POST", "auth/token/revoke", {"token": first})
        failed = runs.run(book, variables=clock.environment, fails=True)
        whole = place.read_text(encoding="ascii") == first
        clock.set(0)
        after = runs.run(book, variables=clock.environment)
        new = place.read_text(encoding="ascii")
        works = ground.stack.vault.call("GET", "secret/data/demo", token=new).status == 200
        return [
            Finding(
                NO_WRONG_TOKEN,
                during.rc == 0 and same,
                "the token of a login in whose midst the clock stepped was kept",
            ),
            Finding(
                LOGIN_RATE, logins == 1, f"{logins} login for two tasks, the clock an hour off in the second", logins
            ),
            Finding(NO_TORN_SINK, whole, "a refused login left the sink as it was"),
            told(failed.shown, CLOCK),
            next_task(works and new != first, after.seconds),
        ]
