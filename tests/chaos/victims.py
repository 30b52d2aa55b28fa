# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whom the trials of kills, disks, clocks and servers harm, how they are watched meanwhile, and what is due to them."""

from __future__ import annotations

import contextlib
import functools
import math
import os
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import typing as t
from collections.abc import Callable, Iterator
from pathlib import Path

from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.durations import parse_duration
from tests.chaos.trial import LOGIN_RATE, MESSAGE, NO_TORN_SINK, NO_WRONG_TOKEN, RECOVERY, Finding, Ground
from tests.live.agent.agents import Agents
from tests.live.agent.audit import mark_of
from tests.live.agent.process import Agent
from tests.live.lookup.runs import Runs
from tests.stack.handle import Stack

LONG = {"token_ttl": "1h", "token_max_ttl": "2h"}
LONGEST_PAUSE_OF_A_SINK = 60.0  # seconds; lifecycle.SINK_LONGEST_PAUSE
# Beside a pause, what comes back takes a start of Python on a machine that is busy, and a few requests.
SLACK = 5.0  # seconds
_LONGEST_MESSAGE = 240  # characters
_READ_EVERY = 0.005  # seconds
_WHOLE = re.compile(r"(hvs|hvb|s|b)\.[A-Za-z0-9_-]{20,}")
_MARK = "VAULTFLEET_CHAOS_RUN"


@contextlib.contextmanager
def agents(ground: Ground) -> Iterator[Agents]:
    """Makes agents, which end with the block; that they told no secret is looked at then (AssertionError)."""
    with _faults_end(ground.stack):
        made = Agents(ground.stack, ground.folder)
        try:
            yield made
        finally:
            for log in sorted(ground.folder.glob("agent-*/log")):
                print(log.read_text(encoding="utf-8", errors="replace"))  # shown where something was not kept
            made.close()


@contextlib.contextmanager
def lookups(ground: Ground) -> Iterator[Runs]:
    """Starts runs of lookups, whose tokens are in a place in memory of their own; those that still run end with it."""
    memory = Path(tempfile.mkdtemp(dir="/dev/shm", prefix="vaultfleet-chaos-"))
    try:
        with marked() as (mark, _kill_all), _faults_end(ground.stack):
            os.environ.update(mark)  # of the trial's own process
            yield Runs(ground.stack, ground.folder, memory)
    finally:
        if memory.is_mount():
            subprocess.run(["umount", "--lazy", str(memory)], check=True)
        shutil.rmtree(memory)


@contextlib.contextmanager
def _faults_end(stack: Stack) -> Iterator[None]:
    try:
        yield
    finally:
        stack.aws_fault()


@contextlib.contextmanager
def vault_comes_back(stack: Stack) -> Iterator[None]:
    """Whatever the block does to Vault, it runs and is unsealed afterwards."""
    try:
        yield
    finally:
        if not stack.healthy():
            stack.stop_vault()
            stack.start_vault()


class Reader:
    """Reads a sink all the time, as an application does, and asks the server once about each text that it finds.

    reads: how many. texts: each that was seen, and when. torn: what no reader must ever see. refused: texts that the
    server did not take, other than such as had time to end before it could be asked. wrong: tokens of somebody else.
    """

    def __init__(self, stack: Stack, path: Path, mark: str) -> None:
        self.stack = stack
        self.path = path
        self.mark = mark
        self.reads = 0
        self.texts: dict[str, float] = {}
        self.accepted: set[str] = set()
        self.torn: list[str] = []
        self.refused = 0
        self.wrong = 0
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._read), threading.Thread(target=self._ask)]

    @classmethod
    def of(cls, agent: Agent) -> Reader:
        """A reader of an agent's first sink."""
        return cls(agent.stack, agent.sink, mark_of(str(agent.config["auto_auth"]["method"]["config"]["role"])))

    def __enter__(self) -> t.Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def findings(self) -> list[Finding]:
        """What was seen of the two promises to readers."""
        seen = f"{self.reads} reads, {len(self.texts)} tokens"
        torn = "; ".join(self.torn[:3])
        wrong = f"{self.refused} refused by the server, {self.wrong} of somebody else"
        return [
            Finding(NO_TORN_SINK, not self.torn and self.reads > 0, torn or f"{seen}, all whole", len(self.torn)),
            Finding(NO_WRONG_TOKEN, not (self.refused or self.wrong), f"{seen}: {wrong}", self.refused + self.wrong),
        ]

    def _read(self) -> None:
        while not self._over.wait(_READ_EVERY):
            try:
                text = self.path.read_bytes().decode("ascii", "backslashreplace")
            except OSError as e:
                if self.texts:
                    self.torn.append(f"it could not be read: {e.strerror}")
                continue
            self.reads += 1
            if text not in self.texts:
                if not _WHOLE.fullmatch(text):
                    self.torn.append(f"{len(text)} characters that are no token")
                self.texts[text] = time.monotonic()

    def _ask(self) -> None:
        asked: set[str] = set()
        while not self._over.wait(0.02):
            for text in [one for one in list(self.texts) if one not in asked]:
                with contextlib.suppress(OSError):
                    answer = self.stack.vault.call("GET", "auth/token/lookup-self", token=text, timeout=2)
                    if answer.status == 200:
                        self.accepted.add(text)
                        self.wrong += self.mark not in answer.body["data"]["policies"]
                    elif answer.status == 403:
                        self.refused += time.monotonic() - self.texts[text] < 2
                    else:
                        continue  # it is sealed, or starts: asked again
                    asked.add(text)


