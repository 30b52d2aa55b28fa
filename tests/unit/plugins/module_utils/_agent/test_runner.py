# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The loop around the lifecycle, with requests that a test answers, one after the other, in no thread."""

from __future__ import annotations

import dataclasses
import json
import typing as t
from pathlib import Path

import pytest

from ansible_collections.vaultfleet.aws.plugins.module_utils._agent import aws, jobs, lifecycle, runner, wrapping
from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.config import AgentConfig
from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.jobs import Held, Outcome
from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.messages import (
    Checked,
    CheckNow,
    Event,
    Failed,
    Failure,
    LoggedIn,
    Purpose,
    Rendered,
    Renewed,
    Revoked,
    Stale,
    Started,
    Stop,
    Tick,
)
from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.sink_options import AgentSink
from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.store import Store
from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.systemd import Notifier
from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.templates import renderer
from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.templates.settings import Template
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth import clock
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.config import LoginConfig, VaultConnection
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.errors import ConfigError, LoginError, Retry
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.sink import Sink
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.token import Standing, Token
from ansible_collections.vaultfleet.aws.tests.unit.plugins.module_utils._agent.manager import Manager, managed

WRONG = Failure("no such role", Retry.PERMANENT)
CANARY = "canary-of-a-token"


class Threads:
    """What would run in threads, until the test runs it."""

    def __init__(self) -> None:
        self.waiting: list[t.Callable[[], None]] = []

    def Thread(self, target: t.Callable[..., None], args: tuple[t.Any, ...] = (), daemon: bool = False) -> t.Any:  # noqa: N802
        """In place of ``threading.Thread``."""
        assert daemon, "it would hold up the end of the process"
        threads = self

        class Waiting:
            def start(self) -> None:
                threads.waiting.append(lambda: target(*args))

        return Waiting()


