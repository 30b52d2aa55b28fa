# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The thread that does what ``plan`` says: reads, renewals, renderings, one after the other.

It never touches the token's life: what it has to tell goes to the agent's loop as an event.
"""

from __future__ import annotations

import dataclasses
import queue
import secrets
import threading
import typing as t

from ..._auth import clock
from ..._auth.errors import LoginError, Retry, SinkError, VaultError, bug
from ..._auth.vault import Vault
from ..config import AgentConfig
from ..log import Log
from ..messages import Doubted, Rendered
from . import command, plan, reads, render
from .place import Destination
from .plan import Ask, Setback
from .settings import Template

_LONGEST_WAIT = 30.0  # seconds; the wait does not count while the machine sleeps, leases do
_REPORT_EVERY = 1.0  # seconds, while there is much to do

Event = t.Union[Rendered, Doubted]
Tell = t.Callable[[AgentConfig, Event], None]


@dataclasses.dataclass(frozen=True)
class Shown:
    """What the status shows of a template. rendered: its file is there as it should be, but for what ``error`` says."""

    path: str
    rendered: bool = False
    error: str = ""


@dataclasses.dataclass(frozen=True)
class _Token:
    number: int
    text: str = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True)
class _Change:
    """Another configuration. same: what was read holds for it as well."""

    config: AgentConfig
    vault: Vault
    log: Log
    same: bool


class _Look:
    """Look at everything now."""


class _End:
    """End the thread."""


class _InterruptedError(Exception):
    """A message has come, before which nothing more is begun."""


class _BlockedError(Exception):
    """Something that a template needs was not read."""


class _Item:
    """One template at work."""

    def __init__(self, template: Template) -> None:
        self.template = template
        self.place = Destination(template)
        self.owed = False  # its command, since the file changed
        self.error = ""  # the last one that was logged


class Renderer:
    """Renders the templates of a configuration from now on, once there is a token.

    vault: for this thread alone. tell: called in the thread, with the configuration that an event is about.
    """

    def __init__(self, config: AgentConfig, vault: Vault, log: Log, tell: Tell, environ: t.Mapping[str, str]) -> None:
        self._shown: tuple[AgentConfig, tuple[Shown, ...]] = (config, ())
        self._inbox: queue.SimpleQueue[t.Any] = queue.SimpleQueue()
        self._tell = tell
        self._environ = environ
        self._token = _Token(0, "")
        self._secrets: dict[Ask, render.Secret] = {}
        self._doubts: set[Ask] = set()
        self._told: Rendered | None = None
        self._report_at = 0.0
        self._items: list[_Item] = []
        self._state = plan.initial(_pace(config), (), secrets.randbits(48))
        self._take(config, vault, log)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    # --- for the agent's loop

    def shown(self, config: AgentConfig) -> tuple[Shown, ...]:
        """Return how the templates of ``config`` stand, for the status."""
        of, shown = self._shown
        fresh = tuple(Shown(template.place.path) for template in config.templates)
        return shown if shown and of is config else fresh

    def use(self, number: int, token: str) -> None:
        """Use this token from now on; number 0: none."""
        self._inbox.put(_Token(number, token))

    def change(self, config: AgentConfig, vault: Vault, log: Log, *, same: bool) -> None:
        """Put another configuration in force. same: it is the same server and login, so what was read stays."""
        self._inbox.put(_Change(config, vault, log, same))

    def look(self) -> None:
        """Look at everything now."""
        self._inbox.put(_Look())

    def stop(self, seconds: float) -> None:
        """End, for which what is under way has so many seconds."""
        self._inbox.put(_End())
        self._thread.join(seconds)

    # --- the thread

    def _run(self) -> None:
        while True:
            now = clock.now()
            task = plan.next_task(self._state, now)
            if task is None or now >= self._report_at:
                self._report_at = now + _REPORT_EVERY
                self._report()
            item = self._next(task is None)
            if isinstance(item, _End):
                return
            if item is not None:
                self._receive(item)
            elif task is not None:
                self._perform(task)

    def _next(self, patient: bool) -> t.Any:
        """The next message; None if there is none, after a wait for it or for what is due."""
        wait = min(max(0.01, plan.wake(self._state) - clock.now()), _LONGEST_WAIT)
        try:
            return self._inbox.get(patient, wait)
        except queue.Empty:
            return None

    def _receive(self, item: t.Any) -> None:
        if isinstance(item, _Token):
            self._token = item
            self._doubts.clear()
            self._state = plan.tokened(self._state, item.number, clock.now())
        elif isinstance(item, _Look):
            self._state = plan.look_now(self._state, clock.now())
        elif isinstance(item, _Change):
            if not item.same:
                self._secrets.clear()
                self._state = plan.initial(_pace(item.config), (), secrets.randbits(48))
            self._vault.close()
            self._take(item.config, item.vault, item.log)

    def _take(self, config: AgentConfig, vault: Vault, log: Log) -> None:
        self._config, self._vault, self._log = config, vault, log
        old = {item.template: item for item in self._items}
        # What stays as it was keeps what it knows of its file, and the command that it owes.
        self._items = [old.get(template) or _Item(template) for template in config.templates]
        self._state = plan.reloaded(self._state, _pace(config), [template.wait for template in config.templates])
        self._told = None

    # --- what is done

    def _perform(self, task: plan.Task) -> None:
        if isinstance(task, plan.Fetch):
            self._fetch(task.ask)
        elif isinstance(task, plan.Renew):
            self._renew(task)
        else:
            self._render(task.template)

    def _fetch(self, ask: Ask) -> None:
        def work() -> None:
            secret, grant = reads.fetch(self._vault, self._token.text, ask)
            self._secrets[ask] = secret
            self._state = plan.got(self._state, ask, grant, clock.now())

        self._try(ask, work)

    def _renew(self, task: plan.Renew) -> None:
        def work() -> None:
            grant = reads.renew(self._vault, self._token.text, task.ask, task.lease_id)
            self._state = plan.renewed(self._state, task.ask, grant, clock.now())

        self._try(task.ask, work)

    def _try(self, ask: Ask, work: t.Callable[[], None]) -> None:
        """Do one request, and note why it failed."""
        try:
            work()
        except LoginError as e:
            after = e.retry_after if isinstance(e, VaultError) else None
            setback = Setback(str(e), e.retry is Retry.PERMANENT, after)
            self._state = plan.failed(self._state, ask, setback, clock.now())
            if isinstance(e, VaultError) and e.status == 403 and ask not in self._doubts:
                self._doubts.add(ask)
                self._tell(self._config, Doubted(self._token.number))
        except Exception as e:  # noqa: BLE001 - the agent outlives its own bugs, and shows no secret of them
            self._state = plan.failed(self._state, ask, Setback(bug(e, "the agent"), permanent=True), clock.now())

    def _render(self, index: int) -> None:
        item = self._items[index]
        uses: set[Ask] = set()

        def fetch(ask: Ask) -> render.Secret:
            uses.add(ask)
            if plan.must_fetch(self._state, ask, clock.now()):
                if not self._inbox.empty():
                    raise _InterruptedError
                self._fetch(ask)
            if not self._state.asks[ask].holds(clock.now()):
                raise _BlockedError
            return self._secrets[ask]

        def spoilt(text: str, *, placed: bool = False, anew: bool = False, permanent: bool = True) -> None:
            setback = Setback(text, permanent)
            self._state = plan.spoilt(self._state, index, uses, setback, clock.now(), placed=placed, anew=anew)

        template = item.template
        try:
            if item.place.put(render.render(template.compiled, template.text, fetch)):
                item.owed = bool(template.command)
                self._log.say("info", "rendered a template", template=template.place.path)
            if item.owed:
                command.run(template.command, template.timeout, self._environ)
                item.owed = False
        except _InterruptedError:
            return
        except _BlockedError:
            self._state = plan.blocked(self._state, index, uses)
        except render.RenderError as e:
            spoilt(f"{template.key}: {e}", anew=True)
        except SinkError as e:
            spoilt(str(e), permanent=False)
        except command.CommandError as e:
            spoilt(f"its command failed: {e}", placed=True, permanent=False)
        except Exception as e:  # noqa: BLE001 - as above
            spoilt(bug(e, "the agent"))
        else:
            self._state = plan.rendered(self._state, index, uses)
            for ask in [ask for ask in self._secrets if ask not in self._state.asks]:
                del self._secrets[ask]

    # --- what is told

    def _report(self) -> None:
        shown = []
        first: Setback | None = None
        for item, stand, setback in zip(self._items, self._state.stands, plan.setbacks(self._state)):
            first = first or setback
            text = setback.text if setback else ""
            path = item.template.place.path
            if text and text != item.error:
                self._log.say("error", f"a template failed: {text}", template=path)
            elif item.error and not text:
                self._log.say("info", "a template that failed works again", template=path)
            item.error = text
            shown.append(Shown(path, stand.done > 0, text))
        told = Rendered(plan.done(self._state), first.text if first else "", first is not None and first.permanent)
        if (self._config, tuple(shown)) != self._shown or told != self._told:
            self._shown, self._told = (self._config, tuple(shown)), told
            self._tell(self._config, told)


def _pace(config: AgentConfig) -> plan.Pace:
    return plan.Pace(config.render_interval, config.min_backoff, config.max_backoff)
