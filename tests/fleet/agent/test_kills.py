# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""SIGKILL at random moments: the sink is always a whole token that works, the nonce is kept, no login is spent."""

from __future__ import annotations

import concurrent.futures
import os
import random
import secrets
import time

import pytest

from .conftest import Serve
from .kills import Trial, account, around

KILLS = int(os.environ.get("VAULTFLEET_KILLS", "50"))
SEED = int(os.environ.get("VAULTFLEET_SEED", secrets.randbits(32)))
SHORT = {"token_ttl": "5s", "token_max_ttl": "10s"}  # renewed twice, then replaced
LONG = {"token_ttl": "5s", "token_max_ttl": "24h"}  # renewed for ever
SHORTEST_LIVES = (7.0, 80000.0)


def test_kills(serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    node, user = (Trial(serve("ec2", 0, role=SHORT)), Trial(serve("iam", 1, role=LONG)))
    for trial in (node, user):
        trial.service.start()
    entry, nonce = node.service.entry(), node.service.nonce()
    luck = random.Random(SEED)  # noqa: S311
    begun = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        runs = [
            pool.submit(trial.run, count, random.Random(luck.random()))  # noqa: S311
            for trial, count in ((node, KILLS - KILLS // 2), (user, KILLS // 2))
        ]
    seconds = time.monotonic() - begun
    for run in runs:
        run.result()
    accounts = [account(trial, life) for trial, life in zip((node, user), SHORTEST_LIVES, strict=False)]
    with capsys.disabled():
        print(f"\n{KILLS} kills in {seconds:.0f} s (VAULTFLEET_SEED={SEED})")
        for trial, found in zip((node, user), accounts, strict=False):
            print(
                f"  {trial.service.kind}: {len(trial.kills)} kills, {trial.service.show('NRestarts')} restarts,"
                f" {trial.reads} reads, {trial.tries} uses, {len(trial.tokens)} tokens,"
                f" {len(trial.ended)} ended in the sink, {found}"
            )
    for trial, found in zip((node, user), accounts, strict=False):
        trial.service.tokens.update(trial.tokens)
        assert trial.faults == []
        assert found.unexplained == ()
        assert found.first == 1
        assert trial.service.show("NRestarts") == str(len(trial.kills))
        assert trial.service.refusals(trial.kills) == []
        assert trial.service.works()
        # Where processors are scarce, what is left of a token may be too little for a start and a login.
        assert len(trial.ended) <= 1 + len(trial.kills) / 50, "\n\n".join(around(trial, end) for end in trial.ended)
        # A login whose answer meets a dead agent is lost.
        assert found.lost + found.late <= 1 + len(trial.kills) / 50
    assert accounts[0].due >= 1
    assert node.service.nonce() == nonce
    after = node.service.entry()
    assert (after["client_nonce"], after["creation_time"]) == (nonce, entry["creation_time"])
