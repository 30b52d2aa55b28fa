# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The readers in examples beside an agent that replaces its token every few seconds: never without a good token."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

from tests.live.agent.agents import Agents
from tests.live.agent.process import Agent
from tests.live.playbooks import PROJECT
from tests.stack.handle import Stack

REPLACED = 4  # times
IN_TIME = 1.0  # seconds
# Each with its arguments after the file, and what it asks the server for.
READERS = {"read_token.py": ["secret/data/demo"], "read_token_hvac.py": ["secret", "demo"], "watch_token.py": []}


class Replacements:
    """When the sink's file was another one, in seconds since the epoch, by looking all the time."""

    def __init__(self, sink: Path) -> None:
        self.times: list[float] = []
        self._sink = sink
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Replacements:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        inode = 0
        while not self._over.wait(0.01):
            found = self._sink.stat()
            if found.st_ino != inode:
                inode = found.st_ino
                self.times.append(found.st_ctime)  # of the rename


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


def test_readers(agents: Agents, stack: Stack, tmp_path: Path) -> None:
    """Each goes on with every token, and follows within a second; no request fails, so none is read torn or dead."""
    # A login takes long beside readers that start. Not batch tokens: their lives begin at a whole second, in the past.
    agent = agents.iam(role={"token_ttl": "6s", "token_max_ttl": "6s"}).start()
    agent.serves()
    logs = {reader: tmp_path / f"{reader}.log" for reader in READERS}
    readers = {reader: start(reader, agent, stack, log) for reader, log in logs.items()}
    try:
        for log in logs.values():
            agent.until(lambda log=log: told(log), "a reader tells of no token")  # type: ignore[misc]
        with Replacements(agent.sink) as seen:
            agent.until(lambda: len(seen.times) > REPLACED, "the token is not replaced")
            time.sleep(IN_TIME)
        for reader, process in readers.items():
            assert process.poll() is None, f"{reader} has ended: {logs[reader].read_text(encoding='utf-8')}"
    finally:
        for process in readers.values():
            process.kill()
            process.wait()
    agent.stop()
    for reader, log in logs.items():
        times = told(log)
        late = [when for when in seen.times[1:-1] if not any(0 <= one - when + 0.01 <= IN_TIME for one in times)]
        assert late == [], f"{reader} told of no token in time after {late}: {log.read_text(encoding='utf-8')}"
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
