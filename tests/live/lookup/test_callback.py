# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The callback: what is revoked when a run ends, in whatever way, and what is left alone."""

from __future__ import annotations

import signal
import typing as t
from pathlib import Path

import pytest

from tests.live.lookup.runs import NAME, Runs, keep, meet, play, see
from tests.stack.handle import Stack

FAIL = {"name": "Fail", "ansible.builtin.fail": {"msg": "on purpose"}}


@pytest.fixture
def place(runs: Runs) -> Path:
    """Where a play keeps its token for the test."""
    return runs.folder / "token"


def kept(place: Path) -> str:
    return place.read_text(encoding="ascii")


@pytest.mark.parametrize("fails", [False, True], ids=["fine", "failed"])
def test_at_the_end(fails: bool, runs: Runs, place: Path) -> None:
    tasks = [keep(place), see("one"), see("two"), *([FAIL] if fails else [])]
    ended = runs.run(play(*tasks), fails=fails, hosts=3, callback=True, arguments=["-vvvv"])
    assert ended.numbers == (1, 6, 0, 1)
    assert not runs.lives(kept(place))
    assert not runs.stores
    assert kept(place) not in ended.shown
    assert "[WARNING]" not in ended.shown, ended.shown


def test_without_it(runs: Runs, place: Path) -> None:
    ended = runs.run(play(keep(place), see("one")), arguments=["-vvvv"])
    assert runs.lives(kept(place))
    assert kept(place) not in ended.shown
    assert "vault_aws_tokens: " not in ended.shown
    [store] = runs.stores
    assert not (store / "created").exists()  # what nobody will revoke is not noted


def test_a_token_that_is_to_outlive_the_run(runs: Runs, place: Path) -> None:
    spared = f"lookup('{NAME}', role='web', revoke=false)"
    ended = runs.run(play(keep(place, spared), see("spared", spared), see("other")), callback=True)
    assert ended.numbers == (2, 1, 0, 1)
    assert runs.lives(kept(place))


def test_batch_tokens_are_no_error(runs: Runs) -> None:
    ended = runs.run(play(see("batch", f"lookup('{NAME}', role='web-batch')")), callback=True)
    assert ended.numbers == (1, 0, 0, 0)
    assert "[WARNING]" not in ended.shown


def test_a_run_without_a_lookup(runs: Runs) -> None:
    ended = runs.run(play({"name": "Nothing", "ansible.builtin.debug": {}}), callback=True)
    assert ended.numbers == (0, 0, 0, 0)
    assert not runs.stores


def test_nothing_else_is_revoked(runs: Runs, place: Path, stack: Stack) -> None:
    """Another run of the same user, and a token that a sink handed out, live on."""
    sink = runs.folder / "sink"
    runs.run(play(keep(sink), name="Other run"))
    ended = runs.run(play(see("sink", f"lookup('{NAME}', sink='{sink}')"), see("web")), callback=True)
    assert ended.numbers == (1, 0, 0, 1)
    assert runs.lives(kept(sink))


def test_interrupted(runs: Runs, place: Path) -> None:
    """By Ctrl-C: the run itself still cleans up."""
    run = runs.start(play(keep(place), meet(runs.folder, "here")), callback=True, hosts=2)
    run.reached("here")
    run.signal(signal.SIGINT)
    ended = run.end()
    assert ended.rc != 0
    assert ended.numbers == (1, 0, 0, 1)
    assert not runs.lives(kept(place))
    assert not runs.stores


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
@pytest.mark.parametrize("next_has_it", [False, True], ids=["next-without", "next-with"])
def test_killed(number: signal.Signals, next_has_it: bool, runs: Runs, place: Path) -> None:
    run = runs.start(play(keep(place), meet(runs.folder, "here")), callback=True, hosts=2)
    run.reached("here")
    assert runs.lives(kept(place))
    run.signal(number)
    ended = run.end()
    assert ended.rc != 0
    assert kept(place) not in ended.shown
    after = runs.run(play(see("next")), callback=next_has_it)
    assert not runs.lives(kept(place))
    assert "[WARNING]" not in after.shown, after.shown
    assert len(runs.stores) == (0 if next_has_it else 1)  # its own, or none


def test_killed_without_it(runs: Runs, place: Path) -> None:
    run = runs.start(play(keep(place), meet(runs.folder, "here")))
    run.reached("here")
    run.signal(signal.SIGKILL)
    run.end()
    [left] = runs.stores
    runs.run(play(see("next")), callback=True)
    assert not left.exists()
    assert runs.lives(kept(place))


def test_a_living_run_is_left_alone(runs: Runs, place: Path) -> None:
    run = runs.start(play(keep(place), meet(runs.folder, "here"), see("after")), callback=True, name="living")
    run.reached("here")
    runs.run(play(see("other")), callback=True, name="other")
    assert runs.lives(kept(place))
    run.go("here")
    assert run.end().numbers == (1, 1, 0, 1)


def test_vault_is_down_at_the_end(runs: Runs, stack: Stack) -> None:
    tasks: list[dict[str, t.Any]] = [
        see("one"),
        see("two", f"lookup('{NAME}', role='web-nolookup')"),
        meet(runs.folder, "here"),
    ]
    run = runs.start(play(*tasks), callback=True)
    run.reached("here")
    stack.stop_vault()
    try:
        run.go("here")
        ended = run.end()
    finally:
        stack.start_vault()
    assert ended.rc == 0
    assert ended.shown.count("[WARNING]: vault_aws_tokens: tokens that could not be revoked") == 1
    assert "TTL: 2 (" in ended.shown
    assert _last_seconds(ended.shown) < 20  # one wait of at most ten seconds for both, and the logins before
    assert not runs.stores


def _last_seconds(shown: str) -> float:
    line = next(line for line in shown.splitlines() if line.startswith("vault_aws_tokens: "))
    return float(line.split()[-2])
