# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An agent in a process of its own: started from JSON, watched through its sinks, its status and its log, always ended.

What it logs and tells is looked through for secrets at its end, whatever the test was about.
"""

from __future__ import annotations

import contextlib
import copy
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import typing as t
from collections.abc import Callable, Iterator
from pathlib import Path

from ansible_collections.vaultfleet.aws.tests.unit.plugins.module_utils._agent.manager import Manager
from tests.live.agent.audit import Audit, Json
from tests.live.core import keys

PACKAGE = "ansible_collections.vaultfleet.aws.plugins.module_utils._agent"
COLLECTIONS = Path(__file__).parents[3] / ".dev" / "collections"
PATIENCE = 30.0  # seconds; far more than anything takes on a machine that is not busy with other things
# Numbers the descriptors as a service manager does, under the process id that the agent will have.
_LAUNCHER = """
import fcntl, os, sys
given = [fcntl.fcntl(int(one), fcntl.F_DUPFD, 100) for one in sys.argv[1].split(",") if one]
for number, one in enumerate(given):
    os.dup2(one, 3 + number)
if given:
    os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.argv[2], sys.argv[2:])
"""
_SECRET_SHAPES = (r"hv[sbr]\.[A-Za-z0-9_-]{8,}", r"\b[sbr]\.[A-Za-z0-9_-]{20,}", r"Traceback")


class Agent:
    """One agent, which may be started several times. sink: its first one. problems: what a test must not see."""

    def __init__(self, audit: Audit, folder: Path, name: str, config: Json, environ: t.Mapping[str, str]) -> None:
        self.stack = audit.stack
        self.audit = audit
        self.folder = folder
        self.name = name
        self.config = config
        self.environ = dict(environ)
        self._surroundings = dict(os.environ)  # of now: other tests may be changing it while this one starts agents
        self.sink = folder / "token"
        self.runtime = folder / "runtime"
        self.file = folder / "agent.json"
        self.manager: Manager | None = None
        self.process: subprocess.Popen[bytes] | None = None
        self.begun = 0.0
        self.secrets: set[str] = set()
        self.runtime.mkdir()
        self.write()

    # --- its life

    def write(self, **config: t.Any) -> None:
        """Write its configuration, with what is to be replaced in it (``auto_auth``, ``vault``...)."""
        self.config = {**self.config, **config}
        self.file.write_text(json.dumps(self.config), encoding="utf-8")

    def change(self, **method: t.Any) -> None:
        """Write its configuration with other values in the method's own configuration."""
        changed = copy.deepcopy(self.config)
        changed["auto_auth"]["method"]["config"].update(method)
        self.write(**changed)

    def managed(self, room: int = 8) -> Manager:
        """Give it a service manager."""
        self.manager = Manager(self.folder / "notify", room)
        return self.manager

    def start(self, *arguments: str, **environ: str) -> t.Self:
        """Start it; ``arguments`` follow ``run --config FILE``."""
        given, fds = self._environ(environ), ""
        passed: list[int] = []
        if self.manager:
            given.update(self.manager.environ)
            back = self.manager.hand_back()
            passed = [one for found in back.values() for one in found]
            names = [name for name, found in back.items() for _one in found]
            fds = ",".join(str(one) for one in passed)
            given.update({"LISTEN_FDS": str(len(passed)), "LISTEN_FDNAMES": ":".join(names)} if passed else {})
        command = [sys.executable, "-m", f"{PACKAGE}.cli", "run", "--config", str(self.file), *arguments]
        with (self.folder / "log").open("ab") as log:
            self.begun = time.monotonic()
            self.process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _LAUNCHER, fds, *command],
                env=given,
                pass_fds=passed,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        for one in passed:
            os.close(one)
        return self

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def ended(self, seconds: float = PATIENCE) -> int:
        """Wait for its end; the exit code."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} did not end:\n{self.log()}") from None

    def stop(self, seconds: float = 10.0) -> float:
        """End it with SIGTERM, with exit code 0 and in time; how long it took. 2 s are promised (test_ends)."""
        start = time.monotonic()
        self.send(signal.SIGTERM)
        code = self.ended(seconds)
        assert code == 0, f"{self.name} ended with {code}:\n{self.log()}"
        return time.monotonic() - start

    def kill(self) -> None:
        """End it with SIGKILL."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """End it if it runs, and look for secrets in all that it told."""
        if self.process and self.process.poll() is None:
            self.kill()
        if self.manager:
            self.manager.close()
        self._judge_secrecy()

    # --- what it tells

    def log(self) -> str:
        """Everything that it wrote to stdout and stderr."""
        path = self.folder / "log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def said(self, pattern: str) -> bool:
        """Whether a line of the log has it."""
        return re.search(pattern, self.log()) is not None

    def status(self) -> Json:
        """The status file; empty if there is none."""
        path = self.runtime / "status.json"
        with contextlib.suppress(FileNotFoundError):
            return dict(json.loads(path.read_text(encoding="utf-8")))
        return {}

    def state(self) -> str:
        """The state that it tells."""
        return str(self.status().get("state", ""))

    def looked_up(self) -> bool:
        """Whether the server has told it what its token is."""
        return bool((self.status().get("token") or {}).get("lookup_allowed"))

    def failed(self) -> int:
        """Requests of all kinds that failed since its start."""
        return sum(sum(kinds.values()) for kinds in self.status()["counters"]["failures"].values())

    def tells(self, state: str) -> None:
        """Wait until it tells that state."""
        self.until(lambda: self.state() == state, f"not {state}")

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Another command of its command line, in its environment."""
        return subprocess.run(
            [sys.executable, "-m", f"{PACKAGE}.cli", *arguments],
            env=self._environ({}),
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    def token(self) -> str:
        """What the first sink holds; empty if there is none."""
        try:
            text = self.sink.read_text(encoding="ascii")
        except FileNotFoundError:
            return ""
        self.secrets.update([text] if text else [])
        return text

    def works(self) -> bool:
        """Whether the sink's token can read the demo secret."""
        token = self.token()
        return bool(token) and self.stack.vault.call("GET", "secret/data/demo", token=token).status == 200

    def until(self, condition: Callable[[], object], what: str = "not seen") -> None:
        """Wait for ``condition``; its log is shown if that does not come true."""
        give_up = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > give_up or self._process.poll() is not None:
                raise AssertionError(f"{self.name}: {what} within {PATIENCE:.0f} s\n{self.log()}")
            time.sleep(0.05)

    def serves(self) -> str:
        """Wait until the sink holds a token that works; the token."""
        self.until(self.works, "no working token in the sink")
        return self.token()

    def replaced(self, old: str) -> str:
        """Wait until the sink holds another token than ``old``; that token."""
        self.until(lambda: self.token() not in ("", old), "the same token in the sink")
        return self.token()

    # --- what the server saw of it

    def logins(self) -> int:
        """Login requests for its role so far, whatever came of them."""
        return len(self.login_times())

    def login_times(self) -> list[float]:
        """When they came, in seconds since the epoch."""
        return self.audit.logins(self._role)

    def uses(self, path: str) -> list[float]:
        """When tokens of its role were used for ``path``, in seconds since the epoch."""
        return self.audit.uses(self._role, path)

    @property
    def _role(self) -> str:
        return str(self.config["auto_auth"]["method"]["config"]["role"])

    @property
    def _process(self) -> subprocess.Popen[bytes]:
        assert self.process is not None
        return self.process

    def _environ(self, more: t.Mapping[str, str]) -> dict[str, str]:
        return {
            **self._surroundings,
            "HOME": str(self.folder),
            "PYTHONPATH": str(COLLECTIONS),
            "RUNTIME_DIRECTORY": str(self.runtime),
            **self.environ,
            **more,
        }

    def _judge_secrecy(self) -> None:
        told = {"log": self.log(), "status": json.dumps(self.status())}
        if self.manager:
            told["messages"] = repr(self.manager.messages)
        secrets = {keys(self.stack, profile).secret_key for profile in ("default", "other")} | self.secrets
        for place, text in told.items():
            for shape in _SECRET_SHAPES:
                assert not re.search(shape, text), f"{self.name}: {shape} is in its {place}"
            for secret in secrets:
                assert secret not in text, f"{self.name}: a secret is in its {place}"


@contextlib.contextmanager
def watched(agent: Agent, pause: float = 0.15) -> Iterator[list[str]]:
    """Use the sink's token again and again, as an application does; the list gets each time that it did not work.

    What was replaced while it was on its way to the server is no gap: on a busy machine it may come there too late.
    """
    gaps: list[str] = []
    over = threading.Event()
    begun = time.monotonic()

    def look() -> None:
        while not over.wait(pause):
            token = agent.token()
            status = agent.stack.vault.call("GET", "auth/token/lookup-self", token=token).status if token else 0
            if status != 200 and token == agent.token():
                gaps.append(f"{status} after {time.monotonic() - begun:.1f} s")

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield gaps
    finally:
        over.set()
        thread.join()
