# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The readers in examples beside an agent that replaces its token every second or so: never without a good token."""

from __future__ import annotations

import functools
import os
import re
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

from tests.live.agent.agents import Agents
from tests.live.agent.process import Agent
from tests.live.playbooks import PROJECT
from tests.stack.handle import Stack

REPLACED = 8  # times
LONG = {"token_ttl": "1h", "token_max_ttl": "1h"}
IN_TIME = 1.0  # seconds; for most tokens, as a busy machine may hold up a reader now and then
# Each with its arguments after the file, and what it asks the server for.
READERS = {"read_token.py": ["secret/data/demo"], "read_token_hvac.py": ["secret", "demo"], "watch_token.py": []}


def start(reader: str, agent: Agent, stack: Stack, log: Path) -> subprocess.Popen[bytes]:
    """A reader of the agent's sink, as a user starts it."""
    with log.open("wb") as out:
        return subprocess.Popen(
            [sys.executable, str(PROJECT / "examples" / reader), str(agent.sink), *READERS[reader]],
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(log.parent),
                "VAULT_ADDR": stack.env["VAULT_ADDR"],
                "VAULT_CACERT": stack.env["VAULT_CACERT"],
            },
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )


def told(log: Path) -> list[float]:
    """When a reader told of a new token."""
    return [float(found) for found in re.findall(r"^(\d+\.\d+) a new token", log.read_text(encoding="utf-8"), re.M)]


def after(log: Path, moment: float) -> float | None:
    """How long after ``moment`` a reader told of a new token; None if it has not."""
    times = [when - moment for when in told(log) if when > moment - 0.01]  # a file's times are those of a tick
    return times[0] if times else None


def test_readers(agents: Agents, stack: Stack, tmp_path: Path) -> None:
    """Each follows in time; and none fails at a request, though each old token is revoked at once."""
    agent, other = agents.iam("one", role=LONG), agents.iam("two", role=LONG)
    agent.start()
    token = agent.serves()
    logs = {reader: tmp_path / f"{reader}.log" for reader in READERS}
    readers = {reader: start(reader, agent, stack, log) for reader, log in logs.items()}
    waited: dict[str, list[float]] = {reader: [] for reader in READERS}
    try:
        for log in logs.values():
            agent.until(lambda log=log: told(log), "a reader tells of no token")  # type: ignore[misc]
        for number in range(REPLACED):
            agent.change(role=(other, agent)[number % 2].name)
            agent.send(signal.SIGHUP)
            old, token = token, agent.replaced(token)
            stack.root("POST", "auth/token/revoke", {"token": old})
            replaced = agent.sink.stat().st_ctime  # of the rename
            for reader, log in logs.items():
                has_told = functools.partial(after, log, replaced)
                agent.until(lambda: has_told() is not None, f"{reader} told of no new token")  # noqa: B023
                waited[reader].append(has_told() or 0.0)
        for reader, process in readers.items():
            assert process.poll() is None, f"{reader} has ended: {logs[reader].read_text(encoding='utf-8')}"
    finally:
        for process in readers.values():
            process.kill()
            process.wait()
    agent.stop()
    for reader, log in logs.items():
        assert statistics.median(waited[reader]) < IN_TIME, (reader, waited[reader])
        assert not re.search(r"\b(hvs|s)\.\w", log.read_text(encoding="utf-8"))


def test_a_folder_that_goes_and_comes(tmp_path: Path) -> None:
    """As a runtime directory does with its service: a watch ends with its folder, and the next token is seen anyway."""
    sink = tmp_path / "run" / "token"
    log = tmp_path / "log"
    with log.open("wb") as out:
        command = [sys.executable, str(PROJECT / "examples" / "watch_token.py"), str(sink)]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    try:
        for number in range(1, 4):
            sink.parent.mkdir()
            sink.with_name("new").write_text(f"token {number}", encoding="ascii")
            sink.with_name("new").rename(sink)
            give_up = time.monotonic() + 10
            while len(told(log)) < number:
                assert time.monotonic() < give_up, log.read_text(encoding="utf-8")
                assert process.poll() is None
                time.sleep(0.02)
            sink.unlink()
            sink.parent.rmdir()
    finally:
        process.kill()
        process.wait()
