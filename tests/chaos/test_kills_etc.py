# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The trials of kills, disks, clocks and servers: a few quick ones, and that what watches the victims sees faults."""

from __future__ import annotations

import functools
import os
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.chaos import clocks, disks, kills, servers
from tests.chaos.confined import confined
from tests.chaos.trial import NO_TORN_SINK, NO_WRONG_TOKEN, Ground, Trial
from tests.chaos.victims import Reader, told
from tests.stack.handle import Stack

PROJECT = Path(__file__).parents[2]
QUICK = [
    Trial("kills", "agent", functools.partial(kills.storeless, times=1)),
    Trial("kills", "lock holder", kills.lock_holder),
    Trial("disks", "command", next(one.run for one in disks.trials() if "login --store" in one.name)),
    Trial("clocks", "agent", functools.partial(clocks.serving, step=-clocks.HOUR)),
    Trial("servers", "lookup", servers.revoked_of_lookup),
]


@pytest.fixture(scope="module")
def stack() -> Stack:
    """The stack that runs."""
    return Stack.load(os.environ.get("VAULTFLEET_STACK_DIR", str(PROJECT / ".stack")))


@pytest.mark.parametrize("trial", QUICK, ids=lambda trial: f"{trial.group}-{trial.name}")
def test_trial(trial: Trial, stack: Stack, tmp_path: Path) -> None:
    """It finds that all is kept, or says what it lacks."""
    folder = tmp_path / "trial"
    folder.mkdir()
    tried = confined(trial, Ground(stack, folder, random.Random(1)), set)
    if tried.left_out:
        pytest.skip(tried.left_out)
    assert tried.findings
    assert [one for one in tried.findings if not one.kept] == [], tried.said
    assert stack.healthy()


def test_a_reader_sees_faults(stack: Stack, tmp_path: Path) -> None:
    """Half a token, none at all, one of somebody else, and one that the server does not know."""
    policies = {"policies": ["demo-read", "of-somebody"], "ttl": "1m"}
    mine, other = (str(stack.root("POST", "auth/token/create", policies)["auth"]["client_token"]) for _time in range(2))
    path = tmp_path / "token"
    path.write_text(mine, encoding="ascii")
    with Reader(stack, path, "of-somebody") as good:
        _until(lambda: mine in good.accepted)
    assert [one.kept for one in good.findings()] == [True, True]
    with Reader(stack, path, "of-me") as reader:
        _until(lambda: reader.wrong == 1)
        for torn in (other[:8], ""):
            path.write_text(torn, encoding="ascii")
            _until(lambda: torn in reader.texts)  # noqa: B023
        path.write_text(other[:-1], encoding="ascii")
        _until(lambda: reader.refused >= 1)
        path.unlink()
        _until(lambda: any("could not be read" in one for one in reader.torn))
    found = {one.promise: one for one in reader.findings()}
    assert not found[NO_TORN_SINK].kept
    assert not found[NO_WRONG_TOKEN].kept
    assert not any(text in one.saw for text in (mine, other) for one in reader.findings())


def test_a_message_is_shown_where_it_matters() -> None:
    """Without when and where it was; of a long line, the words that were looked for."""
    line = (
        "2026-11-21T20:00:00.000Z [ERROR] agent: cannot write /tmp/some/where/token: full " + "x" * 300 + " make room"
    )
    assert told(line, "cannot write").saw.startswith("[ERROR] agent: cannot write token: full x")
    assert "make room" in told(line, "make room").saw
    assert not told(line, "something else").kept
    assert not told(f"{line}\nTraceback (most recent call last):", "make room").kept


def _until(condition: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.01)
