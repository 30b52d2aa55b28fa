# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Faults in front of the instance metadata service, for logins of type ec2."""

from __future__ import annotations

import contextlib
import functools
import os
import time
from collections.abc import Iterator

from tests.chaos import cases, faults, proxied_agent
from tests.chaos.cases import Case, Ends
from tests.chaos.proxy import Proxy
from tests.chaos.trial import LOGIN_RATE, NO_SECRET, NO_TORN_SINK, RECOVERY, Finding, Ground, Trial
from tests.live import inprocess

GROUP = "metadata x module, agent"
# One read may take AWS_METADATA_SERVICE_TIMEOUT (1 s), an answer four times that, and each is asked for twice.
_LONGEST = 14.0  # seconds
_WHICH = ("api/token", "instance-identity/document", "instance-identity/signature")

CASES = (
    Case(faults.REFUSED, Ends.TRANSIENT, "there is no instance metadata service at"),
    Case(faults.SILENT, Ends.TRANSIENT, "does not arrive|does not answer|no instance metadata service"),
    Case(faults.RESET, Ends.TRANSIENT, "there is no instance metadata service at"),
    Case(faults.SWALLOWED, Ends.TRANSIENT, "does not arrive|does not answer"),
    Case(faults.LOST, Ends.TRANSIENT, "there is no instance metadata service at"),
    Case(faults.CUT_HEADERS, Ends.TRANSIENT, "metadata service"),
    Case(faults.CUT_BODY, Ends.TRANSIENT, "metadata service"),
    Case(faults.DRIP_HEADERS, Ends.TRANSIENT, "metadata service"),
    Case(faults.DRIP_BODY, Ends.TRANSIENT, "metadata service"),
    Case(faults.PAGE_200, Ends.PERMANENT, "metadata service|the server refuses"),
    Case(faults.PAGE_502, Ends.TRANSIENT, "metadata service"),
    Case(faults.EMPTY, Ends.TRANSIENT, "metadata service"),
    Case(faults.THROTTLED, Ends.TRANSIENT, "metadata service"),
    Case(faults.SEALED, Ends.TRANSIENT, "metadata service"),
    Case(faults.FAILED, Ends.TRANSIENT, "metadata service"),
    Case(faults.HUGE_BODY, Ends.PERMANENT, "metadata service"),
    Case(faults.ENDLESS_BODY, Ends.PERMANENT, "metadata service"),
    Case(faults.BOMB, Ends.PERMANENT, "metadata service"),
    Case(faults.ENDLESS_HEADERS, Ends.TRANSIENT, "metadata service"),
    Case(faults.ENDLESS_LINE, Ends.TRANSIENT, "metadata service"),
    Case(faults.TO_OTHER, Ends.PERMANENT, "metadata service"),
)
_FOR_AGENTS = (faults.REFUSED, faults.RESET, faults.CUT_BODY, faults.PAGE_502, faults.FAILED, faults.HUGE_BODY)


def trials() -> list[Trial]:
    """One for each fault and the module; for some, the agent."""
    return [
        *(Trial(GROUP, f"metadata: {case.fault.name} x module", functools.partial(_module, case), 8) for case in CASES),
        *(
            Trial(GROUP, f"metadata: {case.fault.name} x agent", functools.partial(_agent, case), 14)
            for case in CASES
            if case.fault in _FOR_AGENTS
        ),
    ]


@contextlib.contextmanager
def _before(ground: Ground) -> Iterator[tuple[Proxy, Proxy]]:
    """A proxy in front of an instance's metadata service, and one that nobody may ask."""
    instance = ground.stack.instances[0]
    ground.stack.delete_accesslist(instance)
    with Proxy(ground.stack.imds_endpoint(instance)) as proxy, Proxy(ground.stack.imds_endpoint()) as trap:
        proxy.traps = {"https": trap.url, "http": trap.url}
        os.environ["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = proxy.url
        os.environ["AWS_EC2_METADATA_DISABLED"] = "false"
        try:
            yield proxy, trap
        finally:
            ground.stack.delete_accesslist(instance)


def _module(case: Case, ground: Ground) -> list[Finding]:
    account = ground.stack.env["STACK_ACCOUNT_ID"]
    with (
        _before(ground) as (proxy, trap),
        cases.role(ground, auth_type="ec2", bound_iam_principal_arn=[], bound_account_id=account) as role,
    ):
        sink = ground.folder / "sink"
        options = {
            "url": ground.stack.env["VAULT_ADDR"],
            "ca_cert": ground.stack.env["VAULT_CACERT"],
            "type": "ec2",
            "role": role.name,
            "timeout": 5,
            "retries": 1,
            "min_ttl": 10,
            "sink": {"path": str(sink)},
        }
        which = ground.random.choice(_WHICH)
        proxy.begin(case.fault, path="" if case.fault.stage.name != "REQUEST" else which)
        base = cases.forget_peak()
        start = time.monotonic()
        result = inprocess.run(options)
        seconds = time.monotonic() - start
        grown = cases.peak() - base
        logins = role.logins()
        untouched = not sink.exists()
        proxy.clear()
        again = inprocess.run(options)
        token = sink.read_text(encoding="ascii") if sink.exists() else ""
        return [
            cases.in_time(seconds, _LONGEST),
            cases.bounded(grown, cases.GROWTH),
            Finding(NO_TORN_SINK, untouched, "there is no sink"),
            # A page in place of the document is something that Vault refuses.
            Finding(LOGIN_RATE, logins <= 1, f"{logins} logins of at most 1, the fault at {which}", logins),
            cases.clear(case, str(result["msg"]) if result.get("failed") else f"it worked, {which}", proxy.url),
            Finding(NO_SECRET, not trap.asked, f"{len(trap.asked)} requests to where a redirect leads"),
            Finding(RECOVERY, not again.get("failed"), str(again.get("msg") or "when run again")),
            cases.right_token(role, token),
        ]


def _agent(case: Case, ground: Ground) -> list[Finding]:
    with _before(ground) as (proxy, _trap):
        agents = cases.agents_of(ground)
        try:
            agent = agents.ec2(ground.stack.instances[0], method={"max_backoff": f"{proxied_agent.MAX_BACKOFF:.0f}s"})
            agent.environ["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = proxy.url
            return proxied_agent.faulty(case, agent, proxy, True, "", proxy.url)
        finally:
            agents.close()
