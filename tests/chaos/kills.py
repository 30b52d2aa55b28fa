# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""SIGKILL: of modules, lookups, agents and the login command, at random moments and at each step of a write."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import signal
import subprocess
import sys
import time
import typing as t
from collections.abc import Iterator
from pathlib import Path

from tests.chaos import steps
from tests.chaos.trial import (
    LOGIN_RATE,
    NO_SECRET,
    NO_TORN_SINK,
    NO_WRONG_TOKEN,
    NONCE_KEPT,
    NOTHING_LEFT,
    RECOVERY,
    TRIED,
    Finding,
    Ground,
    Trial,
)
from tests.chaos.victims import (
    LONG,
    Reader,
    agents,
    lookups,
    marked,
    rate,
    recovery,
    returns,
    settled,
    told,
)
from tests.live.agent.process import COLLECTIONS, Agent
from tests.live.core import keys
from tests.live.lookup.runs import play, see
from tests.live.playbooks import MODULE
from tests.stack.handle import Stack

GROUP = "kills"
COMMAND = "ansible_collections.vaultfleet.aws.plugins.module_utils._cli.cli"
SINK = "chaos-sink"
AGED = 3600  # seconds; far older than what a live writer may still be at


def trials() -> list[Trial]:
    """All of them."""
    return [
        Trial(GROUP, "module with a sink, at random moments", functools.partial(module_at_random, times=8), 15),
        Trial(GROUP, "module with a sink, at each step of its files", module_at_each_step, 15),
        Trial(GROUP, "vault-aws-login --store, at each step and at random", command, 8),
        Trial(GROUP, "playbook with lookups in forks, at random moments", functools.partial(playbook, times=4), 12),
        Trial(GROUP, "the lookup that logs in while others wait", lock_holder, 4),
        Trial(GROUP, "agent (iam) with a store, at random moments", functools.partial(agent_at_random, times=10), 15),
        Trial(GROUP, "agent (ec2) with a store, at steps around its first login", first_login, 12),
        Trial(GROUP, "agent without a store, at random moments", functools.partial(storeless, times=5), 6),
    ]


# --- the module and the command


class Place:
    """A sink that is written by somebody who is killed. torn, refused: what was wrong with it."""

    def __init__(self, stack: Stack, path: Path) -> None:
        self.stack = stack
        self.path = path
        self.looks = 0
        self.whole = 0
        self.faults: list[str] = []

    def look(self) -> None:
        """What a reader finds after a kill: nothing, or a token that works."""
        self.looks += 1
        if not self.path.exists():
            return
        text = self.path.read_text(encoding="ascii", errors="backslashreplace")
        status = self.stack.vault.call("GET", "secret/data/demo", token=text).status if text else 0
        self.whole += status == 200
        if status != 200:
            self.faults.append(f"{len(text)} characters: the server says {status}")

    def leftovers(self) -> list[Path]:
        """Files of writers that did not end."""
        return list(self.path.parent.glob(".*.tmp-*"))

    def findings(self, next_run: t.Callable[[], bool]) -> list[Finding]:
        """What came of it. next_run: runs it once more, undisturbed; whether that worked."""
        left = self.leftovers()
        for file in left:  # those of a live writer are not touched by another one
            os.utime(file, (time.time() - AGED,) * 2)
        self.path.unlink(missing_ok=True)
        begun = time.monotonic()
        fine = next_run()
        seconds = time.monotonic() - begun
        self.look()
        after = self.leftovers()
        seen = f"{self.looks} looks: {self.whole} times a whole token that works, else none"
        return [
            Finding(NO_TORN_SINK, not self.faults, "; ".join(self.faults[:3]) or seen),
            Finding(RECOVERY, fine and self.path.exists(), f"the next run worked, in {seconds:.1f} s"),
            Finding(
                NOTHING_LEFT, not after, f"{len(left)} temporary files of the dead, {len(after)} after the next run"
            ),
        ]


def task(stack: Stack, place: Path) -> dict[str, t.Any]:
    """A login with a sink."""
    header = stack.env["STACK_HEADER_VALUE"]
    return {"name": "Log in", MODULE: {"role": "web", "sink": {"path": str(place)}, "header_value": header}}


