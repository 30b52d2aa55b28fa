# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What somebody may have put where we write: each kind of it at each path, which is refused or replaced, never used."""

from __future__ import annotations

import contextlib
import functools
import os
import socket
import stat
import sys
import typing as t
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.vaultfleet.aws.plugins.plugin_utils._hit import folder_in
from ansible_collections.vaultfleet.aws.tests.unit.support.vaults import LOGIN, LOOKUP
from ansible_collections.vaultfleet.aws.tests.unit.support.web import Reply, Seen, Web
from tests.chaos import front_ends as victims
from tests.chaos.trial import MESSAGE, NOTHING_LEFT, RECOVERY, UNHARMED, Finding, Ground, LeftOut, Trial

GROUP = "planted files"
_VICTIM = "what is of somebody else\n"
_OTHER = 65534  # nobody
_BUNDLES = """
import sys
from ansible_collections.vaultfleet.aws.plugins.plugin_utils._bundle.build import Wish, bundles
from ansible_collections.vaultfleet.aws.plugins.plugin_utils._bundle.errors import BundleError
try:
    bundles(Wish((sys.argv[1],), sys.argv[2]))
except BundleError as e:
    sys.exit(f"error: {e}")
"""


@dataclass(frozen=True)
class Writer:
    """One path that we write. path: below the folder of the trial. run: what writes it, started anew."""

    path: str
    run: Callable[[victims.World], victims.Ran]


def _module_sink(world: victims.World) -> victims.Ran:
    return victims.module(world, sink={"path": str(world.folder / "place/module-token")})


def _store(world: victims.World) -> victims.Ran:
    return victims.command(world, "--store")


def _agent(world: victims.World, **more: t.Any) -> victims.Ran:
    """Everything that the agent writes is in ``place``. more: for the top of its configuration."""
    place = world.folder / "place"
    sink = {"type": "file", "config": {"path": str(place / "agent-token")}}
    method = {"type": "aws", "exit_on_err": True, "config": {"type": "iam", "role": "web"}}
    file = victims.agent_file(
        world,
        auto_auth={"method": method, "sink": [sink], "metrics_file": str(place / "metrics.prom")},
        pid_file=str(place / "agent.pid"),
        exit_after_auth=True,
        **more,
    )
    environment = {**world.variables(), "RUNTIME_DIRECTORY": str(place)}
    command = [sys.executable, "-m", f"{victims.CORE}._agent.cli", "run", "--config", str(file), "--once"]
    return victims.run(command, environment, world.folder, longest=25)


def _rendering(world: victims.World) -> victims.Ran:
    """It renders a file, too."""
    destination = str(world.folder / "place" / "rendered.conf")
    return _agent(world, jinja_template=[{"contents": "plain", "destination": destination}])


def _keygen(world: victims.World) -> victims.Ran:
    place = world.folder / "place"
    words = ["keygen", "--key", str(place / "private.json"), "--public", str(place / "public.json")]
    return victims.run([sys.executable, "-m", f"{victims.CORE}._agent.cli", *words], world.variables(), world.folder)


def _bundle(world: victims.World) -> victims.Ran:
    line = f"{sys.version_info[0]}.{sys.version_info[1]}"
    environment = {**world.variables(), "XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME", "")}
    return victims.run([sys.executable, "-c", _BUNDLES, line, str(world.folder / "place")], environment, world.folder)


_WRITERS: Mapping[str, Writer] = {
    "module's sink": Writer("place/module-token", _module_sink),
    "record beside it": Writer("place/module-token.meta", _module_sink),
    "~/.vault-token": Writer("place/.vault-token", _store),
    "agent's sink": Writer("place/agent-token", _agent),
    "status file": Writer("place/status.json", _agent),
    "metrics file": Writer("place/metrics.prom", _agent),
    "pid file": Writer("place/agent.pid", _agent),
    "rendered file": Writer("place/rendered.conf", _rendering),
    "private key": Writer("place/private.json", _keygen),
    "public key": Writer("place/public.json", _keygen),
    "lookup's folder": Writer("memory", victims.lookup),
    "bundles' lock": Writer("place/.lock", _bundle),
}

