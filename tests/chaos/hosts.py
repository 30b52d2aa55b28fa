# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The agent as a service of a booted host: killed, without room in /run, with a clock that steps, rebooted."""

from __future__ import annotations

import concurrent.futures
import contextlib
import functools
import os
import random
import time
import typing as t
from collections.abc import Callable, Iterator

from tests.chaos.clocks import CLOCK, WAYS
from tests.chaos.trial import (
    LOGIN_RATE,
    NO_TORN_SINK,
    NO_WRONG_TOKEN,
    NONCE_KEPT,
    RECOVERY,
    Finding,
    Ground,
    LeftOut,
    Trial,
)
from tests.chaos.victims import LONG, LONGEST_PAUSE_OF_A_SINK, SLACK, Reader, rate, recovery, told
from tests.fleet import clock, library
from tests.fleet.agent import kills
from tests.fleet.agent.service import Service
from tests.fleet.host import Host, booted

GROUP = "hosts"
SHORT = {"token_ttl": "5s", "token_max_ttl": "10s"}  # renewed, then replaced
SHORTEST_LIFE = 5.0  # seconds before the end of which no login is due
BACKOFF = 4  # seconds; max_backoff
MARK = "demo-read"  # the policy of the tokens
SMALL = "8M"  # of /run


def trials() -> list[Trial]:
    """All of them; they take root's rights, to boot a host."""
    return [
        Trial(GROUP, "services (ec2, iam) killed at random moments", functools.partial(killed, times=8), 35),
        Trial(GROUP, "no room in /run", full, 30),
        *(
            Trial(GROUP, f"an hour {way} under a service", functools.partial(stepped, step=step), 35)
            for way, step in WAYS.items()
        ),
        Trial(GROUP, "reboot", rebooted, 25),
    ]


@contextlib.contextmanager
def _host() -> Iterator[Host]:
    """A host with the agent's code."""
    if os.geteuid() != 0:
        raise LeftOut("hosts are booted by root")
    with booted("trixie", binds=library.binds("trixie")) as host:
        library.install(host)
        yield host


@contextlib.contextmanager
def _service(ground: Ground, host: Host, kind: str, number: int = 0, **wishes: t.Any) -> Iterator[Service]:
    """An agent on a host, as the stack's instance of that number, which tells no secret (AssertionError)."""
    service = Service(host, ground.stack, kind, ground.stack.instances[number], **wishes)
    try:
        yield service
        service.judge_secrecy()
    finally:
        service.remove()


def returns(condition: Callable[[], bool], seconds: float = 60.0) -> float:
    """Wait for it; how long that took, infinite if it did not come."""
    begun = time.monotonic()
    while time.monotonic() < begun + seconds:
        with contextlib.suppress(OSError, ValueError):
            if condition():
                return time.monotonic() - begun
        time.sleep(0.05)
    return float("inf")


def killed(ground: Ground, times: int) -> list[Finding]:
    """What systemd keeps is enough: whatever the moment, readers see nothing of it, and each login has a reason."""
    with (
        _host() as host,
        _service(ground, host, "ec2", 0, role=SHORT) as node,
        _service(ground, host, "iam", 1, role=SHORT) as user,
        concurrent.futures.ThreadPoolExecutor() as pool,
    ):
        for service in (node, user):
            service.start()
        nonce = node.nonce()
        draws = [(service, random.Random(ground.random.random())) for service in (node, user)]
        runs = [pool.submit(under_kills, service, luck, times) for service, luck in draws]
        found = [one for run in runs for one in run.result()]
        same = nonce == node.nonce() == node.entry()["client_nonce"]
        return [*found, Finding(NONCE_KEPT, same, "the nonce of the first login is the server's and systemd's")]


def under_kills(service: Service, luck: random.Random, times: int, pause: float = 0.0) -> list[Finding]:
    """Kill it at random moments; what its readers and the server saw of that. pause: before systemd starts it again."""
    trial = kills.Trial(service, pause)
    begun = time.monotonic()
    trial.run(times, luck)
    lasted = time.monotonic() - begun
    found = kills.account(trial, SHORTEST_LIFE)
    service.tokens.update(trial.tokens)
    back = returns(service.works)
    restarts = service.show("NRestarts")
    refused = service.refusals(trial.kills)
    logins = f"{found}, {times} kills in {lasted:.0f} s"
    return [
        Finding(NO_TORN_SINK, not trial.faults, "; ".join(trial.faults[:2]) or f"{trial.reads} reads, all whole"),
        Finding(
            NO_WRONG_TOKEN, not refused, "; ".join(refused) or f"{len(trial.tokens)} tokens, tried {trial.tries} times"
        ),
        Finding(LOGIN_RATE, not found.unexplained, logins, found.lost + found.late),
        Finding(RECOVERY, back < SLACK and restarts == str(times), f"{restarts} restarts; the token works"),
        told(service.show("StatusText"), "serving|at risk"),
    ]


