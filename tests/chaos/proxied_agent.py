# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Faults in front of Vault for the agent, a real process: at its first login, or while it keeps its token fresh."""

from __future__ import annotations

import functools
import re
import threading
import time
import typing as t
from collections.abc import Callable

from tests.chaos import cases, faults
from tests.chaos.cases import CASES, TIMEOUT, Case, Ends
from tests.chaos.place import before_vault, untrapped
from tests.chaos.proxy import Proxy, Stage
from tests.chaos.trial import LOGIN_RATE, NO_TORN_SINK, NONCE_KEPT, RECOVERY, Finding, Ground, Trial
from tests.live.agent.agents import Agents
from tests.live.agent.audit import hammers, mark_of
from tests.live.agent.process import Agent

GROUP = "Vault x agent"
MAX_BACKOFF = 2.0  # seconds
_SLACK = 5.0  # seconds of a busy machine
_MOST = 128.0  # MiB: an agent alone has about 45
_PATIENCE = 20.0  # seconds until the fault was met twice, and until the agent is back
# The server made a login whose answer was lost: the next needs the nonce of the first.
_NONCE_AT_STAKE = (faults.WITHHELD, faults.LOST, faults.CUT_HEADERS, faults.CUT_BODY, faults.DRIP_BODY)


def trials() -> list[Trial]:
    """One for each fault; with an instance identity where a nonce is at stake."""
    made = [Trial(GROUP, f"{case.fault.name} x agent", functools.partial(_run, case, False), 14) for case in CASES]
    ec2 = [case for case in CASES if case.fault in _NONCE_AT_STAKE]
    return [
        *made,
        *(
            Trial(GROUP, f"{case.fault.name} x agent of type ec2", functools.partial(_run, case, True), 14)
            for case in ec2
        ),
    ]


def _run(case: Case, ec2: bool, ground: Ground) -> list[Finding]:
    with before_vault(ground) as proxy:
        agents = cases.agents_of(ground)
        try:
            agent = _agent(agents, proxy, ground, ec2)
            at_first = ec2 or ground.random.random() < 0.5
            found = faulty(case, agent, proxy, at_first, "login|renew-self", proxy.url)
            return [*found, untrapped(proxy), *([_nonce(agent)] if ec2 else [])]
        finally:
            agents.close()


def _agent(agents: Agents, proxy: Proxy, ground: Ground, ec2: bool) -> Agent:
    wishes: dict[str, t.Any] = {
        "vault": {"address": proxy.url, "ca_cert": ground.stack.env["VAULT_CACERT"]},
        "method": {"max_backoff": f"{MAX_BACKOFF:.0f}s"},
    }
    return agents.ec2(ground.stack.instances[0], **wishes) if ec2 else agents.iam(**wishes)


def faulty(case: Case, agent: Agent, proxy: Proxy, at_first: bool, sign: str, named: str) -> list[Finding]:
    """Let an agent meet a fault at its first login, or when it has a token already.

    sign: a regular expression of the path of the request that works again first. named: what a message must name.
    """
    environ = {"VAULT_CLIENT_TIMEOUT": str(TIMEOUT)}
    with Watch(agent) as watch:
        if at_first:
            proxy.begin(case.fault)
            agent.start(**environ)
        else:
            agent.start(**environ).serves()
            proxy.begin(case.fault)
        begun = time.monotonic()
        if case.fault.stage is Stage.LISTEN:
            time.sleep(3.5)
        else:
            # A fault that stops nothing is met again with the next renewal.
            _until(lambda: proxy.hits >= 2, agent)
        lasted = time.monotonic() - begun
        proxy.clear()
        pid = agent.process.pid if agent.process else 0
        _until(lambda: bool(proxy.answered(sign, proxy.over_at)), agent)
        _until(agent.works, agent)
        back = proxy.answered(sign, proxy.over_at)[0].at - proxy.over_at
        memory = cases.most(pid)
        watch.look()
    agent.stop(10)
    log = agent.log()
    # What a server asks for with Retry-After comes on top, up to as much again; a request that waits ends first.
    bound = MAX_BACKOFF + 2 * TIMEOUT + _SLACK + (MAX_BACKOFF if "Retry-After 31" in case.fault.name else 0)
    if case.ends is Ends.WELL:
        bound = 4.0 + _SLACK  # nothing is amiss: the next renewal of a token of 4 s
    logins = agent.login_times()
    found = [
        Finding(RECOVERY, back <= bound, f"back after {back:.1f} s of at most {bound:.0f} s", back),
        Finding(NO_TORN_SINK, not watch.wrong, "; ".join(watch.wrong) or f"{len(watch.seen)} whole tokens in the sink"),
        Finding(
            LOGIN_RATE,
            not hammers(logins),
            f"{len(logins)} logins, {proxy.hits} attempts that met the fault in {lasted:.0f} s",
            len(logins),
        ),
        cases.bounded(memory, _MOST),
    ]
    if case.ends is not Ends.WELL:
        lines = [line for line in log.splitlines() if re.search(case.says, line)]
        said = re.sub(r"^\S+ +\S+ +", "", lines[-1]) if lines else log[-300:]
        found.append(cases.clear(case, "Traceback" if "Traceback" in log else said, named))
    return found


def _nonce(agent: Agent) -> Finding:
    """The server lets an instance in again only with the nonce of its first login."""
    told = agent.log()
    refused = bool(re.search("identity-accesslist|nonce (mismatch|differs)", told))
    return Finding(NONCE_KEPT, not refused, "the server took the nonce of the first login again")


def _until(condition: Callable[[], object], agent: Agent) -> None:
    give_up = time.monotonic() + _PATIENCE
    while not condition():
        assert agent.process is not None
        assert agent.process.poll() is None, f"the agent ended: {agent.log()[-600:]}"
        assert time.monotonic() < give_up, f"not within {_PATIENCE:.0f} s: {agent.log()[-600:]}"
        time.sleep(0.05)


class Watch:
    """Looks at an agent's sink all the time. seen: tokens that were in it. wrong: what must not be in it."""

    def __init__(self, agent: Agent) -> None:
        self.seen: set[str] = set()
        self.wrong: list[str] = []
        self._agent = agent
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_args: object) -> None:
        self._over.set()
        self._thread.join()

    def look(self) -> None:
        """One look: a token that was not seen before must be one of the agent's role."""
        token = self._agent.token()
        if not token or token in self.seen:
            return
        self.seen.add(token)
        stack = self._agent.stack
        answer = stack.vault.call("POST", "auth/token/lookup", {"token": token}, stack.root_token())
        if answer.status != 200:
            self.wrong.append(f"{len(token)} characters that are no token: {answer.status}")
        elif mark_of(self._agent.name) not in answer.body["data"]["policies"]:
            self.wrong.append("a token of another role")

    def _watch(self) -> None:
        while not self._over.wait(0.05):
            self.look()
