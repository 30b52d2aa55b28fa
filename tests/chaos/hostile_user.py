# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A second user of the same machine, judged by the kernel: who wants the token, or that nobody gets one."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import functools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import typing as t
from collections.abc import Callable, Iterator
from pathlib import Path

from ansible_collections.vaultfleet.aws.plugins.plugin_utils._hit import folder_in
from ansible_collections.vaultfleet.aws.tests.unit.support.vaults import LOGIN, LOOKUP, TOKEN
from ansible_collections.vaultfleet.aws.tests.unit.support.web import Reply, Seen, Web
from tests.chaos import front_ends as victims
from tests.chaos.places import move_away
from tests.chaos.trial import MESSAGE, NO_SECRET, NO_WRONG_TOKEN, RECOVERY, UNHARMED, Finding, Ground, LeftOut, Trial
from tests.chaos.victims import marked

GROUP = "second user"
_NOBODY = 65534
_PTRACE_ATTACH = 16  # ptrace(2)


def trials() -> list[Trial]:
    """What is attacked: a running agent, a running play, and the places that all users share."""
    found = {
        "a running agent": (_agent, 12.0),
        "a play that goes on": (_play, 15.0),
        "its folder in shared memory is taken": (_taken, 20.0),
        "a folder of sinks is locked": (_locked, 15.0),
        "a race for names in /tmp": (_race, 20.0),
        "bundles that are built": (_bundles, 20.0),
    }
    return [
        Trial(GROUP, f"{GROUP}: {name}", functools.partial(_as_root, run), seconds)
        for name, (run, seconds) in found.items()
    ]


def _as_root(run: Callable[[Ground], list[Finding]], ground: Ground) -> list[Finding]:
    if os.geteuid() != 0:
        raise LeftOut("needs root, to become another user")
    return run(ground)


