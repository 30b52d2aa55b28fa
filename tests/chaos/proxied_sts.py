# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Faults between Vault and STS, which Vault's AWS method asks on our behalf: what we make of its answers.

An endless answer of STS is left out: it is Vault's memory that it would fill.
"""

from __future__ import annotations

import configparser
import contextlib
import functools
import time
from collections.abc import Iterator

from tests.chaos import cases, faults, proxied_agent
from tests.chaos.cases import SLACK, Case, Ends
from tests.chaos.proxy import Proxy
from tests.chaos.trial import LOGIN_RATE, NO_TORN_SINK, RECOVERY, Finding, Ground, Trial
from tests.live import inprocess
from tests.live.agent.audit import mark_of
from tests.live.core import keys

GROUP = "STS x module, agent"
TIMEOUT = 4  # seconds: Vault itself tries again
RETRIES = 2

CASES = (
    Case(faults.REFUSED, Ends.TRANSIENT, "config/client"),
    Case(faults.RESET, Ends.TRANSIENT, "config/client"),
    Case(faults.SWALLOWED, Ends.TRANSIENT, "no answer within|config/client"),
    Case(faults.LOST, Ends.TRANSIENT, "config/client"),
    Case(faults.CUT_HEADERS, Ends.TRANSIENT, "config/client"),
    Case(faults.CUT_BODY, Ends.TRANSIENT, "-- "),
    Case(faults.DRIP_BODY, Ends.TRANSIENT, "no answer within|-- "),
    Case(faults.PAGE_200, Ends.PERMANENT, "sts_endpoint.*config/client|config/client.*sts_endpoint"),
    Case(faults.PAGE_502, Ends.TRANSIENT, "-- "),
    Case(faults.EMPTY, Ends.PERMANENT, "-- "),
    Case(faults.THROTTLED, Ends.TRANSIENT, "limiting|config/client"),  # Vault tells no status
    Case(faults.SEALED, Ends.TRANSIENT, "-- "),
    Case(faults.FAILED, Ends.TRANSIENT, "-- "),
    Case(faults.LOOP, Ends.PERMANENT, "-- "),
)
_FOR_AGENTS = (faults.REFUSED, faults.RESET, faults.PAGE_200, faults.THROTTLED, faults.FAILED)


def trials() -> list[Trial]:
    """One for each fault and the module; for some, the agent."""
    return [
        *(Trial(GROUP, f"STS: {case.fault.name} x module", functools.partial(_module, case), 9) for case in CASES),
        *(
            Trial(GROUP, f"STS: {case.fault.name} x agent", functools.partial(_agent, case), 14)
            for case in CASES
            if case.fault in _FOR_AGENTS
        ),
    ]


@contextlib.contextmanager
def _behind(ground: Ground) -> Iterator[tuple[Proxy, str]]:
    """A mount of the method whose STS is behind a proxy; the proxy, and the mount's name."""
    stack = ground.stack
    real = stack.env["STACK_AWS_ENDPOINT"]
    mount = f"aws-{ground.random.randrange(10**9)}"
    operator = configparser.ConfigParser(interpolation=None)
    operator.read(stack.env["STACK_OPERATOR_CREDENTIALS_FILE"])
    with Proxy(real) as proxy:
        stack.root("PUT", f"sys/auth/{mount}", {"type": "aws"})
        try:
            settings = {
                "access_key": operator["default"]["aws_access_key_id"],
                "secret_key": operator["default"]["aws_secret_access_key"],
                "endpoint": real,
                "iam_endpoint": real,
                "sts_endpoint": proxy.url,
                "sts_region": "us-east-1",
                "max_retries": 0,
            }
            stack.root("PUT", f"auth/{mount}/config/client", settings)
            yield proxy, mount
        finally:
            proxy.clear()
            stack.root("DELETE", f"sys/auth/{mount}")


def _module(case: Case, ground: Ground) -> list[Finding]:
    with _behind(ground) as (proxy, mount), cases.role(ground, mount) as role:  # pylint: disable=used-before-assignment
        sink = ground.folder / "sink"
        options = {
            "url": ground.stack.env["VAULT_ADDR"],
            "ca_cert": ground.stack.env["VAULT_CACERT"],
            "mount_path": mount,
            "role": role.name,
            "timeout": TIMEOUT,
            "retries": RETRIES,
            "min_ttl": 10,
            "sink": {"path": str(sink)},
            **keys(ground.stack)._asdict(),
        }
        proxy.begin(case.fault)
        start = time.monotonic()
        result = inprocess.run(options)
        seconds = time.monotonic() - start
        made = role.logins()
        untouched = not sink.exists()
        proxy.clear()
        again = inprocess.run(options)
        token = sink.read_text(encoding="ascii") if sink.exists() else ""
        most = 1 + RETRIES if case.ends is Ends.TRANSIENT else 1
        return [
            cases.in_time(seconds, TIMEOUT + SLACK),
            Finding(NO_TORN_SINK, untouched, "there is no sink"),
            Finding(LOGIN_RATE, made <= most, f"{made} logins of at most {most}", made),
            cases.clear(case, str(result["msg"]) if result.get("failed") else "it worked", mount),
            Finding(RECOVERY, not again.get("failed"), str(again.get("msg") or "when run again")),
            cases.right_token(role, token),
        ]


def _agent(case: Case, ground: Ground) -> list[Finding]:
    with _behind(ground) as (proxy, mount):
        agents = cases.agents_of(ground)
        try:
            agent = agents.iam(
                method={"max_backoff": f"{proxied_agent.MAX_BACKOFF:.0f}s", "mount_path": f"auth/{mount}"}
            )
            principal = f"arn:aws:iam::{ground.stack.env['STACK_ACCOUNT_ID']}:user/client"
            # The agent's own role is on the usual mount.
            given = {"auth_type": "iam", "bound_iam_principal_arn": principal, "token_ttl": "4s", "token_max_ttl": "9s"}
            policies = ["demo-read", mark_of(agent.name)]
            ground.stack.root("PUT", f"auth/{mount}/role/{agent.name}", {**given, "token_policies": policies})
            return proxied_agent.faulty(case, agent, proxy, True, "", mount)
        finally:
            agents.close()
