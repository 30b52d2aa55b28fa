# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the server saw of agents: its audit log, by the role that each of them has for itself."""

from __future__ import annotations

import datetime
import json
import threading
import typing as t
from pathlib import Path

from tests.stack.handle import Stack

Json = dict[str, t.Any]


class Audit:
    """The server's audit log as far as agents are in it. It is read on from where it was read to, as it grows fast."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self._turn = threading.Lock()
        self._read = Path(stack.env["STACK_AUDIT_LOG"]).stat().st_size
        self._seen: list[Json] = []
        self._digests: dict[str, str] = {}

    def requests(self) -> list[Json]:
        """The entries of requests since this was made, oldest first."""
        with self._turn, Path(self.stack.env["STACK_AUDIT_LOG"]).open("rb") as stream:
            stream.seek(self._read)
            for line in stream:
                if not line.endswith(b"\n"):
                    break  # it is still on its way
                self._read += len(line)
                if line.find(b'"type":"request"', 0, 200) > 0:
                    self._seen.append(json.loads(line))
            return list(self._seen)

    def logins(self, role: str) -> list[float]:
        """When logins with ``role`` came, whatever became of them, in seconds since the epoch."""
        digest = self._digest(role)
        asked = [one for one in self.requests() if one["request"]["path"].endswith("/login")]
        return [_seconds(one["time"]) for one in asked if one["request"].get("data", {}).get("role") == digest]

    def uses(self, role: str, path: str) -> list[float]:
        """When tokens of ``role`` were used for ``path`` (``auth/token/renew-self``), in seconds since the epoch."""
        mark = mark_of(role)
        asked = [one for one in self.requests() if one["request"]["path"] == path]
        return [_seconds(one["time"]) for one in asked if mark in one.get("auth", {}).get("policies", ())]

    def _digest(self, text: str) -> str:
        """What the log has in place of ``text``."""
        if text not in self._digests:
            self._digests[text] = self.stack.root("POST", "sys/audit-hash/to-file", {"input": text})["hash"]
        return self._digests[text]


def mark_of(role: str) -> str:
    """The policy that tells whose token it is."""
    return f"of-{role}"


def hammers(times: list[float]) -> bool:
    """Whether more than one request a second was made, apart from two that a busy machine may have held up."""
    spans = ((first, times[first:]) for first in range(len(times)))
    return any(count > later - times[first] + 2 for first, rest in spans for count, later in enumerate(rest))


def _seconds(text: str) -> float:
    """An audit log's time; it has more digits than datetime takes, and UTC's Z."""
    whole, _dot, fraction = text.rstrip("Z").partition(".")
    moment = datetime.datetime.fromisoformat(f"{whole}+00:00").timestamp()
    return moment + float(f"0.{fraction or 0}")