_WAITED_FOR = {"agent's sink": "agent-token", "rendered file": "rendered.conf"}


def trials() -> list[Trial]:
    """One for each kind of what is planted, and one for each place that is wrong."""
    return [
        *(Trial(GROUP, f"{GROUP}: {kind}", functools.partial(_planted, kind), seconds=15) for kind in _KINDS),
        Trial(GROUP, f"{GROUP}: reader's public key is a FIFO", _peer_key, seconds=8),
    ]


def _symlink(path: Path, victim: Path) -> None:
    path.symlink_to(victim)


def _dangling(path: Path, victim: Path) -> None:
    path.symlink_to(victim.with_name("not-there"))


def _to_folder(path: Path, victim: Path) -> None:
    path.symlink_to(victim.parent, target_is_directory=True)


def _hard_link(path: Path, victim: Path) -> None:
    path.hardlink_to(victim)


def _fifo(path: Path, _victim: Path) -> None:
    os.mkfifo(path, 0o666)


def _socket(path: Path, _victim: Path) -> None:
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as one:
        here = Path.cwd()
        os.chdir(path.parent)  # the whole path may be too long for an address
        try:
            one.bind(path.name)
        finally:
            os.chdir(here)


def _device(path: Path, _victim: Path) -> None:
    _as_root()
    os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 3))


def _directory(path: Path, _victim: Path) -> None:
    path.mkdir()


def _of_another(path: Path, _victim: Path) -> None:
    _as_root()
    path.write_text(_VICTIM, encoding="utf-8")
    os.chown(path, _OTHER, _OTHER)


def _open_parent(path: Path, _victim: Path) -> None:
    path.parent.chmod(0o1777)


def _parent_of_another(path: Path, _victim: Path) -> None:
    _as_root()
    os.chown(path.parent, _OTHER, _OTHER)
    path.parent.chmod(0o777)


_KINDS: Mapping[str, Callable[[Path, Path], None]] = {
    "symbolic link": _symlink,
    "symbolic link to nothing": _dangling,
    "symbolic link to a folder": _to_folder,
    "hard link": _hard_link,
    "FIFO": _fifo,
    "socket": _socket,
    "device": _device,
    "folder": _directory,
    "file of another user": _of_another,
    "folder that all may write to": _open_parent,
    "folder of another user": _parent_of_another,
}


def _as_root() -> None:
    if os.geteuid() != 0:
        raise LeftOut("needs root, to make what is of another user")


def _answers(seen: Seen) -> Reply:
    return Reply(200, LOGIN if seen.path.endswith("/login") else LOOKUP)


@contextlib.contextmanager
def _place(folder: Path, name: str, writer: Writer, url: str) -> Iterator[tuple[victims.World, Path, Path]]:
    """A folder for one writer, with a victim's file: the world, the path that is written, the victim."""
    own = folder / name.replace("/", "-")
    (own / "place").mkdir(parents=True)
    other = own / "of-another"
    other.mkdir()
    victim = other / "victim"
    victim.write_text(_VICTIM, encoding="utf-8")
    victim.chmod(0o640)
    world = victims.World(own, url, {"HOME": str(own / "place")})
    path = own / writer.path
    if name == "lookup's folder":
        world.variables()  # which makes the folder in memory
        path = Path(folder_in(str(path)))
    yield world, path, victim


def unwritten(folder: Path) -> set[str]:
    """Which paths are not there afterwards if nothing is planted: a trial would find nothing out about them."""
    with contextlib.ExitStack() as stack:
        web = stack.enter_context(Web(_answers))
        places = {name: stack.enter_context(_place(folder, name, one, web.url)) for name, one in _WRITERS.items()}
        works = {name: functools.partial(one.run, places[name][0]) for name, one in _WRITERS.items()}
        victims.side_by_side(works)
        return {name for name, (_world, path, _victim) in places.items() if not path.exists()}


