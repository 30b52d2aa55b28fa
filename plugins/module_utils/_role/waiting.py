# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waits until an agent serves a token with the configuration that is on the host, or finds out what is in its way."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import signal
import time
import typing as t

from . import places, service
from .service import Run

_PAUSE = 0.25  # seconds
_PROPERTIES = ("ActiveState", "SubState", "MainPID", "Job", "NRestarts", "NFileDescriptorStore", "InvocationID")
_MOST_CRASHES = 2  # in a row, after which it will not help to wait
_SETTLES = 3.0  # seconds in which a reload, or a look that was asked for, is over


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How it ended. problem: why there is no token, in the agent's own words, or "". runs: whether the agent is alive.

    status: what it told last; {} if nothing. warnings: what a user should know of an agent that serves.
    """

    problem: str
    runs: bool
    status: dict[str, t.Any]
    warnings: tuple[str, ...] = ()


@dataclasses.dataclass
class _Seen:
    """One look at the service."""

    shown: dict[str, str]
    status: dict[str, t.Any] | None

    @property
    def pid(self) -> int:
        return int(self.shown.get("MainPID") or 0)

    @property
    def restarts(self) -> int:
        return int(self.shown.get("NRestarts") or 0)


def wait(name: str, timeout: float, run: Run) -> Outcome:
    """Wait at most ``timeout`` seconds for the agent ``name``."""
    text = service.read(places.config(name)) or ""
    digest = hashlib.sha256(text.encode()).hexdigest()
    begun = time.monotonic()
    first = seen = _look(name, run)
    asked_at = begun if _ask(first) else None
    silent: set[str] = set()
    while True:
        status = seen.status
        if status is None:
            silent.add(seen.shown.get("InvocationID", ""))
        passed = time.monotonic() - begun
        if status is not None and _serves(seen, status, digest):
            unheld = _unheld(name, seen, status)
            if not unheld or passed > _SETTLES:
                return Outcome(unheld, True, status, _warnings(status))
        if status is not None and passed > _SETTLES:
            if status.get("reload_error") and status.get("config_sha256") != digest:
                return Outcome(f"the agent refused its configuration: {status['reload_error']}", True, status)
            if _is_blocked(status) and (asked_at is None or passed > 2 * _SETTLES):
                return Outcome(_errors(status), True, status)
        if seen.restarts - first.restarts >= _MOST_CRASHES or passed >= timeout:
            return _failed(name, timeout, seen, silent, run)
        time.sleep(_PAUSE)
        seen = _look(name, run)


def _look(name: str, run: Run) -> _Seen:
    shown = service.properties(run, f"{name}.service", _PROPERTIES)
    pid = int(shown.get("MainPID") or 0)
    return _Seen(shown, service.status(name, pid) if pid else None)


def _ask(seen: _Seen) -> bool:
    """Have an agent that waits for its next try look at once: what was in its way may be mended."""
    if seen.status is None or seen.status.get("state") not in ("blocked", "waiting", "at risk"):
        return False
    with contextlib.suppress(OSError):
        os.kill(seen.pid, signal.SIGUSR1)
        return True
    return False


def _serves(seen: _Seen, status: t.Mapping[str, t.Any], digest: str) -> bool:
    return (
        # A job is a restart that is still to come.
        seen.shown.get("ActiveState") == "active"
        and seen.shown.get("Job", "0") in ("", "0")
        and status.get("config_sha256") == digest
        and status.get("state") in ("serving", "at risk")
        and status.get("token_fits") is not False  # then it is what another login left
        and all(sink["holds_token"] for sink in status["sinks"])
        and all(template["rendered"] for template in status.get("templates", ()))
    )


def _is_blocked(status: t.Mapping[str, t.Any]) -> bool:
    """Whether somebody has to mend something before there is a token of this configuration."""
    if status.get("state") == "blocked":
        return True
    return status.get("token_fits") is False and "login" in status.get("errors", {})


def _unheld(name: str, seen: _Seen, status: t.Mapping[str, t.Any]) -> str:
    """Why the nonce ends with the process, or ""."""
    configured = os.path.exists(f"{places.credentials(name)}/nonce")
    # What the agent believes, and what systemd says, are two things.
    held = status.get("nonce_kept") and (configured or seen.shown.get("NFileDescriptorStore") != "0")
    if held or status.get("nonce_kept") is None:
        return ""
    return (
        "there is a token, but only the agent's own memory has the nonce of this instance, systemd does not hold it:"
        " once the agent ends, the server refuses the instance until its entry in identity-accesslist is deleted -- see"
        f" what changes FileDescriptorStoreMax (systemctl cat {name}), or give the host a vault_agent_nonce of its own"
    )


def _warnings(status: t.Mapping[str, t.Any]) -> tuple[str, ...]:
    return (f"there is a token, but: {_errors(status)}",) if status["state"] == "at risk" else ()


def _errors(status: t.Mapping[str, t.Any]) -> str:
    errors = [f"{name}: {text}" for name, text in status.get("errors", {}).items()]
    errors += [f"{one['path']}: {one['error']}" for one in _files(status) if one.get("error")]
    return "; ".join(errors) or "the agent tells of no error"


def _files(status: t.Mapping[str, t.Any]) -> list[dict[str, t.Any]]:
    """Sinks and rendered files."""
    return [*status.get("sinks", ()), *status.get("templates", ())]


def _failed(name: str, timeout: float, seen: _Seen, silent: t.Collection[str], run: Run) -> Outcome:
    """silent: the invocations of the unit that told no status."""
    status = seen.status
    if status is not None:
        if status.get("errors") or any(one.get("error") for one in _files(status)):
            return Outcome(_errors(status), True, status)
        state = status.get("state")
        return Outcome(f"the agent has no token after {timeout:.0f} s, and is {state}", True, status)
    words = service.last_words(run, f"{name}.service", silent) or "it said nothing"
    return Outcome(f"the agent does not stay up: {words}", False, {})
