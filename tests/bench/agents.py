# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Our agent and ``bao agent``, as processes that log in to the same server and keep a token in a file.

Theirs logs in with approle, since it has no AWS method; ours with AWS keys from a file, which has more to do.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
import typing as t
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.stack.handle import Stack
from tests.tools.private_stack import clean_environment
from tests.tools.project import COLLECTIONS, ToolError

TTL = 20  # seconds
PACKAGE = "ansible_collections.vaultfleet.aws.plugins.module_utils._agent"
_ROLE = "bench-agent"
_LEASE = {"token_ttl": TTL, "token_max_ttl": "24h", "token_policies": "default"}
_PATIENCE = 30.0  # seconds for a first token


@dataclass(frozen=True)
class Memory:
    """KiB of a process: all that is resident; its share where pages are shared; what is in no file."""

    resident: int
    share: int
    anonymous: int


@dataclass(frozen=True)
class Running:
    """An agent with a token in its sink. seconds: from the start of the process to the token."""

    pid: int
    seconds: float

    def processor(self) -> float:
        """Seconds of a processor so far, of all its threads, also those that have ended."""
        return time.clock_gettime((~self.pid << 3) | 2)  # clock_getcpuclockid(3), to the nanosecond

    def memory(self) -> Memory:
        """Its memory now."""
        lines = Path(f"/proc/{self.pid}/smaps_rollup").read_text(encoding="ascii").splitlines()[1:]
        values = {name: int(rest.split()[0]) for name, _colon, rest in (line.partition(":") for line in lines)}
        return Memory(values["Rss"], values["Pss"], values["Anonymous"])


@dataclass(frozen=True)
class Agent:
    """How to start an agent, and where its token goes."""

    command: list[str]
    environment: Mapping[str, str]
    sink: Path
    log: Path

    @contextlib.contextmanager
    def running(self) -> Iterator[Running]:
        """The agent from its first token on. Raises ToolError if it ends, or gets no token."""
        self.sink.unlink(missing_ok=True)
        with self.log.open("w", encoding="utf-8") as log:
            begun = time.perf_counter()
            process = subprocess.Popen(
                self.command, env=dict(self.environment), cwd=os.sep, stdout=log, stderr=subprocess.STDOUT
            )
        try:
            while not self.sink.exists():
                if process.poll() is not None or time.perf_counter() - begun > _PATIENCE:
                    raise ToolError(f"{self.command[0]} got no token:\n{self.log.read_text(encoding='utf-8')[-2000:]}")
                time.sleep(0.001)
            yield Running(process.pid, time.perf_counter() - begun)
            if process.poll() is not None:
                raise ToolError(f"{self.command[0]} ended:\n{self.log.read_text(encoding='utf-8')[-2000:]}")
        finally:
            process.terminate()
            process.wait(30)


def ours(stack: Stack, folder: Path, memory: Path) -> Agent:
    """Our agent, with all that it has in service: a status file, and the default interval of lookups.

    memory: a folder on a memory file system, where tokens belong. folder: for the rest.
    """
    principal = f"arn:aws:iam::{stack.env['STACK_ACCOUNT_ID']}:user/client"
    keys = {"AWS_SHARED_CREDENTIALS_FILE": stack.env["AWS_SHARED_CREDENTIALS_FILE"]}
    sink = {"sink": [_sink(memory / "ours")]}
    return of_iam(
        stack, folder, memory / "ours", {"bound_iam_principal_arn": principal, **_LEASE}, keys, auto_auth=sink
    )


def of_iam(
    stack: Stack,
    folder: Path,
    place: Path,
    role: Mapping[str, t.Any],
    credentials: Mapping[str, str],
    **config: t.Any,
) -> Agent:
    """Our agent with a role of its own. credentials: variables by which it finds them. config: beside the method."""
    stack.root("POST", f"auth/{stack.env['STACK_MOUNT']}/role/{_ROLE}", {"auth_type": "iam", **role})
    login = {"type": "iam", "role": _ROLE, "header_value": stack.env["STACK_HEADER_VALUE"]}
    _prepare(stack, place, {"type": "aws", "config": login}, **config)
    environment = {
        **clean_environment(folder / "home"),
        "PYTHONPATH": str(COLLECTIONS),
        "PYTHONPYCACHEPREFIX": str(folder / "bytecode"),
        "PYTHONDONTWRITEBYTECODE": "",
        "RUNTIME_DIRECTORY": str(place),
        **credentials,
    }
    command = [sys.executable, "-m", f"{PACKAGE}.cli", "run", "--config", str(place / "agent.json")]
    return Agent(command, environment, place / "token", place / "log")


def theirs(stack: Stack, folder: Path, memory: Path) -> Agent:
    """OpenBao's agent, with a sink and nothing else."""
    if "approle/" not in stack.root("GET", "sys/auth")["data"]:
        stack.root("POST", "sys/auth/approle", {"type": "approle"})
    stack.root("POST", f"auth/approle/role/{_ROLE}", _LEASE)
    ids = {
        "role": stack.root("GET", f"auth/approle/role/{_ROLE}/role-id")["data"]["role_id"],
        "secret": stack.root("POST", f"auth/approle/role/{_ROLE}/secret-id", {})["data"]["secret_id"],
    }
    place = memory / "theirs"
    config: dict[str, t.Any] = {"remove_secret_id_file_after_reading": False}
    config |= {f"{name}_id_file_path": str(place / name) for name in ids}
    _prepare(stack, place, {"type": "approle", "config": config}, auto_auth={"sink": [_sink(place)]})
    for name, value in ids.items():
        (place / name).write_text(value, encoding="ascii")
    command = [stack.env["STACK_BAO"], "agent", "-config", str(place / "agent.json")]
    return Agent(command, clean_environment(folder / "home"), place / "token", place / "log")


def version(stack: Stack) -> str:
    """What theirs calls itself."""
    return subprocess.check_output([stack.env["STACK_BAO"], "version"], text=True).partition(" (")[0]


def _sink(place: Path) -> dict[str, t.Any]:
    return {"type": "file", "config": {"path": str(place / "token")}}


def _prepare(
    stack: Stack, place: Path, method: Mapping[str, t.Any], *, auto_auth: Mapping[str, t.Any], **config: t.Any
) -> None:
    """Make the folder of an agent, with its configuration in it."""
    place.mkdir(exist_ok=True)
    whole = {
        "vault": {"address": stack.env["VAULT_ADDR"], "ca_cert": stack.env["VAULT_CACERT"]},
        "auto_auth": {"method": [method], **auto_auth},
        **config,
    }
    (place / "agent.json").write_text(json.dumps(whole), encoding="utf-8")