def as_nobody(attack: Callable[[], t.Any]) -> t.Any:
    """What ``attack`` returns, done by user nobody in a process of its own without a group or a capability."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            os.close(reading)
            _become_nobody()
            with os.fdopen(writing, "w", encoding="utf-8") as stream:
                json.dump(attack(), stream)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as stream:
        said = stream.read()
    os.waitpid(child, 0)
    return json.loads(said)


def _become_nobody() -> None:
    os.setgroups([])
    os.setresgid(_NOBODY, _NOBODY, _NOBODY)
    os.setresuid(_NOBODY, _NOBODY, _NOBODY)


def steal(folders: list[str], pids: list[int], secrets: list[str]) -> list[str]:
    """Everything that a user can try with these folders and processes; what of it worked."""
    won = []
    for folder in folders:
        won += _files(folder, secrets)
    for pid in pids:
        won += _process(pid, secrets)
    return won


def _files(top: str, secrets: list[str]) -> list[str]:
    won = []
    linked = f"/tmp/linked-{os.getpid()}"
    paths = [top]
    for folder, folders, files in os.walk(top):
        paths += [os.path.join(folder, name) for name in (*folders, *files)]
    for path in paths:
        name = os.path.relpath(path, top)
        with contextlib.suppress(OSError), open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as stream:
            content = stream.read(1 << 20)
            if any(secret.encode() in content for secret in secrets):
                won.append(f"read a secret in {name}")
        attempts: dict[str, Callable[[], object]] = {
            "wrote to": functools.partial(_open, path, os.O_WRONLY | os.O_NONBLOCK),
            "created in": functools.partial(_open, f"{path}/planted", os.O_WRONLY | os.O_CREAT | os.O_EXCL),
            "renamed": functools.partial(os.rename, path, f"{path}.gone"),
            "removed": functools.partial(os.unlink, path),
            "changed the mode of": functools.partial(os.chmod, path, 0o777),
            "linked": functools.partial(os.link, path, linked),
            "connected to": functools.partial(_connect, path),
        }
        for what, attempt in attempts.items():
            with contextlib.suppress(OSError):
                attempt()
                won.append(f"{what} {name}")
    with contextlib.suppress(OSError):
        os.unlink(linked)
    return won


def _read_of(folder: str) -> list[str]:
    """Where all may write, only what can be read counts."""
    return [one for one in _files(folder, [TOKEN]) if one.startswith("read")]


def _open(path: str, flags: int) -> None:
    os.close(os.open(path, flags, 0o666))


def _connect(path: str) -> None:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_UNIX, kind) as one:
            one.connect(path)


def _process(pid: int, secrets: list[str]) -> list[str]:
    won = []
    for name in ("environ", "mem", "maps", "cmdline", "auxv", "stack", "syscall", "io"):
        with contextlib.suppress(OSError, ValueError), open(f"/proc/{pid}/{name}", "rb") as stream:
            content = stream.read(1 << 20)
            if name in ("environ", "mem", "maps") and content:
                won.append(f"read {name} of the process")
            if any(secret.encode() in content for secret in secrets):
                won.append(f"read a secret in {name} of the process")
    for number in range(40):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/fd/{number}", "rb") as stream:
            stream.read(1)
            won.append(f"opened descriptor {number}")
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.ptrace(_PTRACE_ATTACH, pid, None, None) == 0:
        won.append("traced the process")
    with contextlib.suppress(OSError):
        os.close(os.pidfd_open(pid))  # allowed to all; taking a descriptor through it is not
    for number in (signal.SIGKILL, signal.SIGHUP, signal.SIGSTOP):
        with contextlib.suppress(OSError):
            os.kill(pid, number)
            won.append("sent a signal")
    return won


def _answers(seen: Seen) -> Reply:
    return Reply(200, LOGIN if seen.path.endswith("/login") else LOOKUP)


@contextlib.contextmanager
def _shared_place() -> Iterator[Path]:
    """A folder in /tmp where all can come in, as the sticky folders of a machine."""
    folder = Path(tempfile.mkdtemp(prefix="vaultfleet-second-user-", dir="/tmp"))
    folder.chmod(0o1777)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _lost(won: list[str]) -> Finding:
    return Finding(
        NO_SECRET, not won, "; ".join(won)[:300] or "read, connected to, traced, replaced and stopped nothing"
    )


def _agent(ground: Ground) -> list[Finding]:
    """Its files are in folders that all may enter: only their own modes protect them."""
    with _shared_place() as shared, Web(_answers) as web:
        own = shared / "agent"
        (own / "runtime").mkdir(parents=True)
        world = victims.World(own, web.url)
        method = {"type": "aws", "config": {"type": "iam", "role": "web"}}
        sink = {"type": "file", "config": {"path": str(own / "agent-token")}}
        auto_auth = {"method": method, "sink": [sink], "metrics_file": str(own / "metrics.prom")}
        file = victims.agent_file(world, auto_auth=auto_auth, pid_file=str(own / "pid"))
        command = [sys.executable, "-m", f"{victims.CORE}._agent.cli", "run", "--config", str(file)]
        environment = {**world.variables(), "RUNTIME_DIRECTORY": str(own / "runtime")}
        with victims.started(command, environment, own) as agent:
            served = victims.until((own / "agent-token").exists)
            won = as_nobody(lambda: steal([str(own)], [agent.pid], [TOKEN, victims.SECRET_KEY]))
            token = (own / "agent-token").read_text() if served else ""
            lives = agent.poll() is None
    return [
        Finding(NO_WRONG_TOKEN, token == TOKEN, "the sink holds the token still"),
        Finding(UNHARMED, lives, "the agent lives" if lives else "the agent was ended"),
        _lost(won),
    ]


def _play(ground: Ground) -> list[Finding]:
    """A play in /dev/shm, with a token in its store, while it waits."""
    with Web(_answers) as web:
        world = victims.World(ground.folder, web.url, {"XDG_RUNTIME_DIR": ""})
        token = "{{ lookup('vaultfleet.aws.vault_aws_token', role='web') | hash('sha256') }}"
        tasks = [
            {"name": "Use the token", "ansible.builtin.debug": {"msg": token}},
            {"name": "Go on", "ansible.builtin.wait_for": {"timeout": 60}},
        ]
        book = ground.folder / "play.json"
        book.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]), encoding="utf-8")
        command = [sys.executable, "-m", "ansible", "playbook", "-i", "localhost,", "-c", "local", str(book)]
        folder = folder_in("/dev/shm")
        with contextlib.ExitStack() as after:
            mark, kill = after.enter_context(marked())
            play = after.enter_context(victims.started(command, {**world.variables(), **mark}, ground.folder))
            store = Path(folder)
            after.callback(_forget, store, play.pid)
            after.callback(kill)  # the worker, too, which may be at the second task
            there = victims.until(lambda: any(map(_holds_token, _stores(store, play.pid))))
            stores = _stores(store, play.pid)
            won = as_nobody(lambda: steal([folder, *map(str, stores)], [play.pid], [TOKEN, victims.SECRET_KEY]))
            whole = bool(stores) and _holds_token(stores[0])
    return [
        Finding(UNHARMED, there and whole, "the store is as it was" if whole else "there is no store with the token"),
        _lost(won),
    ]


def _stores(folder: Path, pid: int) -> list[Path]:
    return list(folder.glob(f"run-{pid}-*")) if folder.is_dir() else []


def _forget(folder: Path, pid: int) -> None:
    for one in _stores(folder, pid):
        shutil.rmtree(one)


def _holds_token(store: Path) -> bool:
    return any(TOKEN.encode() in one.read_bytes() for one in store.iterdir() if one.is_file())


def _taken(ground: Ground) -> list[Finding]:
    """Somebody was there first, with a folder, a link, a FIFO or a file of the name that ours has in shared memory."""
    findings = []
    move_away()  # with the mounts
    with _shared_place() as shared, Web(_answers) as web:
        for kind in ("folder", "link", "FIFO", "file"):
            memory = shared / kind
            memory.mkdir()
            memory.chmod(0o1777)
            subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=1777", "tmpfs", str(memory)], check=True)
            try:
                ours = folder_in(str(memory))
                as_nobody(functools.partial(_take, ours, kind, str(shared)))
                own = ground.folder / kind
                own.mkdir()
                world = victims.World(own, web.url, {"XDG_RUNTIME_DIR": str(memory)})
                ran = {"lookup": victims.lookup(world)}
                won = as_nobody(functools.partial(_read_of, str(memory)))
                findings += [*victims.judge(ran, refused=False), _lost(won)]
                told = "not a folder of this user alone" in " ".join(ran["lookup"].text.split())
                findings.append(
                    Finding(MESSAGE, told, "a warning names the folder" if told else ran["lookup"].text[-200:])
                )
            finally:
                subprocess.run(["umount", "--lazy", str(memory)], check=True)
    return findings


def _take(path: str, kind: str, elsewhere: str) -> None:
    if kind == "folder":
        os.mkdir(path, 0o777)
    elif kind == "link":
        os.symlink(elsewhere, path)
    elif kind == "FIFO":
        os.mkfifo(path, 0o666)
    else:
        os.close(os.open(path, os.O_CREAT, 0o666))


def _locked(ground: Ground) -> list[Finding]:
    """Who may read a folder may lock it: the module waits for its turn, but not for ever."""
    with _shared_place() as shared, Web(_answers) as web:
        held = os.open(shared, os.O_RDONLY)
        try:
            fcntl.flock(held, fcntl.LOCK_EX)
            world = victims.World(ground.folder, web.url)
            ran = victims.side_by_side(
                {
                    "module": lambda: victims.module(world, sink={"path": str(shared / "module-token")}),
                    "agent": lambda: victims.agent(world),
                }
            )
        finally:
            os.close(held)
        written = (shared / "module-token").exists()
    slow = max(one.seconds for one in ran.values())
    return [
        Finding(RECOVERY, written, f"the sink was written after {slow:.0f} s, whoever holds the lock"),
        *victims.judge({"agent": ran["agent"]}, refused=False),
    ]


def _race(ground: Ground) -> list[Finding]:
    """Somebody watches a folder that all may write to, and takes every name that we are about to use."""
    with _shared_place() as shared, Web(_answers) as web:
        child = os.fork()
        if child == 0:
            with contextlib.suppress(BaseException):
                _become_nobody()
                _grab(str(shared), time.monotonic() + 60)
            os._exit(0)
        try:
            ran = {}
            for number in range(4):
                world = victims.World(ground.folder, web.url)
                ran[f"module {number}"] = victims.module(world, sink={"path": str(shared / f"token-{number}")})
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        won = as_nobody(functools.partial(_read_of, str(shared)))
    slow = [name for name, one in ran.items() if one.code is None]
    odd = victims.oddities(ran)
    return [
        Finding(RECOVERY, not slow, ", ".join(slow) or f"{len(ran)} writes, none hung"),
        Finding(MESSAGE, not odd, odd or "written, or refused in words"),
        _lost(won),
    ]


def _grab(folder: str, give_up: float) -> None:
    """Put links and FIFOs wherever a new name comes up, and where the next one will be."""
    while time.monotonic() < give_up:
        for name in os.listdir(folder):
            for path in (f"{folder}/{name}.meta", f"{folder}/{name}"):
                with contextlib.suppress(OSError):
                    os.symlink("/etc/passwd", path)
                with contextlib.suppress(OSError):
                    os.rename(path, f"{path}.taken")
                with contextlib.suppress(OSError):
                    os.link(path, f"{path}.linked")


def _bundles(ground: Ground) -> list[Finding]:
    """A folder of bundles that others may write to is refused; one that they may read gives them nothing to change."""
    script = (
        "import sys\n"
        "from ansible_collections.vaultfleet.aws.plugins.plugin_utils._bundle.build import Wish, bundles\n"
        "from ansible_collections.vaultfleet.aws.plugins.plugin_utils._bundle.errors import BundleError\n"
        "try:\n    bundles(Wish((sys.argv[1],), sys.argv[2]))\n"
        "except BundleError as e:\n    sys.exit(f'error: {e}')\n"
    )
    line = f"{sys.version_info[0]}.{sys.version_info[1]}"
    with _shared_place() as shared:
        environment = victims.World(ground.folder, "http://127.0.0.1:9").variables()
        environment["XDG_CACHE_HOME"] = os.environ.get("XDG_CACHE_HOME", "")
        refused = victims.run([sys.executable, "-c", script, line, str(shared)], environment, ground.folder)
        own = shared / "own"
        built = victims.run([sys.executable, "-c", script, line, str(own)], environment, ground.folder)
        won = as_nobody(lambda: _files(str(own), []))
    said = "everybody may write" in refused.text
    return [
        Finding(
            MESSAGE, said and refused.code == 1, "refused: everybody may write there" if said else refused.text[-200:]
        ),
        Finding(UNHARMED, built.code == 0 and not won, "; ".join(won) or "bundles could be read, and not changed"),
    ]