class Scene:
    """An agent, its clock, and what its requests bring: ``answers`` by purpose, a failure where there is none."""

    def __init__(
        self,
        folder: Path,
        manager: Manager,
        monkeypatch: pytest.MonkeyPatch,
        given: t.Mapping[str, t.Sequence[int]] | None = None,
    ) -> None:
        """given: what the manager hands back of the last process."""
        self.folder = folder
        self.manager = manager
        self.threads = Threads()
        self.now = 5000.0
        self.configs = [self.config()]
        self.answers: dict[Purpose, t.Callable[..., Outcome]] = {}
        self.asked: list[tuple[Purpose, t.Any]] = []
        monkeypatch.setattr(runner, "threading", self.threads)
        monkeypatch.setattr(clock, "now", lambda: self.now)
        monkeypatch.setattr(aws, "check", self._judge)
        for name, purpose in (("log_in", "LOGIN"), ("renew", "RENEW"), ("check", "CHECK"), ("revoke", "REVOKE")):
            monkeypatch.setattr(jobs, name, self._job(Purpose[purpose]))
        notifier = Notifier.from_environ(manager.environ)
        around = runner.Surroundings(self._load, {}, notifier, Store.from_fds(notifier, given or {}), 30.0, str(folder))
        self.agent = runner._Agent(self.configs[0], around)

    def config(self, role: str = "web", **changes: t.Any) -> AgentConfig:
        """A configuration with one sink."""
        login = LoginConfig(type="iam", role=role)
        sinks = (AgentSink(str(self.folder / "token")),)
        return dataclasses.replace(AgentConfig(login, VaultConnection("http://127.0.0.1:9"), sinks), **changes)

    def held(self, number: int, name: str = CANARY) -> Held:
        """A token, just handed out."""
        token = Token(name, "acc", 3600, True, 0, (), {}, self.now)
        return Held(number, name, token, self.agent.vault)

    def logs_in(self, name: str = CANARY) -> None:
        """From now on logins work, and lookups too."""

        def login(_config: LoginConfig, _vault: t.Any, _store: t.Any, number: int) -> Outcome:
            held = self.held(number, f"{name}-{number}")
            return Outcome(LoggedIn(held.lease()), held)

        self.answers[Purpose.LOGIN] = login
        self.answers[Purpose.CHECK] = lambda held, _fresh: Outcome(Checked(held.number, Standing.LIVE, held.lease()))

    def starts(self) -> None:
        """Begin, long after boot, and do everything that there is to do."""
        self.agent._handle(Started())
        self.settle()

    def settle(self) -> None:
        """Run what would run in threads, and let the agent take what comes of it, until nothing more comes."""
        while self.threads.waiting:
            self.run()

    def run(self) -> None:
        """Run the next thing, and let the agent take what comes of it."""
        self.threads.waiting.pop(0)()
        while not self.agent.inbox.empty():
            self.agent._receive(self.agent.inbox.get())

    def later(self, seconds: float, event: Event) -> None:
        """Something comes after so many seconds."""
        self.now += seconds
        self.agent._handle(event)

    def reload(self, config: AgentConfig | None) -> None:
        """SIGHUP; None: there is a mistake in the file."""
        self.configs.append(config or self.configs[-1])
        self.mistaken = config is None
        self.agent._receive(runner._Reload())

    def asked_for(self) -> list[Purpose]:
        """The requests so far."""
        return [purpose for purpose, _first in self.asked]

    def token(self) -> str:
        """What the sink holds."""
        return (self.folder / "token").read_text(encoding="ascii")

    def status(self) -> dict[str, t.Any]:
        """What is published."""
        self.agent._publish()
        return dict(json.loads((self.folder / "status.json").read_text(encoding="utf-8")))

    def told(self) -> list[str]:
        """What the manager was told, apart from STATUS and the store."""
        barrier = Notifier.from_environ(self.manager.environ).barrier(5)
        assert barrier
        words = [tag for message in self.manager.messages for tag in message]
        return [word for word in words if word in ("READY=1", "RELOADING=1", "STOPPING=1", "WATCHDOG=1")]

    mistaken = False

    def _load(self) -> AgentConfig:
        if self.mistaken:
            raise ConfigError("auto_auth", "is missing")
        return self.configs[-1]

    def _judge(self, config: LoginConfig) -> None:
        if config.role == "contradiction":
            raise aws.MisconfiguredError("region", "contradicts sts_endpoint")

    def _job(self, purpose: Purpose) -> t.Callable[..., Outcome]:
        def job(*given: t.Any) -> Outcome:
            self.asked.append((purpose, given[0]))
            answer = self.answers.get(purpose)
            return answer(*given) if answer else Outcome(Failed(purpose, Failure(f"{purpose.value} is not answered")))

        return job


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[Scene]:
    """An agent that was not started."""
    with managed(tmp_path / "notify") as manager:
        yield Scene(tmp_path, manager, monkeypatch)


def test_first_token(scene: Scene) -> None:
    """Logged in, in the sink, ready, kept for the next process, looked up."""
    scene.logs_in()
    scene.starts()
    assert scene.token() == f"{CANARY}-1"
    assert scene.asked_for() == [Purpose.LOGIN, Purpose.CHECK]
    assert scene.told() == ["READY=1"]
    assert scene.manager.names() != []
    assert scene.status()["state"] == "serving"
    assert CANARY not in json.dumps(scene.status())


def test_a_login_that_another_role_overtakes(scene: Scene) -> None:
    """Its token is revoked, never in a sink, and no failure; the other role is logged in to."""
    scene.logs_in()
    scene.agent._handle(Started())
    scene.reload(scene.config("other"))
    scene.answers[Purpose.REVOKE] = lambda _held: Outcome(Revoked())
    scene.now += lifecycle.FLOOR
    scene.settle()
    [revoked] = [held for purpose, held in scene.asked if purpose is Purpose.REVOKE]
    assert revoked.text == f"{CANARY}-1"
    assert [config.role for purpose, config in scene.asked if purpose is Purpose.LOGIN] == ["web", "other"]
    assert scene.token() == f"{CANARY}-2"
    assert set(scene.status()["counters"]["failures"]["logins"].values()) == {0}