def full(ground: Ground) -> list[Finding]:
    """Its sink and its status have no room, while its token is due to be replaced."""
    with _host() as host, _service(ground, host, "iam", role=SHORT, method={"max_backoff": BACKOFF}) as service:
        host.run(["mount", "-o", f"remount,size={SMALL}", "/run"])
        service.start()
        old = service.token()
        with Reader(ground.stack, service.file("token"), MARK) as reader:
            time.sleep(ground.random.uniform(0, 2))
            host.run(["sh", "-c", "cat /dev/zero > /run/ballast"], check=False)
            returns(lambda: "cannot write" in service.show("StatusText"), 20)
            message = told(service.show("StatusText"), "cannot write .*token.*No space left")
            time.sleep(ground.random.uniform(2, 6))
            before = service.token()
            host.run(["rm", "/run/ballast"])
            seconds = returns(lambda: service.token() != before and service.works())
            time.sleep(0.5)
        logins = len(service.logins())
        # The pause after so many failures; see ``lifecycle._sink_failed``.
        bound = min(LONGEST_PAUSE_OF_A_SINK, 2.0 ** service.status()["counters"]["sink_failures"])
        return [
            *reader.findings(),
            Finding(NO_TORN_SINK, bool(old and before), "while there was no room, the old token was there, whole"),
            recovery(seconds, bound),
            Finding(LOGIN_RATE, logins <= 8, f"{logins} logins (one for each life of 5 s and more)", logins),
            message,
        ]


def stepped(ground: Ground, step: int) -> list[Finding]:
    """A token that is due to be replaced while the clock is wrong; then it is right again."""
    file = "/etc/chaos-clock"
    with _host() as host, _service(ground, host, "iam", role=SHORT, method={"max_backoff": BACKOFF}) as service:
        variables = {
            **clock.environment(host, 0),
            "FAKETIME_TIMESTAMP_FILE": file,
            "FAKETIME_NO_CACHE": "1",
        }
        del variables["FAKETIME"]
        host.write(file, "+0\n")
        service.install(*(f"Environment={name}={value}" for name, value in variables.items()))
        service.start()
        with Reader(ground.stack, service.file("token"), MARK) as reader:
            time.sleep(ground.random.uniform(0, 2))
            host.write(file, f"{step:+d}\n")
            before, begun = len(service.logins()), time.monotonic()
            returns(lambda: CLOCK in service.show("StatusText"), 30)
            message = told(service.show("StatusText"), CLOCK)
            time.sleep(ground.random.uniform(2, 5))
            lasted, tries = time.monotonic() - begun, len(service.logins()) - before
            host.write(file, "+0\n")
            seconds = returns(service.works)
            time.sleep(0.3)
        return [
            *reader.findings(),
            # Pauses are half of BACKOFF at least, but for the first ones; a refused signature is made anew at once.
            rate(tries, 3 + int(lasted / (0.5 * BACKOFF)), lasted),
            recovery(seconds, BACKOFF),
            message,
        ]


def rebooted(ground: Ground) -> list[Finding]:
    """Memory is lost: iam logs in unaided; ec2 says which entry an operator must delete, and is back after that."""
    stack = ground.stack
    with _host() as host:
        iam = Service(host, stack, "iam", stack.instances[0], role=LONG)
        node = Service(host, stack, "ec2", stack.instances[1], role=LONG, method={"max_backoff": BACKOFF})
        made = (iam, node)
        try:
            old = {service.name: service.start() for service in made}
            begun = time.monotonic()
            host = host.reboot("basic.target")  # the last ones wait for the agents
            for service in made:
                service.host = host
            up = time.monotonic()
            seconds = returns(iam.works)
            entry = f"identity-accesslist/{node.instance}"
            returns(lambda: entry in node.show("StatusText"), 30)
            words = told(node.show("StatusText"), entry)
            time.sleep(ground.random.uniform(0, 2))
            refused = len(node.refusals())
            lasted = time.monotonic() - up
            stack.delete_accesslist(node.instance)
            back = returns(node.works)
            fresh = all(service.token() != old[service.name] for service in made)
            for service in made:
                service.judge_secrecy()
            return [
                Finding(NO_WRONG_TOKEN, fresh, f"both have new tokens that work; the reboot took {up - begun:.0f} s"),
                recovery(seconds, 0),
                recovery(back, BACKOFF),
                rate(len(iam.logins()), 2, lasted),
                rate(refused, 2 + int(lasted / (0.5 * BACKOFF)), lasted),
                words,
            ]
        finally:
            for service in made:
                service.remove()
