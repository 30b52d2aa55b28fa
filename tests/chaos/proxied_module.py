# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Faults in front of Vault for the module, in this process: while they last, and when they pass."""

from __future__ import annotations

import functools
import time
import typing as t
from pathlib import Path

from tests.chaos import cases
from tests.chaos.cases import CASES, SLACK, TIMEOUT, TTL, Case, Ends, Role
from tests.chaos.place import before_vault, untrapped
from tests.chaos.proxy import Proxy
from tests.chaos.trial import LOGIN_RATE, NO_TORN_SINK, RECOVERY, Finding, Ground, Trial
from tests.live import inprocess
from tests.live.core import keys

GROUP = "Vault x module"
RETRIES = 3


def trials() -> list[Trial]:
    """One for each fault."""
    return [Trial(GROUP, f"{case.fault.name} x module", functools.partial(_run, case), 5) for case in CASES]


def _run(case: Case, ground: Ground) -> list[Finding]:
    with before_vault(ground) as proxy, cases.role(ground) as role:
        return [*_lasting(case, ground, proxy, role), *_passing(case, ground, proxy, role), untrapped(proxy)]


def _lasting(case: Case, ground: Ground, proxy: Proxy, role: Role) -> list[Finding]:
    """A sink that must be replaced now: the fault is there until the module gives up."""
    sink = ground.folder / "sink"
    first = _login(ground, proxy, role, sink)
    assert first["changed"], first
    before, logins = sink.read_bytes(), role.logins()
    proxy.begin(case.fault)
    base = cases.forget_peak()
    start = time.monotonic()
    result = _login(ground, proxy, role, sink, min_ttl=10 * TTL if ground.random.random() < 0.5 else TTL - 1)
    seconds = time.monotonic() - start
    grown = cases.peak() - base
    proxy.clear()
    made = role.logins() - logins
    found = [
        cases.in_time(seconds, TIMEOUT + SLACK),
        cases.bounded(grown, cases.GROWTH),
        Finding(LOGIN_RATE, made <= 1 + RETRIES, f"{made} logins of at most {1 + RETRIES}", made),
    ]
    after = sink.read_bytes()
    if case.ends is Ends.WELL:
        found.append(Finding(RECOVERY, not result.get("failed"), str(result.get("msg", "it worked meanwhile"))))
        found.append(cases.right_token(role, after.decode("ascii")))
        return found
    found.append(Finding(NO_TORN_SINK, after == before, "the sink is as it was"))
    found.append(cases.clear(case, str(result["msg"]) if result.get("failed") else "", proxy.url))
    return found


def _passing(case: Case, ground: Ground, proxy: Proxy, role: Role) -> list[Finding]:
    """No sink yet: the fault meets the first attempt alone; with what passes, the module gets over it by itself."""
    sink = ground.folder / "other"
    logins = role.logins()
    proxy.begin(case.fault, count=1)
    if case.fault.stage.name == "LISTEN":
        proxy.begin(case.fault, seconds=0.2)
    result = _login(ground, proxy, role, sink, timeout=3 * TIMEOUT)
    proxy.clear()
    alone = not result.get("failed")
    if not alone:
        assert not sink.exists()
        result = _login(ground, proxy, role, sink)
    # What is asked in vain until its deadline leaves no time for another attempt.
    may_fail = case.ends is Ends.PERMANENT or "no answer within" in case.says or "31 years" in case.fault.name
    made = role.logins() - logins
    return [
        Finding(
            RECOVERY,
            not result.get("failed") and (alone or may_fail),
            str(result.get("msg") or ("by itself" if alone else "when run again")),
        ),
        Finding(LOGIN_RATE, made <= 2, f"{made} logins of at most 2", made),
        cases.right_token(role, sink.read_text(encoding="ascii") if sink.exists() else ""),
    ]


def _login(ground: Ground, proxy: Proxy, role: Role, sink: Path, **options: t.Any) -> dict[str, t.Any]:
    return inprocess.run(
        {
            "url": proxy.url,
            "ca_cert": ground.stack.env["VAULT_CACERT"],
            "role": role.name,
            "header_value": ground.stack.env["STACK_HEADER_VALUE"],
            "timeout": TIMEOUT,
            "retries": RETRIES,
            "min_ttl": 10,
            "sink": {"path": str(sink)},
            **keys(ground.stack)._asdict(),
            **options,
        }
    )
