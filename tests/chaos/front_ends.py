# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The four front ends as users start them, each in a process of its own that is measured and always ended."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import typing as t
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from tests.chaos.trial import MESSAGE, NO_SECRET, NO_WRONG_TOKEN, RECOVERY, UNHARMED, Finding

COLLECTIONS = Path(__file__).parents[2] / ".dev" / "collections"
CORE = "ansible_collections.vaultfleet.aws.plugins.module_utils"
SECRET_KEY = "canary0SecretKey0of0a0hostile0trial00000"
SESSION_TOKEN = "canary0SessionToken0of0a0hostile0trial0"
TIMEOUT = 4  # seconds that a victim gives one operation
LONGEST = 20.0  # seconds that a victim may take in all on a busy machine; what hangs takes for ever
PATIENCE = 20.0  # seconds to wait for what comes at once on a machine that is not busy
HANGS = 45.0  # seconds after which it is ended
MOST = 128 * 1024 * 1024  # bytes of memory; ansible alone has 60 MiB, and an answer may add a few
# As Ansible starts the module, options on standard input.
_MODULE = """
import json, sys
from ansible.module_utils.testing import patch_module_args
from ansible_collections.vaultfleet.aws.plugins.modules import aws_vault_login
with patch_module_args(json.load(sys.stdin)):
    aws_vault_login.main()
"""


@dataclasses.dataclass(frozen=True)
class Ran:
    """A process that is over. code: None if it had to be killed. peak: bytes of memory, with those it waited for."""

    code: int | None
    out: str
    err: str
    seconds: float
    peak: int

    @property
    def text(self) -> str:
        """All that it printed."""
        return self.out + self.err


def run(
    command: Sequence[str], environment: Mapping[str, str], folder: Path, given: bytes = b"", longest: float = HANGS
) -> Ran:
    """Run a command to its end, or to its time limit, with all that it started."""
    with tempfile.TemporaryFile() as feed, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        feed.write(given)
        feed.seek(0)
        begun = time.monotonic()
        process = subprocess.Popen(
            command, env=dict(environment), cwd=folder, stdin=feed, stdout=out, stderr=err, start_new_session=True
        )
        killed = False
        while True:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            if time.monotonic() - begun > longest and not killed:
                killed = True
                os.killpg(process.pid, signal.SIGKILL)
            time.sleep(0.02)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.monotonic() - begun
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # nothing of it stays behind
        texts = []
        for stream in (out, err):
            stream.seek(0)
            texts.append(stream.read().decode("utf-8", "backslashreplace"))
    return Ran(None if killed else process.returncode, texts[0], texts[1], seconds, usage.ru_maxrss * 1024)


