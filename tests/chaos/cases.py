# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What each fault in front of Vault comes to for whoever meets it, and what is promised for all of them."""

from __future__ import annotations

import contextlib
import enum
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.chaos import faults
from tests.chaos.proxy import Fault
from tests.chaos.trial import IN_TIME, MESSAGE, NO_WRONG_TOKEN, SMALL, Finding, Ground
from tests.live.agent.agents import Agents
from tests.live.agent.audit import Audit, mark_of

TIMEOUT = 2  # seconds: the option of all victims
SLACK = 3.0  # seconds that a busy machine may take on top of that
LARGEST = 220  # MiB of a process that was sent as much: Ansible's own are over 100
GROWTH = 24  # MiB that a process may grow by while it is sent as much
_LONGEST_MESSAGE = 1000  # characters
TTL = 60  # seconds: tokens of the roles of trials


class Ends(enum.Enum):
    """What a fault is to a login: nothing that stops it; something that passes; something that a person must change."""

    WELL = enum.auto()
    TRANSIENT = enum.auto()
    PERMANENT = enum.auto()


@dataclass(frozen=True)
class Case:
    """A fault, what it comes to, and what the message must say of it (a regular expression)."""

    fault: Fault
    ends: Ends
    says: str


_AWAY = "cannot be reached.*: .*check url, the network, and that the server runs"
_LATE = r"cannot be reached.*: no answer within \d+ s -- check url and the network"
_GARBLED = "Vault's answer .*check that url is a Vault server"

CASES = (
    Case(faults.REFUSED, Ends.TRANSIENT, _AWAY),
    Case(faults.SILENT, Ends.TRANSIENT, _LATE),
    Case(faults.RESET, Ends.TRANSIENT, "cannot be reached.*: .*check url"),
    Case(faults.SWALLOWED, Ends.TRANSIENT, _LATE),
    Case(faults.WITHHELD, Ends.TRANSIENT, _LATE),
    Case(faults.LOST, Ends.TRANSIENT, _AWAY),
    Case(faults.CUT_HEADERS, Ends.TRANSIENT, f"{_AWAY}|{_GARBLED}"),
    Case(faults.CUT_BODY, Ends.TRANSIENT, f"the answer ends early|{_AWAY}"),
    Case(faults.DRIP_HEADERS, Ends.TRANSIENT, _LATE),
    Case(faults.DRIP_BODY, Ends.TRANSIENT, _LATE),
    Case(faults.NO_TLS, Ends.PERMANENT, "does not speak TLS on this port: check url"),
    Case(faults.EXPIRED, Ends.PERMANENT, "renew the server's certificate, or set this host's clock"),
    Case(faults.ELSEWHERE, Ends.PERMANENT, "correct url, or set tls_server_name"),
    Case(faults.FOREIGN, Ends.PERMANENT, "set ca_cert"),
    Case(faults.PAGE_200, Ends.TRANSIENT, r"not a JSON object \(text/html\) .*-- check that url is a Vault server"),
    Case(faults.PAGE_502, Ends.TRANSIENT, "HTTP 502: .*what answered is not Vault: check url, and proxies"),
    Case(faults.EMPTY, Ends.TRANSIENT, _GARBLED),
    Case(faults.LIST, Ends.TRANSIENT, _GARBLED),
    Case(faults.THROTTLED, Ends.TRANSIENT, "HTTP 429: too many requests -- "),
    Case(faults.THROTTLED_1, Ends.TRANSIENT, "HTTP 429: too many requests -- "),
    Case(faults.THROTTLED_AGES, Ends.TRANSIENT, "HTTP 429: too many requests -- "),
    Case(faults.THROTTLED_WORDS, Ends.TRANSIENT, "HTTP 429: too many requests -- "),
    Case(faults.DR_SECONDARY, Ends.TRANSIENT, "HTTP 472: this is a DR secondary -- "),
    Case(faults.STANDBY, Ends.TRANSIENT, "HTTP 473: this is a performance standby -- "),
    Case(faults.UNINITIALISED, Ends.TRANSIENT, "HTTP 501: .*-- "),
    Case(faults.SEALED, Ends.TRANSIENT, "HTTP 503: Vault is sealed -- "),
    Case(faults.FAILED, Ends.TRANSIENT, "HTTP 500: internal error"),
    Case(faults.HUGE_BODY, Ends.PERMANENT, r"the answer is over \d+ bytes.* -- is url a Vault server"),
    Case(faults.ENDLESS_BODY, Ends.PERMANENT, r"the answer is over \d+ bytes.* -- is url a Vault server"),
    Case(faults.BOMB, Ends.PERMANENT, r"the answer is packed \(gzip\).* -- is url a Vault server"),
    Case(faults.ENDLESS_HEADERS, Ends.TRANSIENT, "check url"),
    Case(faults.ENDLESS_LINE, Ends.TRANSIENT, "check url"),
    Case(faults.ACTIVE, Ends.WELL, ""),
    Case(faults.LOOP, Ends.PERMANENT, "redirects once more.* -- set url to the active node's address"),
    Case(faults.TO_HTTP, Ends.PERMANENT, "redirects from https to http, .*: not followed -- set url"),
    Case(faults.TO_OTHER, Ends.PERMANENT, "set ca_cert"),
)

