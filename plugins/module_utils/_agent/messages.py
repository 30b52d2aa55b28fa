# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What goes into the lifecycle and what comes out of it: the policy, the lease, events and actions."""

from __future__ import annotations

import dataclasses
import enum
import math
import typing as t

from .._auth.errors import Retry
from .._auth.token import Standing


class Purpose(enum.Enum):
    """What a request is for; each has a timer of its own."""

    RENEW = "renew"
    LOGIN = "login"
    CHECK = "check"
    POLL = "poll"  # of AWS credentials; no request to Vault
    REVOKE = "revoke"
    RETIRE = "retire"  # revoke the token that was replaced


@dataclasses.dataclass(frozen=True)
class Policy:
    """What the configuration says. Times in seconds; lookup_interval 0 is never. sinks, templates: how many there are.

    poll_interval: how often new AWS keys are looked for while a login waits because of the old ones, 0 for ec2.
    once: give up at the first error of a login, a sink or a template.
    """

    sinks: int
    templates: int = 0
    min_backoff: float = 1.0
    max_backoff: float = 300.0
    lookup_interval: float = 300.0
    poll_interval: float = 60.0
    exit_on_err: bool = False
    exit_after_auth: bool = False
    revoke_on_exit: bool = False
    revoke_previous: bool = False
    once: bool = False


@dataclasses.dataclass(frozen=True)
class Lease:
    """A token, without itself. number: which one it is, counted by the runner. since, ttl: as ``_auth.token.Token``.

    asks: whether lookup-self works for it, None if that is not known. granted: the longest TTL it was given. wrapped:
    it is a wrapping token, whose first use ends it.
    """

    number: int
    since: float
    ttl: float
    renewable: bool
    num_uses: int = 0
    asks: bool | None = None
    granted: float = 0.0
    wrapped: bool = False

    @property
    def ends(self) -> float:
        """When it ends, on the clock of ``now``; infinite without an end."""
        return math.inf if self.ttl == 0 else self.since + self.ttl


@dataclasses.dataclass(frozen=True)
class Failure:
    """Why something did not work. text: one line without secrets. denied: HTTP 403. retry_after: seconds, or None.

    credentials: AWS credentials were missing or refused.
    """

    text: str
    retry: Retry = Retry.TRANSIENT
    retry_after: float | None = None
    denied: bool = False
    credentials: bool = False


# --- events


@dataclasses.dataclass(frozen=True)
class Started:
    """The agent runs. kept: the token that outlived the last process, if one did."""

    kept: Lease | None = None


@dataclasses.dataclass(frozen=True)
class Tick:
    """Time has passed."""


@dataclasses.dataclass(frozen=True)
class LoggedIn:
    """A login worked."""

    lease: Lease


@dataclasses.dataclass(frozen=True)
class Renewed:
    """A renewal worked; the lease has the number of the token that was renewed."""

    lease: Lease


@dataclasses.dataclass(frozen=True)
class Checked:
    """A lookup told of token ``number``; lease: the server's view of it, with LIVE."""

    number: int
    standing: Standing
    lease: Lease | None = None


@dataclasses.dataclass(frozen=True)
class Polled:
    """AWS credentials were looked for. changed: they are others than the last login used."""

    changed: bool


@dataclasses.dataclass(frozen=True)
class Retired:
    """The token that was replaced is revoked."""


@dataclasses.dataclass(frozen=True)
class Revoked:
    """The token was revoked, or the try is over."""


@dataclasses.dataclass(frozen=True)
class Failed:
    """A request of this purpose failed."""

    purpose: Purpose
    failure: Failure


@dataclasses.dataclass(frozen=True)
class Stale:
    """A request ended that was begun under another configuration, and what came of it does not count any more."""

    purpose: Purpose


@dataclasses.dataclass(frozen=True)
class SinkHolds:
    """Sink ``sink`` (its index) holds token ``number``. wrote: it had to be written. news: what else a person is to be
    told. again: seconds until it must be looked at again at the latest.
    """

    sink: int
    number: int
    wrote: bool
    news: str = ""
    again: float = math.inf


@dataclasses.dataclass(frozen=True)
class SinkFailed:
    """Sink ``sink`` could not be looked at or written."""

    sink: int
    text: str


@dataclasses.dataclass(frozen=True)
class Rendered:
    """How the templates stand. number: of the token that all were rendered with, 0 while some were not. error: of one
    that fails, or "".
    """

    number: int
    error: str = ""
    permanent: bool = False


@dataclasses.dataclass(frozen=True)
class Doubted:
    """A template's read with token ``number`` was refused with 403: perhaps the token is gone."""

    number: int


@dataclasses.dataclass(frozen=True)
class CheckNow:
    """SIGUSR1: somebody wants everything to be looked at now."""


@dataclasses.dataclass(frozen=True)
class Reloaded:
    """SIGHUP, and the new configuration is in force. same_login: a kept token still fits it."""

    policy: Policy
    same_login: bool


@dataclasses.dataclass(frozen=True)
class Stop:
    """SIGTERM or SIGINT."""


Event = t.Union[
    Started,
    Tick,
    LoggedIn,
    Renewed,
    Checked,
    Polled,
    Retired,
    Revoked,
    Failed,
    Stale,
    SinkHolds,
    SinkFailed,
    Rendered,
    Doubted,
    CheckNow,
    Reloaded,
    Stop,
]

# --- actions


@dataclasses.dataclass(frozen=True)
class Request:
    """Do this, and report LoggedIn, Renewed, Checked, Polled, Revoked or Failed. number: of the token, 0 without one.

    fresh: the token was just handed out.
    """

    purpose: Purpose
    number: int = 0
    fresh: bool = False


@dataclasses.dataclass(frozen=True)
class Put:
    """See that sink ``sink`` holds token ``number``, and report SinkHolds or SinkFailed."""

    sink: int
    number: int


@dataclasses.dataclass(frozen=True)
class Keep:
    """Put the token where it outlives this process."""

    lease: Lease


@dataclasses.dataclass(frozen=True)
class Forget:
    """Take it away from there."""


@dataclasses.dataclass(frozen=True)
class Ready:
    """The first sink holds a token, and every template was rendered: tell whoever waits for that."""


@dataclasses.dataclass(frozen=True)
class Say:
    """One line of the log. level: debug, info, warn or error."""

    level: str
    text: str
    fields: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Exit:
    """End with this code: 0 fine, 2 a permanent error, 3 a transient one."""

    code: int


Action = t.Union[Request, Put, Keep, Forget, Ready, Say, Exit]