@contextlib.contextmanager
def started(command: list[str], environment: dict[str, str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command beside what the block does, its output in ``log``; it is ended with all it started."""
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command,
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def until(condition: Callable[[], object]) -> bool:
    """Wait for ``condition``; whether it came true."""
    give_up = time.monotonic() + PATIENCE
    while time.monotonic() < give_up:
        if condition():
            return True
        time.sleep(0.05)
    return False


@dataclasses.dataclass(frozen=True)
class World:
    """What victims are given: a folder of their own, Vault's address, and variables beside the usual ones."""

    folder: Path
    url: str
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)
    options: Mapping[str, t.Any] = dataclasses.field(default_factory=dict)

    def variables(self) -> dict[str, str]:
        """The environment of a victim: nothing of this machine but its PATH."""
        memory = self.folder / "memory"
        memory.mkdir(mode=0o700, exist_ok=True)
        return {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": str(self.folder),
            "PYTHONPATH": str(COLLECTIONS),
            "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
            "ANSIBLE_HOME": str(self.folder / "ansible"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_LOCALHOST_WARNING": "0",
            "XDG_RUNTIME_DIR": str(memory),
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ACCESS_KEY_ID": "AKIACANARYOFATRIAL00",
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "VAULT_ADDR": self.url,
            "VAULT_CLIENT_TIMEOUT": str(TIMEOUT),
            "VAULT_MAX_RETRIES": "0",
            **self.environment,
        }


def command(world: World, *arguments: str) -> Ran:
    """``vault-aws-login``, the token on standard output."""
    given = [f"--{name.replace('_', '-')}={value}" for name, value in {"role": "web", **world.options}.items()]
    return run([sys.executable, "-m", f"{CORE}._cli.cli", *given, *arguments], world.variables(), world.folder)


def module(world: World, **options: t.Any) -> Ran:
    """The module; url and the like as options, since that is how they reach a host."""
    given = {"url": world.url, "timeout": TIMEOUT, "retries": 0, "role": "web", **world.options, **options}
    return run([sys.executable, "-c", _MODULE], world.variables(), world.folder, json.dumps(given).encode())


def lookup(world: World, **options: t.Any) -> Ran:
    """The lookup, in a play of one task that shows its token."""
    given = ", ".join(f"{name}={value!r}" for name, value in {"role": "web", **world.options, **options}.items())
    task = f"msg={{{{ lookup('vaultfleet.aws.vault_aws_token', {given}) }}}}"
    words = ["-m", "ansible", "adhoc", "localhost", "-m", "ansible.builtin.debug", "-a", task]
    return run([sys.executable, *words], world.variables(), world.folder)


def agent(world: World, *arguments: str) -> Ran:
    """The agent, until its first token is in its sink, or its first failure."""
    return run(
        [sys.executable, "-m", f"{CORE}._agent.cli", "run", "--config", str(agent_file(world)), "--once", *arguments],
        world.variables(),
        world.folder,
    )


def agent_file(world: World, **top: t.Any) -> Path:
    """The configuration of ``agent``, which writes ``agent-token``. top: for its top level."""
    config = {
        "vault": {"address": world.url},
        "auto_auth": {
            "method": {
                "type": "aws",
                "exit_on_err": True,
                "config": {"type": "iam", "role": "web", **world.options},
            },
            "sink": [{"type": "file", "config": {"path": str(world.folder / "agent-token")}}],
        },
        **top,
    }
    path = world.folder / "agent.json"
    path.write_text(json.dumps(config), encoding="utf-8")
    path.chmod(0o600)
    return path


Victim = Callable[[World], Ran]
ALL: Mapping[str, Victim] = {"vault-aws-login": command, "module": module, "lookup": lookup, "agent": agent}


def side_by_side(victims: Mapping[str, Callable[[], Ran]]) -> dict[str, Ran]:
    """Run them two at a time."""
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        running = {name: pool.submit(victim) for name, victim in victims.items()}
        return {name: one.result() for name, one in running.items()}


def judge(
    ran: Mapping[str, Ran], *, refused: bool, canaries: Sequence[str] = (), longest: float = LONGEST
) -> list[Finding]:
    """What we promise of victims that were lied to. refused: no token may come of it. canaries: never to be told."""
    slow = _bad(ran, lambda one: one.code is None or one.seconds > longest, lambda one: f"{one.seconds:.0f} s")
    large = _bad(ran, lambda one: one.peak > MOST, lambda one: f"{one.peak >> 20} MiB")
    odd = oddities(ran)
    wrong = _bad(ran, lambda one: (one.code == 0) is refused, lambda one: f"exit code {one.code}")
    told = _bad(
        ran,
        lambda one: any(c in one.text for c in (SECRET_KEY, SESSION_TOKEN, *canaries)),
        lambda _one: "told a secret",
    )
    spent = max(one.seconds for one in ran.values())
    memory = max(one.peak for one in ran.values())
    return [
        Finding(RECOVERY, not slow, slow or f"ended within {spent:.1f} s"),
        Finding(UNHARMED, not large, large or f"at most {memory >> 20} MiB of memory"),
        Finding(MESSAGE, not odd, odd or "one line each, no control characters, no traceback"),
        Finding(NO_WRONG_TOKEN, not wrong, wrong or ("refused" if refused else "the right token")),
        Finding(NO_SECRET, not told, told or "none in the output"),
    ]


def oddities(ran: Mapping[str, Ran]) -> str:
    """What of their output is not fit for a person, or nothing."""
    return _bad(ran, lambda one: bool(_oddity(one)), _oddity)


def _bad(ran: Mapping[str, Ran], is_bad: Callable[[Ran], bool], why: Callable[[Ran], str]) -> str:
    return "; ".join(f"{name}: {why(one)}" for name, one in ran.items() if is_bad(one))


def _oddity(ran: Ran) -> str:
    """What a person should not have to see."""
    if re.search(r"Traceback|\bbug\b", ran.text):
        return "a traceback or a bug: " + ran.text[-300:].replace("\n", " ")
    if not all(c.isprintable() or c == "\n" for c in ran.text):
        return "control characters"
    if ran.code not in (0, None) and not re.search(r"[a-z]{3}", ran.text):
        return "no message"
    return ""