def settled(agent: Agent) -> str:
    """Wait until the agent serves, and has looked its token up; the token."""
    token = agent.serves()
    agent.until(lambda: (agent.status().get("token") or {}).get("lookup_allowed"), "the token was not looked up")
    return token


def accepted(agent: Agent, reader: Reader) -> str:
    """Wait until a reader has seen that the token in the sink works; that token. Afterwards it may be revoked."""
    agent.until(lambda: agent.token() in reader.accepted, "no reader could use the token")
    return agent.token()


def backoff(agent: Agent) -> tuple[float, float]:
    """min_backoff and max_backoff of its configuration, in seconds."""
    method = agent.config["auto_auth"]["method"]
    least, most = (
        parse_duration(name, method.get(name, usual)) for name, usual in (("min_backoff", 1), ("max_backoff", 300))
    )
    return float(least), float(most)


def most_tries(agent: Agent, seconds: float) -> int:
    """How often it may ask for a login within so many seconds if each is refused, by its configuration."""
    return tries_within(*backoff(agent), seconds)


def tries_within(least: float, most: float, seconds: float) -> int:
    """The same by min_backoff and max_backoff, in seconds.

    The pauses are those of ``lifecycle._pause`` at their shortest: min_backoff while they double, and three quarters of
    max_backoff from then on.
    """
    tries, passed = 1, 0.0
    while True:
        bound = min(most, least * 2.0**tries)
        passed += max(1.0, least if bound < most else 0.75 * bound)
        if passed > seconds:
            return tries
        tries += 1


def returns(agent: Agent, since: float, old: str | None = None, seconds: float = 60.0) -> float:
    """Wait until its sink has a token that works other than ``old``; seconds since ``since``, infinite if not."""
    while time.monotonic() < since + seconds:
        token = agent.token()
        with contextlib.suppress(OSError):
            if token and token != old and agent.works():
                return time.monotonic() - since
        time.sleep(0.05)
    return math.inf


def recovery(seconds: float, bound: float) -> Finding:
    """Whether it was back in time; bound: without the slack of the machine."""
    return Finding(
        RECOVERY, seconds <= bound + SLACK, f"back after {seconds:.1f} s (at most {bound:.0f} s and a start)"
    )


def next_task(worked: bool, seconds: float) -> Finding:
    """Whether a run after the fault did what the one before could not. It waits for nothing, so it has no bound."""
    return Finding(RECOVERY, worked, f"the next run worked, in {seconds:.1f} s with its start", seconds)


def rate(logins: int, bound: int, seconds: float) -> Finding:
    """Whether there were no more logins than there should be."""
    return Finding(LOGIN_RATE, logins <= bound, f"{logins} logins in {seconds:.0f} s (at most {bound})", logins)


def message(agent: Agent, pattern: str, log: str | None = None) -> Finding:
    """Whether it said that, and the last line that does."""
    return told(agent.log() if log is None else log, pattern)


def told(text: str, pattern: str) -> Finding:
    """Whether a text has the words, and the last line with them, or the last one at all."""
    lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    fits = [line for line in lines if re.search(pattern, line)]
    clean = "Traceback" not in text
    return Finding(MESSAGE, bool(fits) and clean, _short((fits or lines or ["nothing was said"])[-1], pattern))


def _short(line: str, pattern: str) -> str:
    line = re.sub(r"^\S*\d\d:\d\d:\d\d\S*\s+", "", line)  # when it was
    line = re.sub(r"(?<![\w/:])/(?:[\w.@-]+/)+([\w.@-]+)", r"\1", line)  # where this machine keeps it
    line = re.sub(r"https?://\S+?(?=[\s:,;)]|$)(:\d+)?", "the server", line)
    found = re.search(pattern, line)
    end = max(_LONGEST_MESSAGE, found.end() + 60 if found else 0)
    begin = max(0, end - _LONGEST_MESSAGE)
    return f"{'...' if begin else ''}{line[begin:end]}{'...' if end < len(line) else ''}"


@contextlib.contextmanager
def marked() -> Iterator[tuple[dict[str, str], Callable[[], int]]]:
    """A variable for the environment of a run, and what kills (SIGKILL) every process that has it, workers included.

    Ansible's workers are in sessions of their own, which no signal to a process group reaches. None is left afterwards.
    """
    mark = secrets.token_hex(8)
    kill = functools.partial(kill_all, f"{_MARK}={mark}")
    try:
        yield {_MARK: mark}, kill
    finally:
        while kill():
            time.sleep(0.02)


def kill_all(setting: str) -> int:
    """Kill (SIGKILL) every process that has ``setting``, as NAME=value, in its environment; how many there were."""
    return sum(_kill(pid) for pid in _having(setting))


def _having(setting: str) -> Iterator[int]:
    for process in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if process.name.isdigit() and setting.encode() in (process / "environ").read_bytes().split(b"\0"):
                yield int(process.name)


def _kill(pid: int) -> int:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return 0
    return 1
