# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ten thousand renewals: does our agent grow? Its own loop against the real server, with idle time left out.

Run as a program it is the agent: whenever nothing is under way, its clock leaps to the moment when it would have waked
up. So each renewal, each look at a sink and each status file is real and in its true proportion to the others, and the
token has hours behind it after minutes.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import queue
import signal
import statistics
import subprocess
import sys
import typing as t
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.tools.project import COLLECTIONS, ROOT, ToolError

from .agents import PACKAGE, Agent

SAMPLES = 20


@dataclass(frozen=True)
class Sample:
    """The process after so many renewals; resident: KiB."""

    renewals: int
    resident: int
    descriptors: int
    threads: int


@dataclass(frozen=True)
class Endurance:
    """Samples at equal distances. seconds: of the agent's clock."""

    samples: list[Sample]
    seconds: float
    logins: int

    def grown(self) -> float:
        """MiB by which the last quarter has more than the second one; the first one is still filling its caches."""
        quarter = len(self.samples) // 4
        second, last = (
            statistics.median(one.resident for one in part)
            for part in (self.samples[quarter : 2 * quarter], self.samples[-quarter:])
        )
        return (last - second) / 1024

    def more(self, count: str) -> int:
        """By how many the second half's least ``descriptors`` or ``threads`` is above the first half's.

        The least, since what is about to end may still be there when it is looked at.
        """
        values: list[int] = [getattr(one, count) for one in self.samples]
        half = len(values) // 2
        return min(values[half:]) - min(values[:half])


def measure(agent: Agent, renewals: int) -> Endurance:
    """Let the agent renew so often. Raises ToolError if it does not."""
    environment = {**agent.environment, "PYTHONPATH": os.pathsep.join((str(ROOT), str(COLLECTIONS)))}
    command = [sys.executable, "-m", "tests.bench.agent_endurance", "--renewals", str(renewals)]
    command += ["--config", str(agent.sink.parent / "agent.json")]
    with agent.log.open("w", encoding="utf-8") as log:
        done = subprocess.run(
            command, env=environment, cwd=os.sep, stdout=subprocess.PIPE, stderr=log, text=True, check=False
        )
    found = json.loads(done.stdout) if done.returncode == 0 else {"samples": []}
    samples = [Sample(**one) for one in found["samples"]]
    if len(samples) != SAMPLES:
        words = agent.log.read_text(encoding="utf-8")[-2000:]
        raise ToolError(f"the agent did not renew {renewals} times:\n{words}")
    return Endurance(samples, found["seconds"], found["logins"])


def main() -> None:
    """Be that agent, and print what was seen as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", required=True)
    parser.add_argument("--renewals", type=int, required=True)
    print(json.dumps(_endure(**vars(parser.parse_args()))))


def _endure(config: str, renewals: int) -> dict[str, t.Any]:
    import importlib

    def load(name: str) -> t.Any:
        return importlib.import_module(f"{PACKAGE}.{name}")

    load("lean").load()  # first, as the command line does it
    settings, messages, publish, runner = (load(name) for name in ("config", "messages", "publish", "runner"))
    systemd, store = load("systemd"), load("store")
    clock = runner.clock
    real, leapt = clock.now, 0.0
    samples: list[Sample] = []

    class Hurried(runner._Agent):  # type: ignore[misc, name-defined]
        """The agent, whose time leaps."""

        def __init__(self, *arguments: t.Any) -> None:
            super().__init__(*arguments)
            self.inbox = _Leaping(self)

    class _Leaping(queue.SimpleQueue[t.Any]):
        """An inbox at which nobody waits for time to pass."""

        def __init__(self, agent: t.Any) -> None:
            self.agent = agent

        def get(self, block: bool = True, timeout: float | None = None) -> t.Any:
            nonlocal leapt
            state, done = self.agent.state, self.agent.counters.renewals
            if state.busy is not None or any(sink.busy for sink in state.sinks):
                return super().get(timeout=timeout)
            if done >= (len(samples) + 1) * renewals // SAMPLES:
                samples.append(_sample(done))
                if len(samples) == SAMPLES:
                    return messages.Stop()
            leapt += timeout or 0.0
            raise queue.Empty

    clock.now = lambda: real() + leapt
    begun = clock.now()
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
    agent = Hurried(settings.load([config], environ), around)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_ignored: agent.inbox.put(messages.Stop()))
    agent.run()
    return {
        "samples": [asdict(one) for one in samples],
        "seconds": clock.now() - begun,
        "logins": agent.counters.logins,
    }


def _sample(renewals: int) -> Sample:
    with contextlib.closing(os.scandir("/proc/self/fd")) as found:
        descriptors = sum(1 for _one in found) - 1  # without the one that looks
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    values = {name: rest.split() for name, _colon, rest in (line.partition(":") for line in lines)}
    return Sample(renewals, int(values["VmRSS"][0]), descriptors, int(values["Threads"][0]))


if __name__ == "__main__":
    main()