def _planted(kind: str, ground: Ground) -> list[Finding]:
    """Each path of ours has that on it; it is refused in words or replaced, and the victim's file is as it was."""
    runs, harm, left = {}, [], []
    with contextlib.ExitStack() as stack:
        web = stack.enter_context(Web(_answers))
        cases = {}
        for name, writer in _WRITERS.items():
            world, path, victim = stack.enter_context(_place(ground.folder, name, writer, web.url))
            _KINDS[kind](path, victim)
            cases[name] = (functools.partial(writer.run, world), path, victim, _facts(path), _tree(victim.parent))
        runs = victims.side_by_side({name: case[0] for name, case in cases.items()})
        for name, (_run, path, victim, planted, before) in cases.items():
            if _tree(victim.parent) != before:
                harm.append(f"{name}: the victim's folder was changed")
            after = _facts(path)
            replaced = after is not None and stat.S_ISREG(after[0]) and after[2] == os.geteuid()
            kept_as_it_was = after is not None and planted is not None and after[:4] == planted[:4]
            gone = after is None and name == "pid file"  # replaced, and taken away at the end
            if not (replaced or kept_as_it_was or gone or planted is None or _is_ours(path, kind)):
                harm.append(f"{name}: the planted thing was changed")
            left += [f"{name}: {one.name}" for one in path.parent.glob(".*.tmp-*")]
    slow = [f"{name}: {one.seconds:.0f} s" for name, one in runs.items() if one.code is None and not _waits(name, one)]
    odd = victims.oddities(runs)
    return [
        Finding(UNHARMED, not harm, "; ".join(harm) or f"{len(runs)} paths, nothing written through"),
        Finding(
            RECOVERY,
            not slow,
            "; ".join(slow) or f"nothing hangs: at most {max(one.seconds for one in runs.values()):.0f} s",
        ),
        Finding(MESSAGE, not odd, odd or "refused in words, or replaced"),
        Finding(NOTHING_LEFT, not left, ", ".join(left) or "no temporary files"),
    ]


def _waits(name: str, ran: victims.Ran) -> bool:
    """An agent tries again for ever to write a sink or to render, and says so."""
    return _WAITED_FOR.get(name, "\0") in ran.text and "not" in ran.text


def _facts(path: Path) -> tuple[int, int, int, int, int] | None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    return found.st_mode, found.st_ino, found.st_uid, found.st_gid, found.st_nlink


def _is_ours(path: Path, kind: str) -> bool:
    """A folder of our own in a place that others share."""
    return kind.startswith("folder ") and path.is_dir() and stat.S_IMODE(path.stat().st_mode) == 0o700


def _tree(folder: Path) -> dict[str, tuple[object, ...]]:
    """What is in the victim's folder, with content, mode and owner."""
    found: dict[str, tuple[object, ...]] = {}
    for path in [folder, *folder.rglob("*")]:
        one = path.lstat()
        content = path.read_text(encoding="utf-8") if stat.S_ISREG(one.st_mode) else ""
        found[str(path)] = (stat.S_IMODE(one.st_mode), one.st_uid, one.st_gid, content)
    return found


def _peer_key(ground: Ground) -> list[Finding]:
    """A reader of an encrypted sink, who is another user, would make the agent wait for ever: it refuses."""
    with Web(_answers) as web:
        world = victims.World(ground.folder, web.url)
        fifo = ground.folder / "public.json"
        os.mkfifo(fifo)
        sinks = [
            {
                "type": "file",
                "dh_type": "curve25519",
                "dh_path": str(fifo),
                "config": {"path": str(ground.folder / "sealed")},
            },
            {"type": "file", "config": {"path": str(ground.folder / "plain")}},
        ]
        method = {"type": "aws", "exit_on_err": True, "config": {"type": "iam", "role": "web"}}
        file = victims.agent_file(world, auto_auth={"method": method, "sink": sinks})
        command = [sys.executable, "-m", f"{victims.CORE}._agent.cli", "run", "--config", str(file)]
        ran = victims.run(command, world.variables(), ground.folder, longest=victims.LONGEST)
    told = "public.json is not a file" in ran.text
    ended = ran.code == 1
    return [
        Finding(RECOVERY, ended, "refused at once" if ended else "the agent hung"),
        Finding(MESSAGE, told, "said what is wrong with the key" if told else "nothing was said"),
    ]
