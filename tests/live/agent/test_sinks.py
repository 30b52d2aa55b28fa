# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sinks: exactly the token, put back whatever somebody does to them, and none waits for another."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.agent.agents import Agents
from tests.live.agent.audit import Json
from tests.live.agent.process import Agent
from tests.stack.handle import Stack

LONG = {"token_ttl": "1h", "token_max_ttl": "2h"}
GROUP = grp.getgrgid(os.getgid()).gr_name


def sink(path: Path, **wishes: object) -> Json:
    """The configuration of a sink, whose directory is made."""
    path.parent.mkdir(exist_ok=True)
    return {"type": "file", "config": {"path": str(path), **wishes}}


def sinks_of(agent: Agent, **wishes: Json) -> dict[str, Path]:
    """Give the agent sinks in directories of their own; name -> path."""
    paths = {name: agent.folder / name / "token" for name in wishes}
    found = [sink(path, **wishes[name]) for name, path in paths.items()]
    agent.write(auto_auth={**agent.config["auto_auth"], "sink": found})
    agent.sink = next(iter(paths.values()))
    return paths


def failing(agent: Agent) -> dict[str, str]:
    """What its status tells of sinks: name -> error."""
    return {Path(one["path"]).parent.name: one["error"] for one in agent.status()["sinks"] if one["error"]}


def test_put_back(agents: Agents, stack: Stack) -> None:
    """Whatever was done to a sink is undone within seconds, at once if asked; what it is a link to stays as it is."""
    agent = agents.iam(role=LONG)
    plain: Json = {}
    paths = sinks_of(
        agent,
        kept={"mode": "0440", "owner": pwd.getpwuid(os.getuid()).pw_name, "group": GROUP},
        removed=plain,
        altered=plain,
        opened={"mode": 0o640},
        directory=plain,
        planted=plain,
    )
    agent.start()
    token = agent.serves()
    for path in paths.values():
        agent.until(path.exists)
        assert path.read_bytes() == token.encode(), "it is not the bare token"
    modes = {name: stat.S_IMODE(path.stat().st_mode) for name, path in paths.items()}
    assert (modes["kept"], modes["removed"], modes["opened"]) == (0o440, 0o600, 0o640)

    time.sleep(1.1)  # so that the files are believed to have settled
    before = paths["kept"].stat()
    paths["removed"].unlink()
    paths["altered"].write_text("hvs.NotTheTokenAtAll", encoding="ascii")
    paths["opened"].chmod(0o666)
    paths["directory"].parent.rename(agent.folder / "moved")
    paths["directory"].parent.mkdir()
    victim = agent.folder / "victim"
    victim.write_text("mine", encoding="ascii")
    paths["planted"].unlink()
    paths["planted"].symlink_to(victim)
    mended = ("removed", "altered", "opened", "directory")
    agent.until(lambda: all(whole(paths[name], token) for name in mended), "not all were put back")
    assert stat.S_IMODE(paths["opened"].stat().st_mode) == 0o640
    agent.until(lambda: "planted" in failing(agent))
    assert "is a symbolic link" in failing(agent)["planted"]
    assert victim.read_text(encoding="ascii") == "mine"
    assert agent.said("a sink was missing or altered, and was put back")
    assert agent.state() == "at risk"
    after = paths["kept"].stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns), "it was written for nothing"

    paths["planted"].unlink()
    paths["removed"].unlink()
    agent.send(signal.SIGUSR1)
    for name in ("planted", "removed"):
        agent.until(lambda name=name: whole(paths[name], token))  # type: ignore[misc]
    agent.tells("serving")
    assert agent.logins() == 1


def whole(path: Path, token: str) -> bool:
    """Whether the file is there with exactly the token."""
    return path.exists() and path.read_text(encoding="ascii") == token


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a file system")
def test_none_waits_for_another(agents: Agents, stack: Stack) -> None:
    """A full, a read-only and a lost directory hold up nobody else's new token; each gets its own when it can."""
    agent = agents.iam(role=LONG)
    plain: Json = {}
    paths = sinks_of(agent, fine=plain, full=plain, readonly=plain, lost=plain)
    with mounted(paths["full"].parent, "size=32k"), mounted(paths["readonly"].parent, "size=32k"):
        agent.start()
        first = agent.serves()
        agent.until(lambda: all(whole(path, first) for path in paths.values()))
        filler = paths["full"].parent / "filler"
        fill(filler)
        remount(paths["readonly"].parent, "ro")
        shutil.rmtree(paths["lost"].parent)
        stack.root("POST", "auth/token/revoke", {"token": first})
        time.sleep(1)
        agent.send(signal.SIGUSR1)
        second = agent.replaced(first)
        agent.until(lambda: len(failing(agent)) == 3)
        assert agent.works()
        errors = failing(agent)
        assert "the file system is full: make room" in errors["full"]
        assert "read-only" in errors["readonly"]
        assert "cannot open the directory" in errors["lost"]
        assert agent.state() == "at risk"
        assert whole(paths["full"], first), "the old file was lost"
        for name, text in errors.items():
            assert text in agent.command("status", "--name", agent.name).stdout, name
        time.sleep(2)
        assert agent.status()["counters"]["sink_failures"] < 12, "it is a hot loop"
        assert len(agent.log().splitlines()) < 30, agent.log()

        filler.unlink()
        remount(paths["readonly"].parent, "rw")
        paths["lost"].parent.mkdir()
        agent.send(signal.SIGUSR1)
        agent.until(lambda: all(whole(path, second) for path in paths.values()))
        agent.tells("serving")
        assert agent.log().count("a sink that failed works again") == 3
        agent.stop()


def test_refused_at_the_start(agents: Agents) -> None:
    """What can be known of a sink beforehand is told before anybody logs in."""
    agent = agents.iam()
    wrong = (
        (sink(agent.folder / "a", owner="nobody-of-that-name"), "there is no user 'nobody-of-that-name'"),
        (sink(agent.folder / "b", mode=640), 'numbers in JSON are decimal: write 416 or "0640"'),
        ({"type": "file", "config": {"path": str(agent.folder / "absent" / "token")}}, "cannot open the directory"),
    )
    for found, text in wrong:
        agent.write(auto_auth={**agent.config["auto_auth"], "sink": [found]})
        assert agent.start().ended() == 1
        assert agent.said(text), agent.log()
    assert agent.logins() == 0


@contextlib.contextmanager
def mounted(place: Path, options: str) -> Iterator[None]:
    """A small file system in memory for as long as the block lasts."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", str(place)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def remount(place: Path, mode: str) -> None:
    """Make it read-only (ro), or not (rw)."""
    subprocess.run(["mount", "-o", f"remount,{mode}", str(place)], check=True)


def fill(path: Path) -> None:
    """Write until nothing more goes in."""
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
