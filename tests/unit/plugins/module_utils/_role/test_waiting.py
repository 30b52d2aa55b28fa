# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The wait for a token: over when there is one, and with the agent's own words when there will be none."""

from __future__ import annotations

import copy
import hashlib
import signal
import types
import typing as t
from pathlib import Path

import pytest

from ansible_collections.vaultfleet.aws.plugins.module_utils._role import places, service, waiting

TEXT = '{"auto_auth": {}}'
DIGEST = hashlib.sha256(TEXT.encode()).hexdigest()
SERVING: dict[str, t.Any] = {
    "pid": 7,
    "state": "serving",
    "config_sha256": DIGEST,
    "token_fits": True,
    "nonce_kept": None,
    "errors": {},
    "sinks": [{"path": "/run/agent/token", "holds_token": True, "error": ""}],
    "reload_error": "",
}
ACTIVE = {"ActiveState": "active", "MainPID": "7", "Job": "", "NRestarts": "0", "NFileDescriptorStore": "2"}
Look = tuple[dict[str, str], t.Optional[dict[str, t.Any]]]


class World:
    """A service that shows one thing after the other; the last stays. Time passes with each pause."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.looks: list[Look] = []
        self.now = 0.0
        self.signals: list[tuple[int, int]] = []
        self.commands: list[list[str]] = []
        (folder / "agent.json").write_text(TEXT, encoding="utf-8")
        monkeypatch.setattr(places, "CONFIGS", str(folder))
        monkeypatch.setattr(service, "properties", lambda run, unit, names: self.looks[0][0])
        monkeypatch.setattr(service, "status", lambda name, pid: self.looks[0][1])
        monkeypatch.setattr(waiting, "time", types.SimpleNamespace(monotonic=lambda: self.now, sleep=self.sleep))
        monkeypatch.setattr("os.kill", lambda pid, number: self.signals.append((pid, number)))

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        if len(self.looks) > 1:
            self.looks.pop(0)

    def run(self, command: list[str]) -> tuple[int, str, str]:
        self.commands.append(command)
        return 0, "error: its last words\n", ""

    def wait(self, *looks: Look, timeout: float = 20) -> waiting.Outcome:
        self.looks = list(looks)
        return waiting.wait("agent", timeout, self.run)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> World:
    """A host with one agent."""
    return World(monkeypatch, tmp_path)


def status(**more: t.Any) -> dict[str, t.Any]:
    return {**copy.deepcopy(SERVING), **more}


def test_a_token_ends_the_wait_at_once(world: World) -> None:
    outcome = world.wait((ACTIVE, status()))
    assert (outcome.problem, outcome.runs, outcome.warnings, world.now) == ("", True, (), 0)
    assert not world.signals


@pytest.mark.parametrize(
    "before",
    [
        ({**ACTIVE, "ActiveState": "activating"}, status(state="starting")),
        ({**ACTIVE, "Job": "123"}, status()),
        (ACTIVE, status(config_sha256="old")),
        (ACTIVE, status(token_fits=False)),
        (ACTIVE, status(sinks=[{"path": "/run/t", "holds_token": False, "error": ""}])),
        ({**ACTIVE, "MainPID": "0"}, None),
    ],
)
def test_what_is_not_yet_done_is_waited_for(world: World, before: Look) -> None:
    outcome = world.wait(before, before, (ACTIVE, status()))
    assert (outcome.problem, world.now) == ("", 0.5)
    outcome = world.wait(before, timeout=2)
    assert outcome.problem
    assert world.now >= 2


def test_a_permanent_error_is_told_early(world: World) -> None:
    blocked = status(state="blocked", errors={"login": "no role x -- check role"}, token_fits=False)
    outcome = world.wait((ACTIVE, status(state="starting")), (ACTIVE, blocked))
    assert (outcome.problem, outcome.runs) == ("login: no role x -- check role", True)
    assert 3 < world.now < 4


def test_an_agent_that_waits_is_asked_to_look_again(world: World) -> None:
    blocked = status(state="blocked", errors={"login": "no role x -- check role"}, token_fits=False)
    assert world.wait(*[(ACTIVE, blocked)] * 12, (ACTIVE, status())).problem == ""
    assert world.signals == [(7, signal.SIGUSR1)]
    assert world.wait((ACTIVE, blocked)).problem.startswith("login: no role x")


def test_an_old_token_does_not_hide_that_the_new_login_fails(world: World) -> None:
    failing = status(state="at risk", errors={"login": "no role y -- check role"}, token_fits=False)
    assert world.wait((ACTIVE, failing)).problem == "login: no role y -- check role"


def test_a_refused_reload(world: World) -> None:
    outcome = world.wait((ACTIVE, status(config_sha256="old", reload_error="x.json: role: is missing")))
    assert outcome.problem == "the agent refused its configuration: x.json: role: is missing"


def test_the_last_error_is_told_at_the_end(world: World) -> None:
    late = status(state="waiting", errors={"login": "Vault is sealed -- unseal it"}, token_fits=False)
    outcome = world.wait(({**ACTIVE, "ActiveState": "activating"}, {**late, "errors": {}}), (ACTIVE, late), timeout=2)
    assert (outcome.problem, outcome.runs) == ("login: Vault is sealed -- unseal it", True)
    broken = status(sinks=[{"path": "/srv/t", "holds_token": False, "error": "the disk is full"}])
    assert world.wait((ACTIVE, broken)).problem == "/srv/t: the disk is full"
    quiet = status(state="starting", token_fits=False)
    assert world.wait((ACTIVE, quiet)).problem == "the agent has no token after 20 s, and is starting"


def test_templates_are_waited_for(world: World) -> None:
    """Their errors are the agent's."""
    here = status(templates=[{"path": "/run/agent/a", "rendered": True, "error": ""}])
    late = status(state="at risk", templates=[{"path": "/run/agent/a", "rendered": False, "error": "HTTP 403"}])
    starting = {**ACTIVE, "ActiveState": "activating"}
    assert world.wait((starting, late), (ACTIVE, here)).problem == ""
    assert world.wait((starting, late), timeout=2).problem == "/run/agent/a: HTTP 403"
    failing = status(state="at risk", templates=[{"path": "/run/agent/a", "rendered": True, "error": "its command"}])
    outcome = world.wait((ACTIVE, failing))
    assert (outcome.problem, outcome.warnings) == ("", ("there is a token, but: /run/agent/a: its command",))


