# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One agent as a service of a booted host: configured, started, killed, and looked at from all sides."""

from __future__ import annotations

import contextlib
import datetime
import itertools
import json
import os
import signal
import time
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

from tests.fleet.host import Host
from tests.fleet.library import PYTHONPATH
from tests.stack.handle import Stack

from . import unit

Json = dict[str, t.Any]

_NUMBERS = itertools.count(1)
_UNREAD = 1.0  # seconds before a busy server reads a request, whose sender may have died meanwhile
_UNTOLD = 0.2  # seconds before a busy test writes down that it has killed


@dataclass
class Service:
    """An agent that is not started yet.

    instance: where it runs, as AWS sees it. role: parameters of its role on the server, which has a TTL of an hour if
    they say nothing else. options, method, sinks: for its configuration, which has one sink anyway. more: for its unit.
    """

    host: Host
    stack: Stack
    kind: str  # iam or ec2
    instance: str
    role: t.Mapping[str, t.Any] = field(default_factory=dict)
    options: t.Mapping[str, t.Any] = field(default_factory=dict)
    method: t.Mapping[str, t.Any] = field(default_factory=dict)
    more: t.Sequence[str] = ()
    sinks: t.Sequence[Json] = ()
    name: str = ""

    def __post_init__(self) -> None:
        self.name = f"{self.kind}-{os.getpid()}-{next(_NUMBERS)}"  # the server may know those of earlier runs
        self.tokens: set[str] = set()
        bound = (
            {"auth_type": "ec2", "bound_account_id": self.stack.env["STACK_ACCOUNT_ID"]}
            if self.kind == "ec2"
            else {"auth_type": "iam", "bound_iam_principal_arn": self.stack.env["STACK_APP_ROLE_ARN"]}
        )
        times = {"token_ttl": "1h", "token_max_ttl": "2h"}
        parameters = {"token_policies": "demo-read", **bound, **times, **self.role}
        self.stack.root("PUT", f"auth/aws/role/{self.name}", parameters)
        self.stack.delete_accesslist(self.instance)
        self.stack.imds_reset(self.instance)  # its credentials end an hour after they were first asked for
        self.put()

    def put(self) -> None:
        """Put it onto the host."""
        self.host.run(["useradd", "--system", "--user-group", "--no-create-home", self.name])
        self.host.write("/etc/vault-agent/ca.pem", Path(self.stack.env["VAULT_CACERT"]).read_text(encoding="ascii"))
        self.configure()
        self.install()

    # --- its files

    @property
    def path(self) -> str:
        """The configuration."""
        return f"/etc/vault-agent/{self.name}.json"

    def configure(self, **more: t.Any) -> None:
        """Write the configuration; ``more`` is for its top."""
        login = {"type": self.kind, "role": self.name, **self.options}
        if self.kind == "iam":
            login["header_value"] = self.stack.env["STACK_HEADER_VALUE"]
        config = {
            "vault": {"address": self.stack.env["VAULT_ADDR"], "ca_cert": "/etc/vault-agent/ca.pem"},
            "auto_auth": {
                "method": {"type": "aws", "config": login, **self.method},
                "sink": [
                    {"type": "file", "config": {"path": f"/run/{self.name}/token", "mode": "0640"}},
                    *({"type": "file", "config": sink} for sink in self.sinks),
                ],
            },
            **more,
        }
        self.host.write(self.path, json.dumps(config))

    def install(self, *more: str) -> None:
        """Write the unit, with ``more`` settings of the service; enabled, as the store of one that is not goes."""
        endpoint = f"Environment=AWS_EC2_METADATA_SERVICE_ENDPOINT={self.stack.imds_endpoint(self.instance)}"
        path = f"/etc/systemd/system/{self.name}.service"
        self.host.write(path, unit.text(self.name, [endpoint, *self.more, *more]))
        self.host.run(["systemctl", "enable", self.name])
        self.host.run(["systemctl", "daemon-reload"])

    # --- its life

    def systemctl(self, *arguments: str, timeout: float = 30.0) -> None:
        """A command of systemctl upon it."""
        self.host.run(["systemctl", *arguments, self.name], timeout=timeout)

    def start(self) -> str:
        """Start it, which takes until it is ready; the token that its sink then holds."""
        self.systemctl("start")
        if self.sinks:  # it is ready when one of them holds the token
            self.until(lambda: self.file("token").exists(), "its own sink is not written")
        return self.token()

    def main(self, but: int = 0) -> int:
        """Its main process as this machine counts, other than ``but``; 0 if there is none now."""
        procs = self.host.group / "payload" / "system.slice" / f"{self.name}.service" / "cgroup.procs"
        with contextlib.suppress(OSError):  # all of it may go at any moment
            for pid in procs.read_text(encoding="ascii").split():
                with contextlib.suppress(OSError):
                    stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2]
                    if int(stat.split()[1]) == self.host.leader and int(pid) != but:
                        return int(pid)
        return 0

    def send(self, number: signal.Signals) -> int:
        """Send a signal to its main process, and return that."""
        pid = self.main()
        assert pid, f"{self.name} does not run"
        os.kill(pid, number)
        return pid

    def revive(self, number: signal.Signals = signal.SIGKILL) -> None:
        """End it by a signal, and wait until it is back and ready."""
        before = self.send(number)
        self.until(lambda: self.main(before), "it did not come back")
        self.active()

    def active(self) -> None:
        """Wait until it is ready."""
        self.until(lambda: self.show("ActiveState") == "active", "it is not ready")

    def until(self, condition: t.Callable[[], object], failure: str, seconds: float = 40.0) -> None:
        """Wait until ``condition`` is true, far longer than it takes where nothing else runs."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"{failure}\n{self.show('StatusText')}\n{self.journal_text()[-4000:]}"
            time.sleep(0.05)

    def judge_secrecy(self) -> None:
        """Look for its secrets in all that it tells."""
        secrets = {record["token"] for record in self.records().values() if "token" in record} | self.tokens
        if self.kind == "ec2":
            secrets.add(self.entry()["client_nonce"])
        told = {"journal": self.journal_text(), "STATUS": self.show("StatusText")}
        if self.file("status.json").exists():
            told["status"] = json.dumps(self.status())
        for place, text in told.items():
            assert "Traceback" not in text, f"{self.name}: a traceback is in its {place}:\n{text}"
            for secret in secrets:
                assert secret not in text, f"{self.name}: a secret is in its {place}"

    def settle(self) -> None:
        """Wait until the first looks at a new token are over."""
        self.until(lambda: (self.status()["token"] or {}).get("lookup_allowed"), "the token was not looked up")
        # What replaces another one is in the store beside it for a moment.
        expected = ["vf-nonce", "vf-token"] if self.kind == "ec2" else ["vf-token"]
        self.until(
            lambda: sorted(name.rpartition("-")[0] for name in self.records()) == expected,
            "the store holds more or less than it should",
        )

    def holds(self, name: str, text: str) -> None:
        """Wait until a file of its runtime directory holds ``text``."""
        file = self.file(name)
        self.until(lambda: file.exists() and file.read_text(encoding="ascii") == text, f"{name} does not hold the text")

    def remove(self) -> None:
        """End it, and forget all that the host and the server know of it."""
        self.host.run(["systemctl", "disable", "--now", self.name], check=False)
        self.stack.root("DELETE", f"auth/aws/role/{self.name}")

    # --- what is seen of it

    def show(self, name: str) -> str:
        """A property of the unit."""
        return self.host.run(["systemctl", "show", "--value", f"--property={name}", self.name]).stdout.strip()

    def file(self, name: str) -> Path:
        """A file of its runtime directory, as this machine sees it."""
        return Path(f"/proc/{self.host.leader}/root/run/{self.name}/{name}")

    def token(self) -> str:
        """What the sink holds; it must be there."""
        token = self.file("token").read_text(encoding="ascii")
        self.tokens.add(token)
        return token

    def tells(self, text: str) -> None:
        """Wait until its STATUS has ``text``: it is told after it is ready, and after a reload has ended."""
        self.until(lambda: text in self.show("StatusText"), f"STATUS does not tell {text!r}")

    def status(self) -> Json:
        """What it last told of itself, which it writes down after it has told systemd."""
        return dict(json.loads(self.file("status.json").read_text(encoding="utf-8")))

    def command(self, *arguments: str, check: bool = True) -> str:
        """What a command of the agent's command line prints, run by root."""
        command = ["env", f"PYTHONPATH={PYTHONPATH}", "python3", "-m", f"{unit.PACKAGE}.cli", *arguments]
        return self.host.run(command, check=check).stdout

    def journal(self) -> list[Json]:
        """Its entries in the journal."""
        self.host.run(["journalctl", "--sync"])
        text = self.host.run(["journalctl", "--output=json", "--all", f"--unit={self.name}"]).stdout
        return [json.loads(line) for line in text.splitlines()]

    def journal_text(self) -> str:
        """Its messages in the journal."""
        return "\n".join(str(entry["MESSAGE"]) for entry in self.journal())

    def records(self) -> dict[str, Json]:
        """What systemd holds for it, name -> record; nothing where it has no command that tells (before 254)."""
        # Only the manager has the memory; which service it is of is known by the number in the kernel.
        dump = self.host.run(["systemd-analyze", "fdstore", "--json=short", self.name], check=False).stdout
        held = {str(row["inode"]): str(row["fdname"]) for row in json.loads(dump or "[]")}
        found = {}
        for link in Path(f"/proc/{self.host.leader}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):
                inode = str(link.stat().st_ino)
                if "memfd:" in str(link.readlink()) and inode in held:
                    found[held[inode]] = json.loads(link.read_bytes())
        return found

    def nonce(self) -> str:
        """The nonce that systemd holds for it."""
        (nonce,) = (record["nonce"] for name, record in self.records().items() if name.startswith("vf-nonce-"))
        return str(nonce)

    # --- what the server saw of it

    def works(self) -> bool:
        """Whether the token in the sink does what it is for."""
        return self.stack.vault.call("GET", "secret/data/demo", token=self.token()).status == 200

    def entry(self) -> Json:
        """The server's memory of its instance's first login."""
        return dict(self.stack.root("GET", f"auth/aws/identity-accesslist/{self.instance}")["data"])

    def logins(self) -> list[float]:
        """When it asked for a login, in seconds since the epoch."""
        return [parsed(entry["time"]) for entry in self._login_entries("request")]

    def refusals(self, deaths: t.Sequence[float] = ()) -> list[str]:
        """What logins of it were refused for. deaths: when it was killed, in seconds since the epoch.

        A login under way at a death was not refused: the server sees that nobody waits for it any more and gives up, in
        words that depend on what it was doing (seen: "context canceled", "internal error").
        """
        answers = self._login_entries("response")  # before the requests, so that each has its own
        begun = {entry["request"]["id"]: parsed(entry["time"]) for entry in self._login_entries("request")}
        refused = []
        for entry in answers:
            since, until = begun[entry["request"]["id"]] - _UNREAD, parsed(entry["time"]) + _UNTOLD
            if "client_token" not in entry.get("auth", {}) and not any(since <= death <= until for death in deaths):
                # The server's own error, or what the AWS method answered.
                refused.append(entry.get("error") or str(entry.get("response", {}).get("data", {}).get("error")))
        return refused

    def _login_entries(self, kind: str) -> list[Json]:
        digest = self.stack.root("POST", "sys/audit-hash/to-file", {"input": self.name})["hash"]
        return [
            entry
            for entry in self.stack.audit()
            if entry["type"] == kind
            and entry["request"]["path"] == "auth/aws/login"
            and entry["request"].get("data", {}).get("role") == digest
        ]


def parsed(text: str) -> float:
    """A time as the server writes it, in seconds since the epoch."""
    return datetime.datetime.fromisoformat(text).timestamp()
