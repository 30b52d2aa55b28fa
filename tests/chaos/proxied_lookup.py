# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Faults in front of Vault for the lookup, in real playbooks whose five hosts ask at once."""

from __future__ import annotations

import functools
import hashlib
import resource
import shutil
import tempfile
import time
from pathlib import Path

from tests.chaos import cases
from tests.chaos.cases import LARGEST, ONE_OF_EACH, TIMEOUT, Case, Ends, Role
from tests.chaos.place import before_vault, untrapped
from tests.chaos.proxy import Proxy
from tests.chaos.trial import IN_TIME, LOGIN_RATE, NO_WRONG_TOKEN, RECOVERY, Finding, Ground, Trial
from tests.live.lookup.runs import NAME, Runs, keep, meet, play, see

GROUP = "Vault x lookup"
RETRIES = 2
HOSTS = 5
_ANSIBLE = 25.0  # seconds that Ansible itself may take on a busy machine


def trials() -> list[Trial]:
    """One for each kind of fault."""
    return [Trial(GROUP, f"{case.fault.name} x lookup", functools.partial(_run, case), 12) for case in ONE_OF_EACH]


def _run(case: Case, ground: Ground) -> list[Finding]:
    memory = Path(tempfile.mkdtemp(dir="/dev/shm", prefix="vaultfleet-chaos-"))
    try:
        with before_vault(ground) as proxy, cases.role(ground) as during, cases.role(ground) as after:
            return _play(case, Runs(ground.stack, ground.folder, memory), proxy, during, after)
    finally:
        shutil.rmtree(memory)


def _play(case: Case, runs: Runs, proxy: Proxy, during: Role, after: Role) -> list[Finding]:
    """While the fault lasts, all hosts ask for a token; once it is over, for another (a failure counts for 10 s)."""
    first, second = (_expression(role) for role in (during, after))
    got = runs.folder / "got"
    proxy.begin(case.fault)
    run = runs.start(
        play(
            see("during", first, ignore_errors=True),
            meet(runs.folder, "over"),
            see("after", second),
            keep(got, second),
        ),
        hosts=HOSTS,
        variables={"VAULT_ADDR": proxy.url},
    )
    run.reached("over")
    proxy.clear()
    over = time.monotonic()
    run.go("over")
    ended = run.end()
    usual = time.monotonic() - over  # of about half of the tasks
    made, again = during.logins(), after.logins()
    token = got.read_text(encoding="ascii") if got.exists() else ""
    expected = {hashlib.sha256(token.encode()).hexdigest()}
    found = [
        Finding(
            IN_TIME, ended.seconds < max(_ANSIBLE, 5 * usual), f"the whole run: {ended.seconds:.1f} s", ended.seconds
        ),
        cases.bounded(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024, LARGEST),
        Finding(
            LOGIN_RATE,
            made <= 1 + RETRIES and again == 1,
            f"{made} logins of {HOSTS} hosts meanwhile, at most {1 + RETRIES}; {again} afterwards",
            made,
        ),
        Finding(
            RECOVERY,
            len(ended.tokens("after")) == HOSTS and set(ended.tokens("after")) == expected,
            f"{len(ended.tokens('after'))} of {HOSTS} hosts got the token once the fault was over",
        ),
        cases.right_token(after, token),
        untrapped(proxy),
    ]
    if case.ends is Ends.WELL:
        whole = len(ended.tokens("during")) == HOSTS and len(set(ended.tokens("during"))) == 1
        return [*found, Finding(NO_WRONG_TOKEN, whole, f"{HOSTS} hosts got one token meanwhile")]
    failed = [line for line in ended.shown.splitlines() if "vault_aws_token: " in line]
    message = failed[0][failed[0].index("vault_aws_token: ") :] if failed else ended.shown[-300:]
    text = "Traceback" if "Traceback" in ended.shown else message.partition('"}')[0]
    return [
        *found,
        Finding(NO_WRONG_TOKEN, not ended.tokens("during"), f"{len(ended.tokens('during'))} tokens meanwhile"),
        cases.clear(case, text, proxy.url),
    ]


def _expression(role: Role) -> str:
    return f"lookup('{NAME}', role='{role.name}', timeout={TIMEOUT}, retries={RETRIES})"
