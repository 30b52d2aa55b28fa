# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A few of the hostile trials, and whether they would see what they look for."""

from __future__ import annotations

import dataclasses
import os
import random
import sys
from pathlib import Path

import pytest

from tests.chaos import front_ends as victims
from tests.chaos import hostile_environment, hostile_metadata, hostile_paths, hostile_user, hostile_vault
from tests.chaos.trial import MESSAGE, NO_SECRET, NO_WRONG_TOKEN, RECOVERY, UNHARMED, Ground, Trial
from tests.stack.handle import Stack
from tests.tools.project import ROOT

FAMILIES = (hostile_environment, hostile_metadata, hostile_paths, hostile_user, hostile_vault)
QUICK = (
    "hostile Vault: gzip bomb in three layers",
    "hostile Vault: escape codes in warnings",
    "hostile metadata: session token that breaks a header",
    "hostile environment: TLS keys to a file",
    "planted files: reader's public key is a FIFO",
)


def trials() -> dict[str, Trial]:
    """All hostile trials by their names."""
    return {trial.name: trial for family in FAMILIES for trial in family.trials()}


@pytest.mark.parametrize("name", QUICK)
def test_trial(name: str, tmp_path: Path) -> None:
    """It runs, and all is kept."""
    stack = Stack.load(os.environ.get("VAULTFLEET_STACK_DIR", ROOT / ".stack"))
    findings = trials()[name].run(Ground(stack, tmp_path, random.Random(name)))
    assert findings
    assert not [one for one in findings if not one.kept]


def test_each_writer_writes_where_it_is_hindered(tmp_path: Path) -> None:
    """But for what goes with its process."""
    assert hostile_paths.unwritten(tmp_path) == {"pid file", "lookup's folder"}


FINE = victims.Ran(1, "", "error: refused\n", 1.0, 1 << 20)


@pytest.mark.parametrize(
    ("promise", "ran"),
    [
        (RECOVERY, dataclasses.replace(FINE, code=None)),
        (RECOVERY, dataclasses.replace(FINE, seconds=999)),
        (UNHARMED, dataclasses.replace(FINE, peak=1 << 30)),
        (MESSAGE, dataclasses.replace(FINE, err="Traceback (most recent call last):")),
        (MESSAGE, dataclasses.replace(FINE, err="error: \x1b[2J")),
        (MESSAGE, dataclasses.replace(FINE, err="")),
        (NO_WRONG_TOKEN, dataclasses.replace(FINE, code=0)),
        (NO_SECRET, dataclasses.replace(FINE, out=victims.SECRET_KEY)),
    ],
)
def test_judge(promise: str, ran: victims.Ran) -> None:
    """Each promise is found broken where it is."""
    assert all(one.kept for one in victims.judge({"any": FINE}, refused=True))
    broken = [one.promise for one in victims.judge({"any": FINE, "other": ran}, refused=True) if not one.kept]
    assert broken == [promise]


def test_what_hangs_is_ended(tmp_path: Path) -> None:
    """With all that it started."""
    script = "import os, time; os.fork(); time.sleep(60)"
    ran = victims.run([sys.executable, "-c", script], os.environ, tmp_path, longest=0.3)
    assert ran.code is None
    assert ran.seconds < 10
