# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an agent lives through in a soak: its configuration, its AWS credentials, its secret, outages, its readers."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from tests.stack.handle import Stack

from . import agents

TTL = 60  # seconds of a lease
LONGEST = 60  # seconds that the server lets a token live: in its own, real time, of which a soak has little
HOUR = 3600.0
DAY = 24 * HOUR
WEEK = 7 * DAY
_INSTANCE = 1  # of the stack's, whose role's credentials the agent uses
_POLICY = "bench-soak"
_TEMPLATE = "{% set app = secret('secret/data/soak').data %}{{ app.password }}\n"
_OUTAGES = ((1.5 * DAY, HOUR / 6), (4.5 * DAY, HOUR))  # in a week: when, and how long
_ENDS = (("seal", "unseal"), ("stop", "start"))  # of each


def events(seconds: float) -> list[tuple[float, str]]:
    """What happens when, in as many seconds of the agent's clock; a shorter life than a week has all of it sooner."""
    pace = seconds / WEEK
    found = [(pace * hour * HOUR, "rotate") for hour in range(6, 7 * 24, 6)]
    found += [(pace * hour * HOUR, "read") for hour in range(1, 7 * 24, 2)]
    for moments, names in zip(outages(seconds), _ENDS, strict=True):
        found += zip(moments, names, strict=True)
    return sorted(found)


def outages(seconds: float) -> list[tuple[float, float]]:
    """From when to when the server is away, in as many seconds of the agent's clock."""
    return [
        (start * seconds / WEEK, start * seconds / WEEK + min(length, 0.02 * seconds)) for start, length in _OUTAGES
    ]


class World:
    """The surroundings of one agent. reads: how often a reader found a token that works; broken: what it found else."""

    def __init__(self, stack: Stack, folder: Path, memory: Path) -> None:
        """memory: a folder on a memory file system, where tokens belong. folder: for the rest."""
        self.stack = stack
        self.reads: Counter[str] = Counter()
        self.broken: list[str] = []
        self.away = False
        self._used = ""
        self._password = 0
        self._instance = stack.instances[_INSTANCE]
        paths = {"secret/data/soak": "read", "sys/wrapping/wrap": "update"}
        rules = "\n".join(f'path "{path}" {{ capabilities = ["{right}"] }}' for path, right in paths.items())
        stack.root("PUT", f"sys/policies/acl/{_POLICY}", {"policy": rules})
        self._new_secret()
        role = {
            "bound_iam_principal_arn": stack.env["STACK_APP_ROLE_ARN"],
            "token_ttl": TTL,
            "token_max_ttl": LONGEST,
            "token_policies": _POLICY,
        }
        credentials = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": stack.imds_endpoint(self._instance)}
        self._place = memory / "ours"
        plain, wrapped = (
            {"type": "file", "config": {"path": str(self._place / name)}} for name in ("token", "wrapped")
        )
        template = {"contents": _TEMPLATE, "destination": str(self._place / "password")}
        self.agent = agents.of_iam(
            stack,
            folder,
            self._place,
            role,
            credentials,
            auto_auth={
                "sink": [plain, {**wrapped, "wrap_ttl": "1h"}],
                "metrics_file": str(self._place / "metrics"),
            },
            jinja_template=[template],
        )

    # --- what happens

    def do(self, name: str) -> None:
        """One event. Raises StackError."""
        {
            "rotate": self._rotate,
            "read": self._read,
            "seal": self._seal,
            "unseal": self._unseal,
            "stop": self._stop,
            "start": self._start,
        }[name]()

    def _rotate(self) -> None:
        """Other AWS credentials, and another secret."""
        self.stack.imds_rotate(self._instance)
        if not self.away:
            self._new_secret()

    def _new_secret(self) -> None:
        self._password += 1
        self.stack.root("POST", "secret/data/soak", {"data": {"password": f"password-{self._password}"}})

    def _seal(self) -> None:
        self.away = True
        self.stack.seal()

    def _unseal(self) -> None:
        self.stack.unseal()
        self.away = False

    def _stop(self) -> None:
        self.away = True
        self.stack.stop_vault()

    def _start(self) -> None:
        self.stack.start_vault()
        self.away = False

    # --- its readers

    def _read(self) -> None:
        """Use what the sinks hold, as an application does."""
        if self.away:
            return
        token = self._text("token")
        self._judge("token", self.stack.vault.call("GET", "auth/token/lookup-self", None, token).status == 200)
        text = self._text("wrapped")
        if text != self._used:
            self._used = text
            answer = self.stack.vault.call("POST", "sys/wrapping/unwrap", {}, json.loads(text or "{}").get("token", ""))
            self._judge("wrapped token", answer.status == 200)
        # A secret is read anew every five minutes, so that the last but one may be there.
        recent = {f"password-{self._password - one}" for one in (0, 1)}
        self._judge("rendered file", self._text("password") in recent)

    def _text(self, name: str) -> str:
        """What a file holds; nothing, if it is not there."""
        file = self._place / name
        return file.read_text(encoding="ascii").strip() if file.exists() else ""

    def _judge(self, what: str, good: bool) -> None:
        self.reads[what] += good
        if not good:
            self.broken.append(what)


def seen_by_server(stack: Stack, since: int) -> dict[str, int]:
    """How many requests of each kind the audit log holds from entry ``since`` on."""
    kinds = {
        ("login", "update"): "logins",
        ("renew-self", "update"): "renewals",
        ("lookup-self", "read"): "lookups, the readers' too",
        ("soak", "read"): "reads for the template",
        ("wrap", "update"): "tokens wrapped",
    }
    found = dict.fromkeys(kinds.values(), 0)
    for entry in stack.audit()[since:]:
        kind = (entry["request"]["path"].rpartition("/")[2], entry["request"]["operation"])
        if entry["type"] == "request" and kind in kinds:
            found[kinds[kind]] += 1
    return found
