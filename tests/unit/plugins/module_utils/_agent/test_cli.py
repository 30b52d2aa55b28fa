# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command line: what it prints, and the codes it ends with."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

from ansible_collections.vaultfleet.aws.plugins.module_utils._agent import aws, child, cli, lean, probe, publish, runner
from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.config import AgentConfig
from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.findings import Finding
from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.messages import Failed, LoggedIn, Purpose
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth import cores
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.errors import ConfigError, Retry
from ansible_collections.vaultfleet.aws.tests.unit.plugins.module_utils._agent.play import AWAY, WRONG_ROLE, Play
from ansible_collections.vaultfleet.aws.tests.unit.plugins.module_utils._agent.test_status import LEASE, seen_of

PACKAGE = "ansible_collections.vaultfleet.aws.plugins.module_utils._agent"
Run = t.Callable[..., "tuple[int, str, str]"]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Runs a command in this process: its code, stdout, stderr."""
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    # What would change this process for good, or start others.
    monkeypatch.setattr(os, "umask", lambda _mask: 0)
    monkeypatch.setattr(cores, "forbid", lambda: None)
    monkeypatch.setattr(child, "prepare", lambda: None)
    monkeypatch.setattr(lean, "load", lambda: None)
    monkeypatch.setattr(aws, "check", lambda _config: None)

    def run(*arguments: str) -> tuple[int, str, str]:
        code = cli.main(arguments)
        seen = capsys.readouterr()
        return code, seen.out, seen.err

    return run


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A configuration without a mistake."""
    path = tmp_path / "agent.json"
    path.write_text(json.dumps(configuration(tmp_path)), encoding="utf-8")
    return path


def configuration(folder: Path, **top: t.Any) -> dict[str, t.Any]:
    """One with a sink in ``folder``."""
    method = {"type": "aws", "config": {"type": "iam", "role": "web"}}
    sink = {"type": "file", "config": {"path": str(folder / "token")}}
    return {"auto_auth": {"method": method, "sink": [sink]}, **top}


def test_check_prints_all_problems(command: Run, tmp_path: Path) -> None:
    """Each in a line with file and key; nothing on stdout, and nothing of a traceback."""
    wrong = configuration(tmp_path, listener=[{}], log_levle="info")
    wrong["auto_auth"]["method"]["config"] = {"type": "iam", "role": "web", "secret_key": "canary", "regoin": "x"}
    path = tmp_path / "wrong.json"
    path.write_text(json.dumps(wrong), encoding="utf-8")
    code, out, err = command("check", "--config", str(path))
    lines = err.splitlines()
    assert (code, out) == (1, "")
    assert len(lines) >= 4
    for line, key in zip(
        sorted(lines), ("auto_auth.method.config", "auto_auth.method.config", "listener", "log_levle")
    ):
        assert line.startswith(f"error: {path}: {key}")
    assert any("did you mean log_level?" in line for line in lines)
    assert "canary" not in err
    assert command("run", "--config", str(path))[0] == 1


def test_check(command: Run, file: Path) -> None:
    """One line, and what should be known on stderr."""
    assert command("check", "--config", str(file)) == (0, "the configuration is fine\n", "")
    file.write_text(json.dumps(configuration(file.parent, vault={"retry": {"num_retries": 5}})), encoding="utf-8")
    code, out, err = command("check", "--config", str(file))
    assert (code, out) == (0, "the configuration is fine\n")
    assert err.startswith("notice: vault.retry in ")


@pytest.mark.parametrize(
    ("findings", "expected"),
    [
        ((Finding("ok", "clock", "right"), Finding("note", "sts", "cannot be reached from here")), 0),
        ((Finding("ok", "clock", "right"), Finding("wrong", "Vault", "is away", Retry.TRANSIENT)), 3),
        ((Finding("wrong", "Vault", "is away"), Finding("wrong", "sink", "is a directory", Retry.PERMANENT)), 2),
    ],
)
def test_check_connect(
    command: Run, file: Path, monkeypatch: pytest.MonkeyPatch, findings: tuple[Finding, ...], expected: int
) -> None:
    """Every finding, and the code of the worst."""
    monkeypatch.setattr(probe, "probe", lambda _config: findings)
    code, out, _err = command("check", "--config", str(file), "--connect")
    assert code == expected
    assert out.splitlines()[1:] == [str(finding) for finding in findings]