def test_a_failure_that_a_reload_overtakes(scene: Scene) -> None:
    """It may be what the reload mends (the header value, say): it does not count, and the next try is not slow."""
    scene.answers[Purpose.LOGIN] = lambda *_given: Outcome(Failed(Purpose.LOGIN, WRONG))
    scene.agent._handle(Started())
    scene.reload(scene.config(max_backoff=300))
    scene.settle()
    assert scene.status()["state"] == "starting"
    assert lifecycle.wake(scene.agent.state) <= scene.now + lifecycle.FLOOR
    scene.logs_in()
    scene.later(lifecycle.FLOOR, CheckNow())
    scene.settle()
    assert scene.status()["state"] == "serving"


def test_a_renewal_that_another_role_overtakes(scene: Scene) -> None:
    """It does not bring the old role's token back to life, neither here nor for the next process."""
    scene.logs_in()
    scene.starts()
    scene.answers[Purpose.RENEW] = lambda held: Outcome(Renewed(held.lease()), held)
    scene.later(2700, CheckNow())
    assert scene.agent.state.busy is Purpose.RENEW
    scene.told()  # the manager has all that was sent to it
    kept = scene.manager.names()
    assert any("token" in name for name in kept)
    scene.reload(scene.config("other"))
    scene.settle()
    scene.told()
    assert [name for name in scene.manager.names() if name in kept and "token" in name] == []
    assert scene.asked_for()[-3:] == [Purpose.RENEW, Purpose.LOGIN, Purpose.CHECK]
    assert scene.token() == f"{CANARY}-2"
    assert scene.agent.state.lease is not None
    assert scene.agent.state.lease.number == 2


def test_the_same_login_keeps_the_token_and_asks_the_new_way(scene: Scene) -> None:
    """Another time-out, say: the token stays, and is renewed over the new connection, also after a renewal that was
    under way over the old one.
    """
    scene.logs_in()
    scene.starts()
    scene.answers[Purpose.RENEW] = lambda held: Outcome(
        Renewed(dataclasses.replace(held.lease(), since=scene.now)), held
    )
    scene.later(2700, CheckNow())
    connection = dataclasses.replace(scene.configs[0].connection, timeout=7)
    scene.reload(scene.config(connection=connection))
    scene.settle()
    scene.later(2700, CheckNow())
    scene.settle()
    renewed = [held for purpose, held in scene.asked if purpose is Purpose.RENEW]
    assert [held.vault.connection.timeout for held in renewed] == [30, 7]
    assert scene.asked_for().count(Purpose.LOGIN) == 1


@pytest.mark.parametrize("mistake", ["file", "region"])
def test_a_reload_with_a_mistake(scene: Scene, mistake: str) -> None:
    """Nothing changes; it is told, until a reload works."""
    scene.logs_in()
    scene.starts()
    scene.reload(None if mistake == "file" else scene.config("contradiction"))
    scene.settle()
    error = scene.status()["reload_error"]
    assert ("is missing" if mistake == "file" else "contradicts sts_endpoint") in error
    assert scene.agent.config is scene.configs[0]
    assert scene.told() == ["READY=1", "RELOADING=1", "READY=1"]
    scene.reload(scene.config())
    assert scene.status()["reload_error"] == ""
    assert scene.status()["counters"]["reloads"] == 1
    assert scene.asked_for().count(Purpose.LOGIN) == 1


