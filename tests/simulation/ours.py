# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An agent of ours: the lifecycle module, with a runner that talks to the simulated server."""

from __future__ import annotations

import math
import random

from ansible_collections.vaultfleet.aws.plugins.module_utils._agent import lifecycle
from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.messages import (
    Checked,
    Event,
    Exit,
    Failed,
    Failure,
    Lease,
    LoggedIn,
    Policy,
    Purpose,
    Renewed,
    Request,
    Started,
    Tick,
)
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.errors import Retry
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.token import Standing

from .record import Record
from .server import Answer, Kind, Server, Token
from .world import World

_KINDS = {Purpose.LOGIN: Kind.LOGIN, Purpose.RENEW: Kind.RENEW, Purpose.CHECK: Kind.LOOKUP}


class OurAgent:
    """One agent. since: when it began, or lost its token."""

    def __init__(self, world: World, server: Server, record: Record, luck: random.Random) -> None:
        self.world = world
        self.server = server
        self.record = record
        self.token: Token | None = None
        self.since = 0.0
        self._state = lifecycle.initial(Policy(sinks=0), luck.getrandbits(48))
        self._number = 0
        self._wake = math.inf

    def start(self, token: Token | None) -> None:
        """Begin now, with the token of the last process or without one."""
        self.token, self.since = token, self.world.now
        kept = None
        if token is not None:
            self._number = 1
            ttl = self.server.setup.ttl
            kept = Lease(1, min(token.ends, token.cap) - ttl, ttl, renewable=True, asks=True, granted=ttl)
        self._feed(Started(kept))

    def end(self) -> None:
        """The simulation ends now."""
        if self.token is None or self.token.ends <= self.world.now:
            self.record.left_without(self.token, self.since, self.world.now)

    def _feed(self, event: Event) -> None:
        self._state, actions = lifecycle.step(self._state, event, self.world.now)
        for action in actions:
            if isinstance(action, Request):
                self._send(action)
            elif isinstance(action, Exit):
                raise AssertionError("an agent that nobody stopped has ended")
        wake = lifecycle.wake(self._state)
        if wake < self._wake:
            self._wake = wake
            self.world.at(wake, self._tick, wake)
        elif wake > self._wake:
            self._wake = wake
            if wake < math.inf:
                self.world.at(wake, self._tick, wake)

    def _tick(self, planned: float) -> None:
        if planned == self._wake:
            self._wake = math.inf
            self._feed(Tick())

    def _send(self, request: Request) -> None:
        sent = self.world.now
        token = None if request.purpose is Purpose.LOGIN else self.token
        answer = self.server.ask(_KINDS[request.purpose], token)
        self.world.at(sent + answer.delay, self._receive, (request, sent, answer))

    def _receive(self, what: tuple[Request, float, Answer]) -> None:
        request, sent, answer = what
        self._feed(self._event(request, sent, answer))

    def _event(self, request: Request, sent: float, answer: Answer) -> Event:
        purpose = request.purpose
        if answer.status == 403 and purpose is Purpose.CHECK:
            return Checked(request.number, Standing.GONE)
        if answer.status != 200:
            denied = answer.status == 403
            retry = Retry.PERMANENT if denied else Retry.TRANSIENT
            return Failed(purpose, Failure(f"status {answer.status}", retry, answer.retry_after, denied))
        if purpose is Purpose.LOGIN:
            self.record.replaced(self.token, self.since, self.world.now)
            self.token = answer.token
            self._number += 1
            return LoggedIn(Lease(self._number, sent, answer.ttl, renewable=True))
        lease = Lease(request.number, sent, answer.ttl, renewable=True)
        return Renewed(lease) if purpose is Purpose.RENEW else Checked(request.number, Standing.LIVE, lease)
