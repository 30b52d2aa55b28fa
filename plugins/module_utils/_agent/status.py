# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the agent tells of itself: a JSON object for ``status``, a line for systemd, a text file for Prometheus.

None of them holds a token, a nonce or a key.
"""

from __future__ import annotations

import dataclasses
import math
import time
import typing as t

from .._auth.errors import Retry
from .._auth.version import VERSION
from .config import AgentConfig
from .lifecycle import State, phase
from .messages import Event, Failed, LoggedIn, Purpose, Reloaded, Renewed, SinkFailed, SinkHolds

Snapshot = dict[str, t.Any]

_ATTEMPTS = {Purpose.LOGIN: "logins", Purpose.RENEW: "renewals", Purpose.CHECK: "lookups"}
_NEXT = {
    Purpose.RENEW: "renew the token",
    Purpose.LOGIN: "log in",
    Purpose.CHECK: "look the token up",
}


@dataclasses.dataclass
class Counters:
    """What happened since the start; the failures of a purpose by class (permanent, re-sign, transient)."""

    logins: int = 0
    renewals: int = 0
    sink_writes: int = 0
    sink_failures: int = 0
    reloads: int = 0
    failures: dict[tuple[str, str], int] = dataclasses.field(
        default_factory=lambda: {(name, kind.value): 0 for name in _ATTEMPTS.values() for kind in Retry}
    )

    def count(self, event: Event) -> None:
        """Count what ``event`` tells."""
        if isinstance(event, LoggedIn):
            self.logins += 1
        elif isinstance(event, Renewed):
            self.renewals += 1
        elif isinstance(event, SinkHolds):
            self.sink_writes += event.wrote
        elif isinstance(event, SinkFailed):
            self.sink_failures += 1
        elif isinstance(event, Reloaded):
            self.reloads += 1
        elif isinstance(event, Failed) and event.purpose in _ATTEMPTS:
            self.failures[_ATTEMPTS[event.purpose], event.failure.retry.value] += 1


def snapshot(
    config: AgentConfig, state: State, counters: Counters, now: float, wall: float, **facts: t.Any
) -> Snapshot:
    """Return everything that ``status`` shows. now: ``clock.now()``; wall: the same moment since the epoch.

    Times in it are seconds since the epoch; ``expires_at`` is None for a token without an end, or without a token.
    """
    lease = state.lease
    timers = {purpose.value: timer for purpose, timer in state.timers.items()}

    def at(moment: float) -> float | None:
        return None if math.isinf(moment) else round(wall + moment - now, 1)

    due = {purpose: state.timers[purpose].due for purpose in _NEXT if not math.isinf(state.timers[purpose].due)}
    # What is under way is what comes next, as nothing else is begun before it has ended.
    first = state.busy if state.busy in _NEXT else min(due, key=lambda purpose: due[purpose], default=None)
    return {
        "version": VERSION,
        "state": phase(state).value,
        "login": {
            "type": config.login.type,
            "role": config.login.role,
            "mount_path": config.login.mount_path,
            "url": config.connection.url,
            "namespace": config.connection.namespace,
        },
        "token": None
        if lease is None
        else {
            "expires_at": at(lease.ends),
            "ttl": int(lease.ttl),
            "renewable": lease.renewable,
            "lookup_allowed": lease.asks,
            "wrapped": lease.wrapped,
        },
        "next": {"action": _NEXT[first], "at": at(max(due.get(first, now), now))} if first else None,
        "errors": {name: timer.error for name, timer in timers.items() if timer.error},
        "sinks": [
            {"path": sink.path, "holds_token": bool(lease and known.holds == lease.number), "error": known.error}
            for sink, known in zip(config.sinks, state.sinks)
        ],
        "counters": {
            **{name: value for name, value in dataclasses.asdict(counters).items() if name != "failures"},
            "failures": {
                name: {kind.value: counters.failures[name, kind.value] for kind in Retry} for name in _ATTEMPTS.values()
            },
        },
        **facts,
    }


def line(seen: Snapshot) -> str:
    """Return one line for a person: the state, when the token ends, what fails, what comes next."""
    token = seen["token"]
    parts = [seen["state"]]
    if token is not None:
        parts.append(f"the token {_ends(token)}")
    parts += [f"{name}: {text}" for name, text in seen["errors"].items()]
    parts += [f"sink {sink['path']}: {sink['error']}" for sink in seen["sinks"] if sink["error"]]
    parts += [f"template {one['path']}: {one['error']}" for one in seen.get("templates", ()) if one["error"]]
    if seen.get("reload_error"):
        parts.append(f"reload refused: {seen['reload_error']}")
    if seen["next"]:
        parts.append(f"next: {seen['next']['action']} at {_time(seen['next']['at'])}")
    return "; ".join(parts)


def report(seen: Snapshot) -> str:
    """Return what a person wants to know, a line for each thing."""
    token, login = seen["token"], seen["login"]
    ends = "none"
    if token is not None:
        ends = _ends(token)
        ends += f" (in {token['expires_in']:.0f} s)" if "expires_in" in token else ""
    lines = [
        f"state:  {seen['state']}" if seen["running"] else f"state:  not running (it was {seen['state']})",
        f"login:  {login['type']}, role {login['role']}, auth/{login['mount_path']} at {login['url']}",
        f"token:  {ends}",
    ]
    if seen["next"] and seen["running"]:
        lines.append(f"next:   {seen['next']['action']} at {_time(seen['next']['at'])}")
    for sink in seen["sinks"]:
        lines.append(
            f"sink:   {sink['path']}: {sink['error'] or ('holds the token' if sink['holds_token'] else 'waits')}"
        )
    for one in seen.get("templates", ()):
        stands = "rendered" if one["rendered"] else "waits"
        lines.append(f"file:   {one['path']}: {one['error'] or stands}")
    lines += [f"error:  {name}: {text}" for name, text in seen["errors"].items()]
    if seen.get("nonce_kept") is False and token is not None:
        lines.append("nonce:  only this process has it: once it ends, this instance cannot log in again")
    if seen["reload_error"]:
        lines.append(f"error:  the last reload was refused: {seen['reload_error']}")
    return "\n".join(lines)


def metrics(seen: Snapshot, wall: float) -> str:
    """Return ``seen`` in Prometheus' text format, for node_exporter's textfile collector."""
    token, counters = seen["token"], seen["counters"]
    names = ("type", "role", "mount_path")
    labels = ",".join(f'{name}="{_escaped(seen["login"][name])}"' for name in names)
    left = 0.0 if token is None else math.inf if token["expires_at"] is None else max(0.0, token["expires_at"] - wall)
    shown = "+Inf" if math.isinf(left) else f"{left:.0f}"
    lines = [
        *_metric("token_expires_seconds", "gauge", "Seconds until the token ends; 0 without one.", {labels: shown}),
        *_metric("serving", "gauge", "1 while a token that works is there.", {labels: int(token is not None)}),
        *_metric(
            "sinks_failing", "gauge", "Sinks that do not hold the token.",
            {labels: sum(1 for sink in seen["sinks"] if sink["error"])},
        ),
        *_metric(
            "templates_failing", "gauge", "Templates whose file is not as it should be.",
            {labels: sum(1 for one in seen.get("templates", ()) if one["error"])},
        ),
    ]  # fmt: skip
    for name in ("logins", "renewals", "sink_writes", "sink_failures", "reloads"):
        lines += _metric(
            f"{name}_total", "counter", f"{name.replace('_', ' ')} since the start.", {labels: counters[name]}
        )
    failed = {
        f'{labels},request="{request}",class="{kind}"': count
        for request, kinds in counters["failures"].items()
        for kind, count in kinds.items()
    }
    lines += _metric("failures_total", "counter", "Requests that failed since the start.", failed)
    return "\n".join(lines) + "\n"


def _metric(name: str, kind: str, text: str, values: t.Mapping[str, object]) -> list[str]:
    full = f"vaultfleet_agent_{name}"
    return [
        f"# HELP {full} {text}",
        f"# TYPE {full} {kind}",
        *(f"{full}{{{labels}}} {value}" for labels, value in values.items()),
    ]


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _ends(token: t.Mapping[str, t.Any]) -> str:
    if token["expires_at"] is not None:
        return f"ends at {_time(token['expires_at'])}"
    return "was unwrapped, so it is used up" if token["wrapped"] else "has no end"


def _time(moment: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(moment))