def module_at_random(ground: Ground, times: int) -> list[Finding]:
    """A play with the module; all its processes at once."""
    with lookups(ground) as runs, marked() as (environment, kill):
        place = Place(ground.stack, ground.folder / SINK)
        book = play(task(ground.stack, place.path))
        seconds = runs.run(book).seconds
        before, begun = ground.stack.logins("aws"), time.monotonic()
        for _time in range(times):
            place.path.unlink(missing_ok=True)
            run = runs.start(book, variables=environment)
            # A third of it is Ansible's own start.
            time.sleep(seconds * ground.random.uniform(0.6, 1.1))
            kill()
            run.end()
            place.look()
        logins, lasted = ground.stack.logins("aws") - before, time.monotonic() - begun
        return [*place.findings(lambda: runs.run(book).rc == 0), rate(logins, times, lasted)]


def module_at_each_step(ground: Ground) -> list[Finding]:
    """Right before each thing that it does with the sink, or with the record beside it."""
    with lookups(ground) as runs:
        place = Place(ground.stack, ground.folder / SINK)
        book = play(task(ground.stack, place.path))
        killed = 0
        for number in range(1, 40):
            place.path.unlink(missing_ok=True)
            ended = runs.start(book, variables=steps.environment(ground.folder, SINK, number)).end()
            place.look()
            if ended.rc == 0:
                break
            killed += 1
        found = place.findings(lambda: runs.run(book).rc == 0)
        quiet = Finding(NO_SECRET, "hvs." not in ended.shown, "the last run, which was not killed, showed no token")
        return [*found, quiet, _met(killed, 5)]


def command(ground: Ground) -> list[Finding]:
    """The file of Vault's clients is theirs, whole, at any moment."""
    with marked() as (environment, kill):
        stack, mine = ground.stack, keys(ground.stack)
        place = Place(stack, ground.folder / SINK)
        given = {
            **os.environ,
            **environment,
            "PYTHONPATH": str(COLLECTIONS),
            "AWS_ACCESS_KEY_ID": mine.access_key,
            "AWS_SECRET_ACCESS_KEY": mine.secret_key,
            "VAULT_ADDR": stack.env["VAULT_ADDR"],
            "VAULT_CACERT": stack.env["VAULT_CACERT"],
            "VAULTFLEET_AWS_HEADER_VALUE": stack.env["STACK_HEADER_VALUE"],
            "BAO_TOKEN_PATH": str(place.path),
        }

        def start(**more: str) -> subprocess.Popen[str]:
            return subprocess.Popen(
                [sys.executable, "-m", COMMAND, "--role", "web", "--store"],
                env={**given, **more},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )

        def run(**more: str) -> tuple[int, str]:
            process = start(**more)
            shown, _nothing = process.communicate(timeout=60)
            return process.returncode, shown

        begun = time.monotonic()
        _code, first = run()
        seconds = time.monotonic() - begun
        killed = 0
        for number in range(1, 40):
            code, shown = run(**steps.environment(ground.folder, SINK, number, COLLECTIONS))
            place.look()
            if code == 0:
                break
            killed += 1
        for _time in range(8):
            process = start()
            time.sleep(seconds * ground.random.uniform(0.2, 1.1))
            kill()
            process.communicate(timeout=60)
            place.look()
        found = place.findings(lambda: run()[0] == 0)
        quiet = not any(token in first + shown for token in ("hvs.", "Traceback"))
        return [*found, Finding(NO_SECRET, quiet, "no run showed the token"), _met(killed, 3)]


def _met(killed: int, least: int) -> Finding:
    """Whether the steps were met at all."""
    return Finding(TRIED, killed >= least, f"killed at each of {killed} steps, and not at one more")


# --- the lookup