@pytest.mark.parametrize(
    "arguments",
    [(), ("run",), ("fly",), ("run", "--config"), ("check", "--confg", "x"), ("status", "--jsno")],
)
def test_usage(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """A mistake there is one of the configuration, too."""
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 1
    err = capsys.readouterr().err
    assert err.startswith("usage: vaultfleet-agent")
    assert err.splitlines()[-1].startswith("error: ")


def publishes(folder: Path, play: Play, alive: bool = True, **facts: t.Any) -> None:
    """Have a process tell this, ours or one that is gone."""
    started = publish.started_at(os.getpid())
    seen = seen_of(play, pid=os.getpid(), pid_started=started if alive else 1, **facts)
    (folder / "status.json").write_text(json.dumps(seen), encoding="utf-8")


def played(*events: t.Any) -> Play:
    """A lifecycle to which these came."""
    play = Play()
    for event in events:
        play.feed(event)
    return play


@pytest.mark.parametrize(
    ("events", "alive", "expected"),
    [
        ((LoggedIn(LEASE),), True, 0),
        ((LoggedIn(LEASE), Failed(Purpose.RENEW, AWAY)), True, 0),
        ((Failed(Purpose.LOGIN, WRONG_ROLE),), True, 2),
        ((Failed(Purpose.LOGIN, AWAY),), True, 3),
        ((), True, 3),
        ((LoggedIn(LEASE),), False, 3),
    ],
    ids=["serving", "at risk", "blocked", "waiting", "starting", "dead"],
)
def test_status(command: Run, tmp_path: Path, events: tuple[t.Any, ...], alive: bool, expected: int) -> None:
    """0 as long as a token works; the same facts in both forms."""
    publishes(tmp_path, played(*events), alive)
    code, out, err = command("status")
    assert (code, err) == (expected, "")
    assert out.startswith("state:  " if alive else "state:  not running (it was serving)")
    code, out, err = command("status", "--json")
    assert (code, err) == (expected, "")
    seen = json.loads(out)
    assert seen["running"] is alive
    if seen["token"]:
        assert seen["token"]["expires_in"] >= 0


def test_status_of_nothing(command: Run, tmp_path: Path) -> None:
    """No agent, and one of another version: told, without a traceback."""
    code, out, err = command("status", "--name", "mine")
    assert (code, out) == (3, "")
    assert err.startswith("error: the agent 'mine' has told nothing yet -- ")
    (tmp_path / "status.json").write_text('{"pid": 1, "state": "serving", "token": {}}', encoding="utf-8")
    code, out, err = command("status")
    assert (code, out) == (3, "")
    assert err.startswith("error: the agent's status is of another version of it -- ")


def test_status_into_a_closed_pipe(tmp_path: Path) -> None:
    """``status | head -1`` shows no complaint of Python's."""
    publishes(tmp_path, played(LoggedIn(LEASE)))
    ours, theirs = os.pipe()
    os.close(ours)
    environ = {"RUNTIME_DIRECTORY": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", f"{PACKAGE}.cli", "status", "--json"]
    with os.fdopen(theirs, "wb") as out:
        done = subprocess.run(command, env=environ, stdout=out, stderr=subprocess.PIPE, check=False)
    assert done.stderr == b""


def test_run(command: Run, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop gets what the service manager gave to us, and nobody else does; the pid file is there meanwhile."""
    pid_file = file.parent / "agent.pid"
    file.write_text(json.dumps(configuration(file.parent, pid_file=str(pid_file))), encoding="utf-8")
    monkeypatch.setenv("NOTIFY_SOCKET", str(file.parent / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", "30000000")
    seen: list[runner.Surroundings] = []

    def run(config: AgentConfig, around: runner.Surroundings) -> int:
        seen.append(around)
        assert pid_file.read_text(encoding="ascii") == str(os.getpid())
        assert not {"NOTIFY_SOCKET", "WATCHDOG_USEC"} & set(os.environ)
        assert around.load() == config
        return 3

    monkeypatch.setattr(runner, "run", run)
    assert command("run", "--config", str(file), "--once") == (3, "", "")
    [around] = seen
    assert around.notifier.address == str(file.parent / "notify")
    assert (around.watchdog, around.once, around.runtime) == (30.0, True, str(file.parent))
    assert not pid_file.exists()


def test_pid_file_after_an_error(command: Run, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes in any case, unless another agent has it by now."""
    pid_file = file.parent / "agent.pid"
    file.write_text(json.dumps(configuration(file.parent, pid_file=str(pid_file))), encoding="utf-8")

    def fails(_config: AgentConfig, _around: runner.Surroundings) -> int:
        raise ConfigError("region", "there is none of that name", hint="set another")

    monkeypatch.setattr(runner, "run", fails)
    assert command("run", "--config", str(file)) == (
        1,
        "",
        "error: region: there is none of that name -- set another\n",
    )
    assert not pid_file.exists()

    def overtaken(_config: AgentConfig, _around: runner.Surroundings) -> int:
        pid_file.write_text("1", encoding="ascii")
        return 0

    monkeypatch.setattr(runner, "run", overtaken)
    assert command("run", "--config", str(file))[0] == 0
    assert pid_file.read_text(encoding="ascii") == "1"


def test_missing_library(command: Run, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named with the Python that lacks it, before anything else is tried."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "hvac" else object())
    code, _out, err = command("run", "--config", str(file))
    assert code == 1
    assert err == f"error: the Python package hvac is missing -- install it for {sys.executable}\n"