def test_a_bug_is_a_failure(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    """The agent goes on, says where it was, and shows nothing of what it was about."""

    def broken(*_given: t.Any) -> Outcome:
        raise RuntimeError(f"unexpected {CANARY}")

    scene.answers[Purpose.LOGIN] = broken
    scene.starts()
    text = scene.status()["errors"]["login"]
    assert text.startswith("this is a bug of the agent: RuntimeError at test_runner.py:")
    assert CANARY not in text
    assert CANARY not in capsys.readouterr().err
    scene.logs_in()
    scene.later(5, CheckNow())
    scene.settle()
    assert scene.status()["state"] == "serving"


def test_a_bug_in_a_sink_is_its_failure(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for sinks."""
    scene.logs_in()

    def broken(_text: str) -> bool:
        raise RuntimeError(f"unexpected {CANARY}")

    monkeypatch.setattr(scene.agent.files[0], "holds", broken)
    scene.starts()
    [sink] = scene.status()["sinks"]
    assert "this is a bug of the agent" in sink["error"]
    assert CANARY not in sink["error"]


def test_watchdog(scene: Scene) -> None:
    """It is fed while requests come back in time, and left hungry by one that is far beyond all its time-outs."""
    scene.agent._handle(Started())
    scene.agent._feed_watchdog()
    patience = 2 * scene.configs[0].connection.timeout + runner._HANGING
    scene.now += patience - 1
    scene.agent._feed_watchdog()
    assert scene.told() == ["WATCHDOG=1"] * 2
    scene.now += 2
    scene.agent._feed_watchdog()
    assert scene.told() == ["WATCHDOG=1"] * 2
    scene.settle()
    scene.agent._feed_watchdog()
    assert scene.told() == ["WATCHDOG=1"] * 3
    assert scene.agent._patience() <= 10


def test_a_configuration_that_no_login_can_work_with(scene: Scene) -> None:
    """It ends the agent at its start, as other mistakes do; later it is a failure like others."""
    error = aws.MisconfiguredError("region", "there is none of that name")
    misconfigured = Outcome(Failed(Purpose.LOGIN, WRONG), misconfigured=error)
    scene.answers[Purpose.LOGIN] = lambda *_given: misconfigured
    with pytest.raises(LoginError, match="there is none of that name"):
        scene.starts()
    scene.agent.last_number = 2
    scene.agent._receive(runner._FromVault(Purpose.LOGIN, scene.configs[0], scene.agent.binding, misconfigured))
    assert scene.status()["state"] == "blocked"


def test_the_end(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Told to the manager and in the status; a request that is under way has its patience, and no more."""

    def tick() -> float:
        scene.now += 0.5
        return scene.now

    monkeypatch.setattr(clock, "now", tick)
    monkeypatch.setattr(scene.agent, "_patience", lambda: 0.01)
    scene.agent.inbox.put(Stop())
    assert scene.agent.run() == 0
    assert scene.told()[-1] == "STOPPING=1"
    assert scene.status()["state"] == "stopping"
    scene.reload(scene.config("other"))
    assert scene.agent.config is scene.configs[0], "a reload while it stops"


def test_stale_is_nothing_but_the_end_of_a_request(scene: Scene) -> None:
    """Of a lookup, say: no timer is set for what the new login will set anew."""
    scene.logs_in()
    scene.starts()
    before = scene.agent.state.timers
    scene.later(1, Stale(Purpose.CHECK))
    assert scene.agent.state.timers == before


class WrappingVault:
    """In place of the server that wraps; as nobody reads, nothing is ever used."""

    wrapped: t.ClassVar[list[str]] = []

    def __init__(self, connection: VaultConnection, _front_end: str) -> None:
        self.connection = connection

    def wrap(self, token: str, ttl: int) -> dict[str, t.Any]:
        self.wrapped.append(token)
        return {"token": f"hvs.wrapping-{len(self.wrapped)}", "ttl": ttl}

    def still_wraps(self, _wrapping_token: str) -> bool:
        return True


def test_wrapped_sinks_go_on_after_reload_and_restart(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """What they hold is kept beside the token; only a sink with another TTL is wrapped anew."""
    monkeypatch.setattr(wrapping, "Vault", WrappingVault)
    monkeypatch.setattr(WrappingVault, "wrapped", [])
    paths = [str(scene.folder / name) for name in ("one", "two", "plain")]
    sinks = [AgentSink(path, wrap_ttl=300 if path != paths[2] else 0) for path in paths]
    scene.logs_in()
    scene.reload(scene.config(sinks=tuple(sinks)))
    scene.starts()
    assert WrappingVault.wrapped == [f"{CANARY}-1"] * 2
    before = [Path(path).read_text(encoding="ascii") for path in paths]

    scene.reload(scene.config(sinks=(sinks[0], dataclasses.replace(sinks[1], wrap_ttl=60), sinks[2])))
    scene.settle()
    assert len(WrappingVault.wrapped) == 3
    assert Path(paths[0]).read_text(encoding="ascii") == before[0]
    assert Path(paths[1]).read_text(encoding="ascii") != before[1]
    assert CANARY not in Path(paths[1]).read_text(encoding="ascii")

    scene.told()  # the manager has all that was sent to it
    after = Scene(scene.folder, scene.manager, monkeypatch, scene.manager.hand_back())
    after.logs_in()
    after.agent._use(scene.configs[-1], after.agent.vault)
    after.agent.state = lifecycle.initial(after.agent._policy(), 1)
    kept = after.agent._take_kept()
    assert kept
    after.agent._handle(Started(kept))
    after.settle()
    assert len(WrappingVault.wrapped) == 3
    assert Purpose.LOGIN not in after.asked_for()


class FakeRenderer:
    """Notes what it is told."""

    told: t.ClassVar[list[t.Any]] = []

    def __init__(self, config: AgentConfig, _vault: t.Any, _log: t.Any, tell: t.Any, _environ: t.Any) -> None:
        self.told.append(("made", len(config.templates)))
        self.tell = tell

    def use(self, number: int, token: str) -> None:
        self.told.append((number, token))

    def change(self, config: AgentConfig, _vault: t.Any, _log: t.Any, *, same: bool) -> None:
        self.told.append(("changed", len(config.templates), same))

    def look(self) -> None:
        self.told.append("look")

    def stop(self, _seconds: float) -> None:
        self.told.append("stop")

    def shown(self, config: AgentConfig) -> tuple[renderer.Shown, ...]:
        return tuple(renderer.Shown(template.place.path) for template in config.templates)


def test_templates_get_the_token_of_their_login(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Never one of another login than the configuration's; an event counts for the configuration that it is of."""
    monkeypatch.setattr(renderer, "Renderer", FakeRenderer)
    monkeypatch.setattr(FakeRenderer, "told", told := list[t.Any]())
    one = Template("x", Sink("/run/one"), "jinja_template")
    scene.logs_in()
    scene.reload(scene.config(templates=(one,)))
    scene.starts()
    assert told == [("made", 1), (1, f"{CANARY}-1")]
    assert [shown["path"] for shown in scene.status()["templates"]] == ["/run/one"]
    scene.agent._handle(CheckNow())
    assert told.pop() == "look"

    with_one = scene.agent.config
    scene.reload(scene.config(templates=(one, dataclasses.replace(one, place=Sink("/run/two")))))
    assert told[2:] == [("changed", 2, True)]
    scene.agent._receive(runner._FromTemplates(with_one, Rendered(1)))
    assert scene.agent.state.rendered.number == 0
    scene.agent._receive(runner._FromTemplates(scene.agent.config, Rendered(1)))
    assert scene.agent.state.rendered.number == 1

    scene.reload(scene.config(role="other", templates=(one,)))
    assert told[3:] == [("changed", 1, False), (0, "")]
    scene.later(2, Tick())
    scene.settle()
    assert told[5:] == [(2, f"{CANARY}-2")]
    scene.reload(scene.config(role="other"))
    assert told[6:] == ["stop"]
    assert scene.status()["templates"] == []
