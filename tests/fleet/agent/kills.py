# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An agent killed again and again at random moments, while its sink is read all the time and its tokens are tried."""

from __future__ import annotations

import contextlib
import os
import queue
import random
import signal
import threading
import time
import typing as t
from dataclasses import dataclass, field

from .service import Service, parsed

LONGEST_LIFE = 1.2  # seconds; a fifth of the lives ends before the agent has done anything
SPARE, MOST_SPARE = 0.5, 3.5  # seconds, beside three starts, that a kill leaves before the token ends
READ_EVERY = 0.004  # seconds
TRY_EVERY = 0.3  # seconds


@dataclass
class Trial:
    """What happened to one agent; times are seconds since the epoch.

    reads: of the sink. tokens: those that were seen. faults: what a reader must never see. ended: when a token in the
    sink had ended. tries: uses of a token from the sink.
    """

    service: Service
    pause: float = 0.0  # seconds that systemd waits before it starts the agent again
    kills: list[float] = field(default_factory=list)
    reads: int = 0
    tokens: dict[str, float] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    ended: list[float] = field(default_factory=list)
    tries: int = 0
    over: float = 0.0
    expires: float = 0.0  # the token in the sink
    slowest: float = 0.5  # start of late, in seconds

    def run(self, count: int, luck: random.Random) -> None:
        """Kill it ``count`` times, read, and try."""
        over = threading.Event()
        fresh: queue.SimpleQueue[str] = queue.SimpleQueue()
        watchers = [threading.Thread(target=self._read, args=(over, fresh))]
        watchers += [threading.Thread(target=self._try, args=(over, fresh))]
        for thread in watchers:
            thread.start()
        try:
            self._kill(count, luck)
            self.service.active()
        finally:
            self.over = time.time()
            over.set()
            for thread in watchers:
                thread.join()

    def _kill(self, count: int, luck: random.Random) -> None:
        pid = 0
        while len(self.kills) < count:
            pid = self._next(pid)
            self._live(luck.uniform(0, LONGEST_LIFE))
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                self.kills.append(time.time())

    def _live(self, life: float) -> None:
        """Wait until ``life`` is over, and until another start leaves time to renew or to replace the token.

        Whoever is killed at every try saves no token.
        """
        born, told = time.time(), self._told()
        while (now := time.time()) < born + life or self.expires - now < self._spare():
            assert now < born + 30, "it neither renews nor replaces the token"
            time.sleep(0.01)
            if told and self._told() != told:
                told = 0
                self.slowest = max(now - born, 0.8 * self.slowest)

    def _spare(self) -> float:
        return self.pause + min(MOST_SPARE, SPARE + 3 * self.slowest)

    def _told(self) -> int:
        """Which process wrote the status."""
        return int(self.service.status()["pid"])

    def _next(self, last: int) -> int:
        deadline = time.monotonic() + 15
        while not (pid := self.service.main(last)):
            assert time.monotonic() < deadline, "it did not come back"
            time.sleep(0.005)
        return pid

    def _read(self, over: threading.Event, fresh: queue.SimpleQueue[str]) -> None:
        """As a reader does: open, read, done."""
        path = self.service.file("token")
        while not over.wait(READ_EVERY):
            try:
                text = path.read_bytes().decode("ascii", "backslashreplace")
            except OSError as e:
                text = ""
                self.faults.append(f"the sink could not be read: {e.strerror}")
            self.reads += 1
            if text and text not in self.tokens:
                self.tokens[text] = time.time()
                fresh.put(text)

    def _try(self, over: threading.Event, fresh: queue.SimpleQueue[str]) -> None:
        """Use each new text at once, and what the sink holds from time to time."""
        while not over.is_set():
            try:
                text = fresh.get(timeout=TRY_EVERY)
            except queue.Empty:
                text = self.service.token()
            answer = self.service.stack.vault.call("GET", "auth/token/lookup-self", token=text)
            self.tries += 1
            if answer.status == 200:
                self.expires = parsed(answer.body["data"]["expire_time"])
            elif time.time() < self.expires:  # a busy server may look only after the end of a token that was good
                self.faults.append(f"{len(text)} characters in the sink are no token: {answer.status} {answer.errors}")
            else:
                self.ended.append(time.time())


@dataclass(frozen=True)
class Account:
    """Why there were logins. first: of a new agent. due: in time before the end of the last token. lost: the agent was
    killed after it had asked, and before it had the answer. late: the token ended, as kills had held up its renewal.
    """

    first: int
    due: int
    lost: int
    late: int
    unexplained: tuple[str, ...]

    def __str__(self) -> str:
        return f"logins: {self.first} first, {self.due} due, {self.lost} lost, {self.late} late"


def account(trial: Trial, shortest_life: float) -> Account:
    """Explain each login of an agent whose tokens are replaced after ``shortest_life`` seconds, if nothing is amiss."""
    counts = {"first": 0, "due": 0, "lost": 0, "late": 0}
    unexplained = []
    previous = 0.0
    for login in [one for one in trial.service.logins() if one < trial.over]:

        def between(times: t.Iterable[float], since: float = previous, until: float = login) -> bool:
            return any(since < one <= until for one in times)

        if not previous:
            counts["first"] += 1
        elif not between(trial.tokens.values()):
            # An agent writes no sink before systemd has the token.
            counts["lost"] += 1
            if not between(trial.kills):
                unexplained.append("a token never came into the sink")
        elif login - previous >= shortest_life:
            counts["due"] += 1
        elif between(trial.ended):
            counts["late"] += 1
        else:
            unexplained.append(f"{login - previous:.1f} s after the one before")
        previous = login
    return Account(**counts, unexplained=tuple(unexplained))


def around(trial: Trial, when: float) -> str:
    """What happened in the 6 seconds before ``when``, for a person."""
    events = [(kill, "killed") for kill in trial.kills]
    events += [(seen, "a new token in the sink") for seen in trial.tokens.values()]
    events += [(end, "the token in the sink had ended") for end in trial.ended]
    events += [(login, "asked for a login") for login in trial.service.logins()]
    events += [(int(entry["__REALTIME_TIMESTAMP"]) / 1e6, entry["MESSAGE"]) for entry in trial.service.journal()]
    return "\n".join(f"{time - when:7.3f} {what}" for time, what in sorted(events) if -6 <= time - when <= 0)
