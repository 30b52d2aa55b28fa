# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Faults in front of Vault for tasks of real playbooks: several of a kind in one play, each behind its own proxy."""

from __future__ import annotations

import contextlib
import functools
import time

from tests.chaos import cases, faults
from tests.chaos.cases import CASES, SLACK, TIMEOUT, Ends
from tests.chaos.place import before_vault, untrapped
from tests.chaos.proxy import Fault
from tests.chaos.trial import IN_TIME, LOGIN_RATE, MESSAGE, NO_TORN_SINK, NO_WRONG_TOKEN, Finding, Ground, Trial
from tests.live.playbooks import Player, login, mine

GROUP = "Vault x playbook"
RETRIES = 2
_TASKS = 4
_ANSIBLE = 10.0  # seconds that Ansible's own start may take on a busy machine
_KINDS = {
    "network": faults.OF_THE_NETWORK,
    "TLS": faults.OF_TLS,
    "answers of others": faults.OF_OTHERS,
    "states": faults.OF_STATES,
    "size": faults.OF_SIZE,
    "redirects": faults.REDIRECTS,
}


def trials() -> list[Trial]:
    """One for each kind of fault; which of them come in a play is drawn."""
    return [
        Trial(GROUP, f"{_TASKS} faults of {name} x playbook", functools.partial(_run, kind), 14)
        for name, kind in _KINDS.items()
    ]


def _run(kind: tuple[Fault, ...], ground: Ground) -> list[Finding]:
    chosen = ground.random.sample([case for case in CASES if case.fault in kind], min(_TASKS, len(kind)))
    player = Player(ground.stack, ground.folder)
    found = []
    with contextlib.ExitStack() as stack:
        role = stack.enter_context(cases.role(ground))
        proxies, tasks = [], []
        for number, case in enumerate(chosen):
            proxy = stack.enter_context(before_vault(ground))
            proxy.begin(case.fault)
            proxies.append(proxy)
            sink = {"path": str(ground.folder / f"sink{number}")}
            options = mine(ground.stack, role=role.name, url=proxy.url, timeout=TIMEOUT, retries=RETRIES, sink=sink)
            tasks.append(login(f"task{number}", **options))
        start = time.monotonic()
        played = player.play(*tasks)
        seconds = time.monotonic() - start
        bound = _ANSIBLE + len(chosen) * (TIMEOUT + SLACK)
        found.append(Finding(IN_TIME, seconds <= bound, f"{seconds:.1f} s of at most {bound:.0f} s", seconds))
        most = sum(1 + RETRIES for _case in chosen)
        made = role.logins()
        found.append(Finding(LOGIN_RATE, made <= most, f"{made} logins of at most {most}", made))
        for number, (case, proxy) in enumerate(zip(chosen, proxies, strict=True)):
            result = played.results[f"task{number}"]
            file = ground.folder / f"sink{number}"
            found.append(untrapped(proxy))
            if case.ends is Ends.WELL:
                found.append(cases.right_token(role, file.read_text(encoding="ascii") if file.exists() else ""))
                continue
            found.append(Finding(NO_TORN_SINK, not file.exists(), f"{case.fault.name}: there is no sink"))
            found.append(Finding(NO_WRONG_TOKEN, "login" not in result, f"{case.fault.name}: no token in the result"))
            found.append(cases.clear(case, str(result.get("msg", "")), proxy.url))
        shown = "Traceback" in played.shown
        found.append(Finding(MESSAGE, not shown, "no traceback" if not shown else played.shown[-300:]))
    return found