def test_an_agent_that_does_not_stay_up_is_told_early_in_its_own_words(world: World) -> None:
    down = [
        ({**ACTIVE, "ActiveState": "activating", "MainPID": "0", "NRestarts": str(n), "InvocationID": f"id{n}"}, None)
        for n in range(3)
    ]
    outcome = world.wait(*down)
    assert outcome.problem == "the agent does not stay up: error: its last words"
    assert (outcome.runs, outcome.status, world.now) == (False, {}, 0.5)
    (command,) = world.commands
    assert [part for part in command if "INVOCATION" in part] == [f"_SYSTEMD_INVOCATION_ID=id{n}" for n in range(3)]


def test_a_nonce_that_systemd_does_not_hold(world: World, tmp_path: Path) -> None:
    assert world.wait((ACTIVE, status(nonce_kept=True))).problem == ""
    empty = {**ACTIVE, "NFileDescriptorStore": "0"}
    for shown, kept in ((ACTIVE, False), (empty, True)):
        outcome = world.wait((shown, status(nonce_kept=kept)))
        assert "identity-accesslist" in outcome.problem
        assert outcome.runs, "nothing to roll back"
        later = world.wait((shown, status(nonce_kept=kept)), (ACTIVE, status(nonce_kept=True)))
        assert later.problem == "", "it takes a moment"
    (tmp_path / "agent.credentials").mkdir()
    (tmp_path / "agent.credentials" / "nonce").touch()
    assert world.wait((empty, status(nonce_kept=True))).problem == ""


def test_a_token_at_risk_is_a_warning(world: World) -> None:
    outcome = world.wait((ACTIVE, status(state="at risk", errors={"renew": "Vault is sealed"})))
    assert (outcome.problem, outcome.warnings) == ("", ("there is a token, but: renew: Vault is sealed",))