# For victims that take longer, one of each kind: what differs between the others is the core's, and seen at the module.
_ONE_OF_EACH = {
    faults.REFUSED,
    faults.SILENT,
    faults.WITHHELD,
    faults.LOST,
    faults.CUT_BODY,
    faults.DRIP_BODY,
    faults.EXPIRED,
    faults.FOREIGN,
    faults.PAGE_200,
    faults.PAGE_502,
    faults.THROTTLED,
    faults.THROTTLED_AGES,
    faults.SEALED,
    faults.HUGE_BODY,
    faults.BOMB,
    faults.ENDLESS_LINE,
    faults.ACTIVE,
    faults.LOOP,
    faults.TO_OTHER,
}
ONE_OF_EACH = tuple(case for case in CASES if case.fault in _ONE_OF_EACH)


@dataclass(frozen=True)
class Role:
    """A role of one trial, and what the audit log has of it."""

    name: str
    audit: Audit

    def logins(self) -> int:
        """Login requests so far, whatever came of them."""
        return len(self.audit.logins(self.name))

    def owns(self, token: str) -> bool:
        """Whether a token is a live one of this role."""
        stack = self.audit.stack
        answer = stack.vault.call("POST", "auth/token/lookup", {"token": token}, stack.root_token())
        return answer.status == 200 and mark_of(self.name) in answer.body["data"]["policies"]


@contextlib.contextmanager
def role(ground: Ground, mount: str = "aws", **parameters: object) -> Iterator[Role]:
    """A role of type iam for this trial alone, whose tokens live for ``TTL``."""
    stack = ground.stack
    name = f"chaos-{ground.random.randrange(10**12)}"
    principal = f"arn:aws:iam::{stack.env['STACK_ACCOUNT_ID']}:user/client"
    given = {
        "auth_type": "iam",
        "bound_iam_principal_arn": principal,
        "token_ttl": f"{TTL}s",
        "token_max_ttl": "1h",
        "token_policies": ["demo-read", mark_of(name)],
        **parameters,
    }
    stack.root("PUT", f"auth/{mount}/role/{name}", given)
    try:
        yield Role(name, Audit(stack))
    finally:
        stack.root("DELETE", f"auth/{mount}/role/{name}")


def clear(case: Case, text: str, named: str) -> Finding:
    """Whether a message says what the fault was, where, and what to do. named: what it must name (an address)."""
    line = " ".join(text.split())
    # On a busy machine, the deadline may come before what passes was tried often enough.
    says = f"{case.says}|{_LATE}" if case.ends is Ends.TRANSIENT else case.says
    problems = [
        word
        for word, wrong in (
            ("does not say what to do", not re.search(says, line)),
            ("does not name the server", named not in line),
            ("has a traceback", "Traceback" in text),
            ("is long", len(line) > _LONGEST_MESSAGE),
        )
        if wrong
    ]
    return Finding(MESSAGE, not problems, f"{line[:400]}{' (' + ', '.join(problems) + ')' if problems else ''}")


def in_time(seconds: float, bound: float) -> Finding:
    """Whether it was over in time."""
    return Finding(IN_TIME, seconds <= bound, f"{seconds:.1f} s of at most {bound:.1f} s", seconds)


def right_token(role: Role, token: str) -> Finding:
    """Whether a token that was handed out is one of the role, and whole."""
    return Finding(NO_WRONG_TOKEN, role.owns(token), "a token of the role" if token else "no token")


def peak() -> float:
    """MiB that this process had at most since ``forget_peak``."""
    return _status("VmHWM", "self")


def now(pid: int) -> float:
    """MiB that a process has."""
    return _status("VmRSS", str(pid))


def most(pid: int) -> float:
    """MiB that a process had at most."""
    return _status("VmHWM", str(pid))


def forget_peak() -> float:
    """Begin ``peak`` anew (proc_pid_clear_refs(5)); MiB that this process has now."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return _status("VmRSS", "self")


def bounded(mib: float, bound: float) -> Finding:
    """Whether memory stayed within a bound."""
    return Finding(SMALL, mib <= bound, f"{mib:.0f} MiB of at most {bound:.0f} MiB", mib)


def _status(name: str, pid: str) -> float:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    return 0.0


def agents_of(ground: Ground) -> Agents:
    """Makes agents in the folder of a trial."""
    return Agents(ground.stack, ground.folder)