def playbook(ground: Ground, times: int) -> list[Finding]:
    """Controller, workers and all: the next run cleans up, and finds its own way."""
    with lookups(ground) as runs, marked() as (environment, kill):
        book = play(see("one"), see("two"), see("three"))
        seconds = runs.run(book, hosts=5, callback=True).seconds
        before, begun = ground.stack.logins("aws"), time.monotonic()
        tokens: set[str] = set()
        shown = ""
        for number in range(times):
            old = set(runs.memory.glob("*/run-*/*.lock"))
            run = runs.start(book, hosts=5, callback=True, variables=environment, arguments=["--forks", "5"])
            if number % 2:  # while it logs in, or soon after
                _until(lambda: bool(set(runs.memory.glob("*/run-*/*.lock")) - old))  # noqa: B023
                time.sleep(ground.random.uniform(0, 1))
            else:
                time.sleep(seconds * ground.random.uniform(0.3, 0.95))
            kill()
            shown += run.end().shown
            tokens |= set(tokens_in(runs.memory))
        on_disk = [token for token in tokens if _is_below(ground.folder, token)]
        stores = len(runs.stores)
        ended = runs.run(play(see("next")), hosts=5, callback=True)
        logins, lasted = ground.stack.logins("aws") - before, time.monotonic() - begun
        alive = [token for token in tokens if runs.lives(token)]
        quiet = not any(token in shown for token in tokens)
        seen = f"{len(tokens)} tokens of the dead: {len(on_disk)} on disk, {len(alive)} alive after the next run"
        same = len(set(ended.tokens("next")))
        return [
            Finding(NO_WRONG_TOKEN, same == 1, f"the next run's 5 hosts had {same} token"),
            Finding(NO_SECRET, quiet and not on_disk and not alive, seen),
            Finding(NOTHING_LEFT, not runs.stores, f"{stores} folders in memory of the dead, {len(runs.stores)} after"),
            Finding(RECOVERY, ended.numbers[0] == 1, f"the next run worked, in {ended.seconds:.1f} s"),
            rate(logins, times + 1, lasted),
        ]


def _until(condition: t.Callable[[], bool]) -> None:
    """Wait for it, up to 30 s."""
    give_up = time.monotonic() + 30
    while not condition() and time.monotonic() < give_up:
        time.sleep(0.02)


def tokens_in(memory: Path) -> Iterator[str]:
    """The tokens that runs keep there now."""
    for file in memory.glob("*/run-*/*"):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            if token := json.loads(file.read_text(encoding="utf-8")).get("token"):
                yield str(token)


def _is_below(folder: Path, text: str) -> bool:
    for file in folder.rglob("*"):
        with contextlib.suppress(OSError):
            if file.is_file() and text.encode() in file.read_bytes():
                return True
    return False


def lock_holder(ground: Ground) -> list[Finding]:
    """Its lock goes with it, and nobody waits for the dead."""
    with lookups(ground) as runs:
        ground.stack.aws_fault("hang", seconds=20, service="sts", count=1)
        run = runs.start(play(see("one")), hosts=3)
        holder = 0
        give_up = time.monotonic() + 30
        while not holder and time.monotonic() < give_up:
            time.sleep(0.05)
            for lock in runs.memory.glob("*/run-*/*.lock"):
                with contextlib.suppress(OSError, ValueError):  # not there any more, or not written yet
                    holder = int(lock.read_text(encoding="ascii"))
        time.sleep(ground.random.uniform(0, 0.5))
        assert holder, "nobody has the lock"
        os.kill(holder, signal.SIGKILL)
        killed = time.monotonic()
        ended = run.end()
        seconds = time.monotonic() - killed
        ground.stack.aws_fault()
        before = ground.stack.logins("aws")
        after = runs.run(play(see("next")), hosts=3)
        same = len(set(after.tokens("next")))
        return [
            told(ended.shown, "dead state"),
            Finding(RECOVERY, seconds < 15, f"the run gave up after {seconds:.1f} s, of a login that hung for 20 s"),
            Finding(NO_WRONG_TOKEN, same == 1, f"the next run's 3 hosts had {same} token"),
            rate(ground.stack.logins("aws") - before, 1, after.seconds),
        ]


# --- the agent


