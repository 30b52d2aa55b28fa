# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the agent's state is written, when, and how it is found and read again."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.vaultfleet.aws.plugins.module_utils._agent import publish
from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.publish import Publisher
from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.systemd import Notifier
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.errors import LoginError
from ansible_collections.vaultfleet.aws.tests.unit.plugins.module_utils._agent.manager import managed
from ansible_collections.vaultfleet.aws.tests.unit.plugins.module_utils._agent.play import Play
from ansible_collections.vaultfleet.aws.tests.unit.plugins.module_utils._agent.test_status import seen_of


class Looker:
    """Counts how often somebody wanted to know."""

    def __init__(self) -> None:
        self.looks = 0

    def __call__(self) -> dict[str, t.Any]:
        self.looks += 1
        return {**seen_of(Play()), "looks": self.looks}


def test_written_when_something_changed(tmp_path: Path) -> None:
    """Nothing is looked at, written or sent as long as nothing changed."""
    look = Looker()
    with managed(tmp_path / "notify") as manager:
        publisher = Publisher(str(tmp_path), Notifier.from_environ(manager.environ))
        for _round in range(3):
            publisher.publish(look, None)
        publisher.stale = True
        publisher.publish(look, None)
        manager.wait(lambda: len(manager.messages) >= 2)
        assert [message[0].partition(";")[0] for message in manager.messages] == ["STATUS=starting"] * 2
    assert look.looks == 2
    path = tmp_path / "status.json"
    assert json.loads(path.read_text(encoding="utf-8"))["looks"] == 2
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_metrics_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They count down while nothing changes, so they are written every so often."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    look, path = Looker(), tmp_path / "agent.prom"
    publisher = Publisher(None, Notifier(None))
    publisher.publish(look, str(path))
    assert "vaultfleet_agent_serving" in path.read_text(encoding="utf-8")
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    path.unlink()
    now[0] += publish.METRICS_EVERY - 1
    publisher.publish(look, str(path))
    assert not path.exists()
    now[0] += 1
    publisher.publish(look, str(path))
    assert path.exists()
    assert look.looks == 2


def test_what_cannot_be_written(tmp_path: Path) -> None:
    """It is told once for each reason, and stops nothing."""
    publisher = Publisher(str(tmp_path / "gone"), Notifier(None))
    for _round in range(3):
        publisher.stale = True
        publisher.publish(Looker(), str(tmp_path / "gone" / "agent.prom"))
    assert len(publisher.problems) == 1
    assert "gone" in publisher.problems[0]


def test_place(tmp_path: Path) -> None:
    """systemd's directory first, then the user's; none is no error."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "user" / "name").mkdir(parents=True)
    user = {"XDG_RUNTIME_DIR": str(tmp_path / "user")}
    of_systemd = {"RUNTIME_DIRECTORY": f"{tmp_path / 'mine'}:/run/other", **user}
    assert publish.runtime_directory("name", of_systemd) == str(tmp_path / "mine")
    assert publish.runtime_directory("name", user) == str(tmp_path / "user" / "name")
    assert publish.runtime_directory("other-name", user) is None
    assert publish.runtime_directory("other-name", {}) is None


def test_read_again(tmp_path: Path) -> None:
    """What was told, and by whom; and what to do where nothing of an agent is found."""
    environ = {"RUNTIME_DIRECTORY": str(tmp_path)}
    with pytest.raises(LoginError, match="has told nothing yet"):
        publish.read("mine", environ)
    with pytest.raises(LoginError, match="there is no agent 'mine' here -- give its --name"):
        publish.read("mine", {})
    Publisher(str(tmp_path), Notifier(None)).publish(Looker(), None)
    assert publish.read("mine", environ)["state"] == "starting"
    for garbage in ("", "{", "[]", "{}", '{"pid": "1", "state": "serving"}', "[" * 100_000):
        (tmp_path / "status.json").write_text(garbage[:60_000], encoding="utf-8")
        with pytest.raises(LoginError, match="is no status of an agent"):
            publish.read("mine", environ)


def test_is_running() -> None:
    """The process id alone does not tell: another process may have it by now."""
    own = {"pid": os.getpid(), "pid_started": publish.started_at(os.getpid())}
    assert publish.is_running(own)
    assert not publish.is_running({**own, "pid_started": 1})
    assert not publish.is_running({"pid": os.getpid()})
    ended = subprocess.Popen([sys.executable, "-S", "-c", ""])
    ended.wait()
    assert not publish.is_running({"pid": ended.pid, "pid_started": None})
    assert publish.started_at(ended.pid) is None
