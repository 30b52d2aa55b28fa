# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An agent whose time leaps: run as a program, it is our agent, with its own loop, threads and requests.

Whenever nothing is under way, its clock goes to the moment when it would have waked up, so that each renewal, login,
look at a sink, rendering and status file is real, in its true proportion to the others, and a week takes minutes.
What it lives through is done by whoever started it, at moments of the agent's clock: ``do NAME`` goes out, a line
comes back.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import math
import os
import queue
import signal
import sys
import types
import typing as t
from dataclasses import asdict, dataclass
from pathlib import Path

from .agents import PACKAGE

DO = "do "  # begins a line that asks for something; a line without it is the outcome


@dataclass(frozen=True)
class Sample:
    """The process at a moment. seconds: of the agent's clock; resident: KiB; failures: requests that failed so far."""

    seconds: float
    resident: int
    descriptors: int
    threads: int
    renewals: int
    logins: int
    failures: int


def main() -> None:
    """Be that agent, and print what was seen as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", required=True)
    parser.add_argument("--seconds", type=float, required=True, help="of the agent's clock")
    parser.add_argument("--samples", type=int, required=True)
    parser.add_argument("--events", type=json.loads, default=[], help="JSON: [[second, name], ...] in their order")
    arguments = parser.parse_args()
    samples, seconds = live(arguments.config, arguments.seconds, arguments.samples, arguments.events)
    print(json.dumps({"samples": [asdict(one) for one in samples], "seconds": seconds}))


class _Resting(queue.SimpleQueue[t.Any]):
    """The inbox of the thread of templates. due: until when it rests, on the agent's clock; else it is at work."""

    known: t.ClassVar[list[_Resting]] = []
    now: t.ClassVar[t.Callable[[], float]]
    _AWAKE = object()

    def __init__(self) -> None:
        self.due = -math.inf
        self.known.append(self)

    def put(self, item: t.Any, block: bool = True, timeout: float | None = None) -> None:
        self.due = -math.inf
        super().put(item)

    def wake(self) -> None:
        self.put(self._AWAKE)

    def get(self, block: bool = True, timeout: float | None = None) -> t.Any:
        if not block:
            return super().get(False)
        if self.empty():
            self.due = _Resting.now() + (timeout or 0.0)
        item = super().get()
        self.due = -math.inf
        if item is self._AWAKE:
            raise queue.Empty
        return item


def live(config: str, seconds: float, count: int, events: list[tuple[float, str]]) -> tuple[list[Sample], float]:
    """Run an agent for so long; samples at equal distances, and the seconds that it lasted, both of its clock."""

    def load(name: str) -> t.Any:
        return importlib.import_module(f"{PACKAGE}.{name}")

    load("lean").load()  # first, as the command line does it
    settings, messages, publish, runner = (load(name) for name in ("config", "messages", "publish", "runner"))
    systemd, store, renderer = load("systemd"), load("store"), load("templates.renderer")
    clock = runner.clock
    real, leapt = clock.now, 0.0
    begun = real()
    samples: list[Sample] = []
    coming = list(events)

    class Leaping(queue.SimpleQueue[t.Any]):
        """An inbox at which nobody waits for time to pass."""

        def get(self, block: bool = True, timeout: float | None = None) -> t.Any:
            nonlocal leapt
            state, now = agent.state, clock.now()
            busy = state.busy is not None or any(sink.busy for sink in state.sinks)
            if busy or not self.empty() or any(one.due == -math.inf for one in _Resting.known):
                return super().get(timeout=min(timeout or 0.0, 0.01) if not busy else timeout)
            while coming and coming[0][0] <= now - begun:
                _ask(coming.pop(0)[1])
            if now - begun >= seconds * (len(samples) + 1) / count:
                samples.append(_sample(agent, now - begun))
            if len(samples) == count:
                return messages.Stop()
            moments = [now + (timeout or 0.0), *(one.due for one in _Resting.known)]
            moments += [begun + coming[0][0]] if coming else []
            leapt += max(0.0, min(moments) - now)
            for one in _Resting.known:
                if one.due <= clock.now():
                    one.wake()
            raise queue.Empty

    clock.now = _Resting.now = lambda: real() + leapt
    runner.queue = types.SimpleNamespace(SimpleQueue=Leaping, Empty=queue.Empty)
    renderer.queue = types.SimpleNamespace(SimpleQueue=_Resting, Empty=queue.Empty)
    environ = dict(os.environ)
    notifier = systemd.Notifier.from_environ(environ)
    around = runner.Surroundings(
        load=lambda: settings.load([config], environ),
        environ=environ,
        notifier=notifier,
        store=store.Store.from_fds(notifier, {}, None),
        watchdog=None,
        runtime=publish.runtime_directory("", environ),
    )
    agent = runner._Agent(settings.load([config], environ), around)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_ignored: agent.inbox.put(messages.Stop()))
    agent.run()
    return samples, clock.now() - begun


def _ask(name: str) -> None:
    print(f"{DO}{name}", flush=True)
    sys.stdin.readline()


def _sample(agent: t.Any, seconds: float) -> Sample:
    with contextlib.closing(os.scandir("/proc/self/fd")) as found:
        descriptors = sum(1 for _one in found) - 1  # without the one that looks
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    values = {name: rest.split() for name, _colon, rest in (line.partition(":") for line in lines)}
    return Sample(
        seconds=seconds,
        resident=int(values["VmRSS"][0]),
        descriptors=descriptors,
        threads=int(values["Threads"][0]),
        renewals=agent.counters.renewals,
        logins=agent.counters.logins,
        failures=sum(agent.counters.failures.values()),
    )


if __name__ == "__main__":
    main()
