# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one loop that does I/O for the lifecycle: outcomes in, actions out.

The loop itself never blocks: a request to Vault and a look at a sink each run in a thread of their own, of which the
lifecycle allows one for Vault and one for each sink. What they bring back, and signals, come through one queue.
"""

from __future__ import annotations

import dataclasses
import math
import os
import queue
import secrets
import signal
import sys
import threading
import time
import typing as t

from .._auth import clock
from .._auth.errors import LoginError, bug
from .._auth.token import Token
from .._auth.vault import Vault
from .._auth.version import VERSION
from . import aws, jobs, lifecycle, status, store
from .config import AgentConfig
from .jobs import Held, Outcome
from .log import Log
from .messages import (
    CheckNow,
    Doubted,
    Event,
    Exit,
    Failed,
    Failure,
    Forget,
    Keep,
    Lease,
    LoggedIn,
    Policy,
    Purpose,
    Put,
    Ready,
    Reloaded,
    Rendered,
    Request,
    Say,
    SinkFailed,
    SinkHolds,
    Stale,
    Started,
    Stop,
    Tick,
)
from .publish import METRICS_EVERY, Publisher, started_at
from .sinks import TokenFile, file_of
from .store import KeptToken, Store
from .systemd import Notifier

if t.TYPE_CHECKING:
    from .templates.renderer import Renderer
    from .wrapping import WrappedFile  # loaded for the sinks that are wrapped

_FRONT_END = "agent"
_HANGING = 60.0  # seconds that a request may take beyond twice its time-out before the watchdog is left unfed
_LONGEST_WAIT = 30.0  # seconds; the wait does not count while the machine sleeps, leases do
_LAST_RENDERING = 1.0  # seconds that one has to end in


@dataclasses.dataclass(frozen=True)
class Surroundings:
    """What the agent runs in. load: reads the configuration anew. watchdog: seconds within which the service manager
    wants a sign of life, None for never. runtime: directory of the status file, or None. once: end when every sink was
    written, or at the first error.
    """

    load: t.Callable[[], AgentConfig]
    environ: t.Mapping[str, str]
    notifier: Notifier
    store: Store
    watchdog: float | None
    runtime: str | None
    once: bool = False


def run(config: AgentConfig, around: Surroundings) -> int:
    """Keep the sinks of ``config`` fresh until a signal ends it, and return the exit code: 0 fine, 2 a permanent error,
    3 a transient one. Raises ConfigError before any request.
    """
    agent = _Agent(config, around)
    for number, item in (
        (signal.SIGTERM, Stop()),
        (signal.SIGINT, Stop()),
        (signal.SIGHUP, _Reload()),
        (signal.SIGUSR1, CheckNow()),
    ):
        signal.signal(number, lambda *ignored, item=item: agent.inbox.put(item))
    return agent.run()


@dataclasses.dataclass(frozen=True)
class _Reload:
    """SIGHUP came."""


@dataclasses.dataclass(frozen=True)
class _FromSink:
    """What a look at a sink brought; config: the one whose sink it is."""

    config: AgentConfig
    event: SinkHolds | SinkFailed


@dataclasses.dataclass(frozen=True)
class _FromTemplates:
    """What the templates tell; config: the one whose templates they are."""

    config: AgentConfig
    event: Rendered | Doubted


@dataclasses.dataclass(frozen=True)
class _FromVault:
    """What a request brought; config and binding: those that it was begun with."""

    purpose: Purpose
    config: AgentConfig
    binding: str
    outcome: Outcome


class _Agent:
    """One running agent."""

    def __init__(self, config: AgentConfig, around: Surroundings) -> None:
        self.around = around
        self.inbox: queue.SimpleQueue[t.Any] = queue.SimpleQueue()
        self.counters = status.Counters()
        self.publisher = Publisher(around.runtime, around.notifier)
        self.held: Held | None = None
        self.replaced: Held | None = None
        self.last_number = 0
        self.last_of_old = 0  # the last token that was asked for with another login than the configuration's
        self.keys: str | None = None
        self.signature_type: str | None = None  # of the next ec2 login, if the configured one was refused
        self.overdue = math.inf  # when the request under way is no longer thought to be alive
        self.told: set[str] = set()
        self.reload_error = ""
        self.program = os.path.realpath(sys.argv[0])  # before an upgrade changes where it leads
        self.code: int | None = None
        self.files: list[TokenFile | WrappedFile] = []
        self.renderer: Renderer | None = None
        self.rendered_with = 0  # number of the token that the templates were given
        self._use(config, Vault(config.connection, _FRONT_END))
        self._render(config, _vault_of_templates(config), same=True)
        self.state = lifecycle.initial(self._policy(), secrets.randbits(48))

    def _use(self, config: AgentConfig, vault: Vault) -> None:
        self.config = config
        self.vault = vault
        self.binding = store.binding(config.connection, config.login, self.around.environ)
        self.files = self._files(config)
        self.log = Log.from_config(config, self.around.environ)

    def _files(self, config: AgentConfig) -> list[TokenFile | WrappedFile]:
        """The sinks of ``config``. A wrapped one goes on with what it holds."""
        wrapped = {file.sink.path: file.wrapping for file in self.files if not isinstance(file, TokenFile)}
        return [file_of(sink, wrapped.get(sink.path), doubt=True) for sink in config.sinks]

    def _policy(self) -> Policy:
        config = self.config
        return Policy(
            sinks=len(config.sinks),
            templates=len(config.templates),
            min_backoff=config.min_backoff,
            max_backoff=config.max_backoff,
            lookup_interval=config.lookup_interval,
            poll_interval=config.credential_poll_interval if config.login.type == "iam" else 0,
            exit_on_err=config.exit_on_err,
            exit_after_auth=config.exit_after_auth,
            revoke_on_exit=config.revoke_on_exit,
            revoke_previous=config.revoke_previous,
            once=self.around.once,
        )

    # --- the loop

    def run(self) -> int:
        for notice in self.config.notices:
            self.log.say("warn", notice)
        self.log.say("info", f"vaultfleet agent {VERSION} started", pid=os.getpid(), vault=self.config.connection.url)
        self._handle(Started(self._take_kept()))
        while self.code is None:
            self._feed_watchdog()
            self._publish()
            try:
                item = self.inbox.get(timeout=self._patience())
            except queue.Empty:
                item = Tick()
            self._receive(item)
        self.around.notifier.stopping()
        if self.renderer:
            self.renderer.stop(_LAST_RENDERING)
        self._publish()
        self.log.say("info", "ended", code=self.code)
        return self.code

    def _receive(self, item: t.Any) -> None:
        if isinstance(item, _Reload):
            self._reload()
        elif isinstance(item, (_FromSink, _FromTemplates)):
            if item.config is self.config:
                self._handle(item.event)
                if isinstance(item, _FromSink):
                    self._keep_wrapped(item.event)
        elif isinstance(item, _FromVault):
            self.overdue = math.inf
            self._handle(self._accept(item))
        else:
            self._handle(item)

    def _accept(self, item: _FromVault) -> Event:
        """Take over what a request brought along; the event that is left of it."""
        outcome = item.outcome
        # A login that failed may have done so because of what the new configuration mends.
        mended = isinstance(outcome.event, Failed) and item.purpose is Purpose.LOGIN and item.config is not self.config
        if item.binding != self.binding or mended:
            if isinstance(outcome.event, LoggedIn):
                stale = t.cast(Held, outcome.held)
                threading.Thread(target=jobs.revoke, args=(stale,), daemon=True).start()
            return Stale(item.purpose)
        if outcome.misconfigured and self.last_number == 1:
            raise outcome.misconfigured  # at the start, as all else that is wrong in the configuration
        if outcome.keys is not None:
            self.keys = outcome.keys
        self.signature_type = outcome.signature_type or self.signature_type
        if isinstance(outcome.event, LoggedIn):
            self.replaced = self.held
        if outcome.held and (isinstance(outcome.event, LoggedIn) or self._is_held(outcome.held.number)):
            self.held = dataclasses.replace(outcome.held, vault=self.vault)
        return outcome.event

    def _handle(self, event: Event) -> None:
        self.counters.count(event)
        held = [sink.holds for sink in self.state.sinks]
        self.state, actions = lifecycle.step(self.state, event, clock.now())
        for action in actions:
            _PERFORM[type(action)](self, action)
        self._feed_templates(event)
        self._tell_store()
        quiet = isinstance(event, Tick) or (
            isinstance(event, SinkHolds) and [sink.holds for sink in self.state.sinks] == held and not event.wrote
        )
        if not quiet or any(not isinstance(action, Put) for action in actions):
            self.publisher.stale = True

    def _feed_templates(self, event: Event) -> None:
        """Give the templates the token that there is; never one that is of another login than the configuration's."""
        if self.renderer is None:
            return
        held, lease = self.held, self.state.lease
        usable = held and lease and held.number == lease.number and held.number > self.last_of_old
        number = held.number if held and usable else 0
        if number != self.rendered_with:
            self.rendered_with = number
            self.renderer.use(number, held.token.client_token if held and number else "")
        if isinstance(event, CheckNow):
            self.renderer.look()

    def _patience(self) -> float:
        times = [lifecycle.wake(self.state) - clock.now(), _LONGEST_WAIT]
        if self.around.watchdog:
            times.append(self.around.watchdog / 3)
        if self.config.metrics_file:
            times.append(METRICS_EVERY)
        return max(0.01, min(times))

    def _feed_watchdog(self) -> None:
        # A request that hangs beyond all its time-outs means that this process cannot be trusted any more.
        if self.around.watchdog and clock.now() < self.overdue:
            self.around.notifier.watchdog()

    def _publish(self) -> None:
        def look() -> status.Snapshot:
            return status.snapshot(
                self.config,
                self.state,
                self.counters,
                clock.now(),
                time.time(),
                pid=os.getpid(),
                pid_started=started_at(os.getpid()),
                reload_error=self.reload_error,
                config_sha256=self.config.sha256,
                program=self.program,
                nonce_kept=self._keeps_nonce(),
                token_fits=self.held is not None and self.held.number > self.last_of_old,
                templates=[dataclasses.asdict(shown) for shown in self.renderer.shown(self.config)]
                if self.renderer
                else [],
            )

        self.publisher.publish(look, self.config.metrics_file)
        self._tell(self.publisher.problems)

    def _keeps_nonce(self) -> bool | None:
        """Whether the nonce will be there after a restart; None if the login has none."""
        if self.config.login.type != "ec2":
            return None
        key = store.nonce_key(self.config.connection, self.config.login)
        return self.config.login.nonce is not None or self.around.store.keeps_nonce(key)

    def _tell_store(self) -> None:
        self._tell(self.around.store.problems)

    def _tell(self, problems: t.Iterable[str]) -> None:
        for problem in problems:
            if problem not in self.told:
                self.told.add(problem)
                self.log.say("warn", problem)

    # --- the token of the last process

    def _take_kept(self) -> Lease | None:
        kept = self.around.store.token(self.binding)
        if kept is None:
            return None
        lease = kept.lease
        token = Token(
            kept.client_token, kept.accessor, int(lease.ttl), lease.renewable, lease.num_uses, (), {}, lease.since
        )
        self.last_number = lease.number
        self.held = Held(lease.number, kept.client_token, token, self.vault)
        for number, sink in enumerate(self.config.sinks):
            if sink.wrap_ttl and sink.path in kept.wrapped:
                from . import wrapping

                self.files[number] = file_of(sink, wrapping.kept(kept.wrapped[sink.path], lease.number))
        return lease

    # --- reload

    def _reload(self) -> None:
        """Put a new configuration in force, or nothing of it."""
        if self.state.stopping is not None:
            return
        if self.state.ready:
            self.around.notifier.reloading()
        try:
            config = self.around.load()
            vault = Vault(config.connection, _FRONT_END)
            vault_of_templates = _vault_of_templates(config)
            aws.check(config.login)
        except LoginError as e:
            self.reload_error = str(e)
            self.publisher.stale = True
            self.log.say("error", f"the configuration was not reloaded, the old one stays in force: {e}")
        else:
            self._change(config, vault, vault_of_templates)
        if self.state.ready:
            self.around.notifier.ready()

    def _change(self, config: AgentConfig, vault: Vault, vault_of_templates: Vault | None) -> None:
        left = {sink.path for sink in self.config.sinks} - {sink.path for sink in config.sinks}
        old = self.binding
        self._use(config, vault)
        self.reload_error = ""
        for notice in config.notices:
            self.log.say("warn", notice)
        self.log.say("info", "reloaded the configuration")
        for path in sorted(left):
            self.log.say("warn", "this file is no sink any more; it is left as it is, and its token ends", path=path)
        self.signature_type = None
        same = self.binding == old
        if not same:
            self.last_of_old = self.last_number
        elif self.held:
            self.held = dataclasses.replace(self.held, vault=vault)
        self._render(config, vault_of_templates, same=same)
        self._handle(Reloaded(self._policy(), same))

    def _render(self, config: AgentConfig, vault: Vault | None, *, same: bool) -> None:
        """Have the templates of ``config`` rendered, with a connection of their own; None: it has none."""
        if self.renderer and vault:
            self.renderer.change(config, vault, self.log, same=same)
        elif self.renderer:
            self.renderer.stop(0)
            self.renderer = None
        elif vault:
            from .templates.renderer import Renderer  # only those who have templates carry Jinja2

            def tell(of: AgentConfig, event: Rendered | Doubted) -> None:
                self.inbox.put(_FromTemplates(of, event))

            self.rendered_with = 0
            self.renderer = Renderer(config, vault, self.log, tell, self.around.environ)

    # --- actions

    def _request(self, action: Request) -> None:
        # The thread gets what holds now, whatever a reload changes meanwhile.
        config, vault, binding, keys = self.config, self.vault, self.binding, self.keys
        login = dataclasses.replace(config.login, signature_type=self.signature_type or config.login.signature_type)
        purpose, held, replaced = action.purpose, t.cast(Held, self.held), t.cast(Held, self.replaced)
        if purpose is Purpose.LOGIN:
            self.last_number += 1
        number = self.last_number
        todo: dict[Purpose, t.Callable[[], Outcome]] = {
            Purpose.LOGIN: lambda: jobs.log_in(login, vault, self.around.store, number),
            Purpose.RENEW: lambda: jobs.renew(held),
            Purpose.CHECK: lambda: jobs.check(held, action.fresh),
            Purpose.POLL: lambda: jobs.poll(config.login, vault, keys),
            Purpose.REVOKE: lambda: jobs.revoke(held),
            Purpose.RETIRE: lambda: jobs.retire(replaced),
        }
        self.overdue = clock.now() + 2 * config.connection.timeout + _HANGING
        self._start(
            lambda: _FromVault(purpose, config, binding, todo[purpose]()),
            lambda text: _FromVault(purpose, config, binding, Outcome(Failed(purpose, Failure(text)))),
        )

    def _put(self, action: Put) -> None:
        config, file, held = self.config, self.files[action.sink], t.cast(Held, self.held)

        def look() -> _FromSink:
            try:
                return _FromSink(config, SinkHolds(action.sink, action.number, *file.see(held)))
            except LoginError as e:
                return _FromSink(config, SinkFailed(action.sink, str(e)))

        self._start(look, lambda text: _FromSink(config, SinkFailed(action.sink, text)))

    def _start(self, job: t.Callable[[], t.Any], failed: t.Callable[[str], t.Any]) -> None:
        """Run ``job`` in a thread; what it returns comes to the inbox, or what ``failed`` makes of a bug in it."""

        def work() -> None:
            try:
                self.inbox.put(job())
            except Exception as e:  # noqa: BLE001 - the agent outlives its own bugs, and shows no secret of them
                self.inbox.put(failed(bug(e, "the agent")))

        threading.Thread(target=work, daemon=True).start()

    def _keep(self, action: Keep) -> None:
        held = self.held
        if held and self._is_held(action.lease.number):
            kept = KeptToken(held.token.client_token, held.token.accessor, action.lease, self._wrapped(held.number))
            self.around.store.put_token(self.binding, kept)

    def _wrapped(self, number: int) -> dict[str, t.Any]:
        """What wrapped sinks hold of token ``number``, by their paths."""
        found = {file.sink.path: file.wrapping for file in self.files if not isinstance(file, TokenFile)}
        return {path: dataclasses.asdict(one) for path, one in found.items() if one and one.number == number}

    def _keep_wrapped(self, event: SinkHolds | SinkFailed) -> None:
        """Put what a sink newly holds where it outlives this process."""
        lease, file = self.state.lease, self.files[event.sink]
        if lease and isinstance(event, SinkHolds) and (event.wrote or event.news) and not isinstance(file, TokenFile):
            self._keep(Keep(lease))

    def _forget(self, action: Forget) -> None:
        self.around.store.forget_token()

    def _ready(self, action: Ready) -> None:
        self.around.notifier.ready()

    def _say(self, action: Say) -> None:
        fields = dict(action.fields)
        if "sink" in fields:
            fields["sink"] = self.config.sinks[fields["sink"]].path
        self.log.say(action.level, action.text, **fields)

    def _exit(self, action: Exit) -> None:
        self.code = action.code

    def _is_held(self, number: int) -> bool:
        return self.held is not None and self.held.number == number


def _vault_of_templates(config: AgentConfig) -> Vault | None:
    """The server for the thread of templates, if there are any. Raises ConfigError."""
    return Vault(config.connection, f"{_FRONT_END}, templates") if config.templates else None


_PERFORM: dict[type, t.Callable[[_Agent, t.Any], None]] = {
    Request: _Agent._request,
    Put: _Agent._put,
    Keep: _Agent._keep,
    Forget: _Agent._forget,
    Ready: _Agent._ready,
    Say: _Agent._say,
    Exit: _Agent._exit,
}