def agent_at_random(ground: Ground, times: int) -> list[Finding]:
    """What a service manager keeps is enough: no login is spent, and readers see nothing of it."""
    with agents(ground) as made:
        agent = made.iam("killed", role={"token_ttl": "6s", "token_max_ttl": "1h"})
        agent.managed()
        agent.start()
        settled(agent)
        slowest, begun = 0.0, time.monotonic()
        with Reader.of(agent) as reader:
            for _time in range(times):
                time.sleep(ground.random.uniform(0, 1.5))
                agent.kill()
                again = time.monotonic()
                agent.start()
                slowest = max(slowest, _new_process(agent, again))
        # What happened in the moments between two lives may cost a login each: its answer met nobody.
        return [
            *reader.findings(),
            recovery(slowest, 0),
            rate(agent.logins(), 1 + times // 5, time.monotonic() - begun),
            told(agent.log(), "went on with the token of the last process"),
        ]


def _new_process(agent: Agent, since: float) -> float:
    """Wait until the status is the new process's, and it serves; seconds since ``since``."""
    pid = agent.process.pid if agent.process else 0
    agent.until(lambda: agent.status().get("pid") == pid and agent.state() == "serving", "it does not serve again")
    return time.monotonic() - since


def first_login(ground: Ground) -> list[Finding]:
    """Wherever it dies between its nonce and its token, the next process logs in with the nonce of the first."""
    with agents(ground) as made:
        instance = ground.stack.instances[0]
        entry = f"auth/aws/identity-accesslist/{instance}"
        numbers = sorted(ground.random.sample(range(1, 26), 9))
        died, same, logins, slowest, tries = 0, 0, 0, 0.0, 0
        begun = time.monotonic()
        lines = ""
        for number in numbers:
            agent = made.ec2(instance, f"step-{number}", role=LONG)
            manager = agent.managed()
            tries += 1
            agent.start(**steps.environment(agent.folder, "token", number, COLLECTIONS))
            give_up = time.monotonic() + 20
            while agent.process and agent.process.poll() is None and time.monotonic() < give_up:
                if (agent.status().get("token") or {}).get("lookup_allowed"):
                    agent.kill()  # it had no more steps
                time.sleep(0.02)
            died += agent.process is not None and agent.process.returncode == -9
            again = time.monotonic()
            agent.start()
            slowest = max(slowest, _new_process(agent, again))
            settled(agent)
            nonces = [name for name in manager.names() if name.startswith("vf-nonce-")]
            known = ground.stack.root("GET", entry)["data"]["client_nonce"]
            kept = [_held_nonce(descriptor) for name, descriptor in manager.held if name in nonces]
            same += kept == [known]
            logins += agent.logins()
            lines = agent.log()
            agent.stop()
        seconds = time.monotonic() - begun
        return [
            Finding(NONCE_KEPT, same == tries, f"{same} of {tries} times the server's nonce is the one that was kept"),
            Finding(TRIED, died == tries, f"killed {died} of {tries} times, before steps {numbers}"),
            recovery(slowest, 0),
            Finding(
                LOGIN_RATE,
                logins <= 2 * tries,
                f"{logins} logins for {tries} agents, each killed once, {seconds:.0f} s",
            ),
            told(lines, "INFO"),
        ]


def _held_nonce(descriptor: int) -> str:
    return str(json.loads(os.pread(descriptor, 65536, 0)).get("nonce"))


def storeless(ground: Ground, times: int) -> list[Finding]:
    """Without a service manager, each start is one login; readers go on with the token of the last one."""
    with agents(ground) as made:
        agent = made.iam("storeless", role=LONG).start()
        settled(agent)
        slowest, begun = 0.0, time.monotonic()
        with Reader.of(agent) as reader:
            for _time in range(times):
                time.sleep(ground.random.uniform(0, 1))
                old = agent.token()
                agent.kill()
                again = time.monotonic()
                agent.start()
                slowest = max(slowest, returns(agent, again, old))
        return [
            *reader.findings(),
            recovery(slowest, 0),
            rate(agent.logins(), 1 + times, time.monotonic() - begun),
        ]
