# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Faults in front of Vault for ``vault-aws-login``: one line, and an exit code that tells what passes."""

from __future__ import annotations

import functools
import resource
import time

from tests.chaos import cases
from tests.chaos.cases import LARGEST, ONE_OF_EACH, SLACK, TIMEOUT, Case, Ends
from tests.chaos.place import before_vault, untrapped
from tests.chaos.trial import LOGIN_RATE, MESSAGE, NO_WRONG_TOKEN, RECOVERY, Finding, Ground, Trial
from tests.live.test_cli import Command

GROUP = "Vault x vault-aws-login"
RETRIES = 2
_CODES = {Ends.WELL: {0}, Ends.TRANSIENT: {3}, Ends.PERMANENT: {2}}  # docs: "Exit codes"


def trials() -> list[Trial]:
    """One for each kind of fault."""
    return [Trial(GROUP, f"{case.fault.name} x command", functools.partial(_run, case), 6) for case in ONE_OF_EACH]


def _run(case: Case, ground: Ground) -> list[Finding]:
    with before_vault(ground) as proxy, cases.role(ground) as role:
        command = Command(ground.stack, ground.folder / "home")
        command.environ["VAULT_ADDR"] = proxy.url
        arguments = ("--role", role.name, "--timeout", str(TIMEOUT), "--retries", str(RETRIES))
        proxy.begin(case.fault)
        start = time.monotonic()
        done = command(*arguments, given=command.keys)
        seconds = time.monotonic() - start
        proxy.clear()
        made = role.logins()
        start = time.monotonic()
        again = command(*arguments, given=command.keys)
        usual = time.monotonic() - start  # most of it is Python's start, which takes its time on a busy machine
        code = done.returncode
        found = [
            cases.in_time(seconds, TIMEOUT + max(SLACK, 3 * usual)),
            cases.bounded(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024, LARGEST),
            Finding(LOGIN_RATE, made <= 1 + RETRIES, f"{made} logins of at most {1 + RETRIES}", made),
            untrapped(proxy),
        ]
        if case.ends is Ends.WELL:
            found += [cases.right_token(role, done.stdout.strip()), Finding(RECOVERY, code == 0, f"exit code {code}")]
            return found
        found += [
            Finding(NO_WRONG_TOKEN, done.stdout == "", "nothing on standard output"),
            Finding(MESSAGE, code in _CODES[case.ends], f"exit code {code}"),
            cases.clear(case, done.stderr, proxy.url),
        ]
        found += [
            cases.right_token(role, again.stdout.strip()),
            Finding(RECOVERY, again.returncode == 0, f"exit code {again.returncode} when run again"),
        ]
        return found
