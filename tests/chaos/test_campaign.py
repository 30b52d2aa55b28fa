# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The campaign itself, with trials made up for that: what it repeats, ends, tells, and leaves behind."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import random
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time
import typing as t
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.chaos import __main__ as command
from tests.chaos import campaign, confined, lanes, report
from tests.chaos.trial import MESSAGE, NOTHING_LEFT, RECOVERY, TRIED, Finding, Ground, LeftOut, Trial
from tests.tools import commands
from tests.tools.project import ROOT, ToolError


class Whole(campaign.Keeper):
    """A keeper of nothing, which is never broken."""

    def __init__(self) -> None:
        no_stack: t.Any = None
        super().__init__(no_stack)

    def sessions(self) -> set[int]:
        return set()

    def mend(self) -> str:
        return ""


class Broken(Whole):
    """One that always has to mend."""

    def mend(self) -> str:
        return "mended"


@pytest.fixture(autouse=True, scope="module")
def _adopting() -> Iterator[None]:
    """What trials leave behind is ours, for these tests only."""
    confined.adopt_orphans()
    yield
    confined.adopt_orphans(False)


def drawing(name: str, group: str = "made up") -> Trial:
    """A trial that tells what it draws."""
    return Trial(group, name, lambda ground: [Finding(MESSAGE, True, f"drew {ground.random.random()}")], 0.1)


def trial(run: t.Callable[[Ground], list[Finding]], seconds: float = 0.1) -> Trial:
    """A trial of that function."""
    return Trial("made up", run.__name__, run, seconds)


def ran(
    *trials: Trial, folder: Path, seed: int = 7, rounds: int = 1, keeper: campaign.Keeper | None = None
) -> list[campaign.Entry]:
    """What came of them."""
    found = list(campaign.run(trials, seed, time.monotonic() + 60, rounds, folder, keeper or Whole()))
    assert all(isinstance(one, campaign.Entry) for one in found)
    return t.cast("list[campaign.Entry]", found)


def test_a_seed_gives_order_and_draws(tmp_path: Path) -> None:
    """Whatever order trials are listed in, and also alone."""
    trials = [drawing(name) for name in "abcdefgh"]
    told = []
    for number, given in enumerate((trials, trials[::-1])):
        folder = tmp_path / str(number)
        folder.mkdir()
        told.append([(one.trial.name, one.tried.findings) for one in ran(*given, folder=folder, rounds=2)])
    assert told[0] == told[1]
    assert [name for name, _found in told[0][:8]] != list("abcdefgh")
    assert [name for name, _found in told[0][:8]] != [name for name, _found in told[0][8:]]
    assert len({found for _name, found in told[0]}) == 16
    last = ran(*trials, folder=tmp_path, rounds=2)[-1]
    [alone] = ran(last.trial, folder=tmp_path, seed=last.seed)
    assert alone.tried.findings == last.tried.findings
    assert shlex.split(report.again(last))[-4:] == ["--seed", str(last.seed), "--trial", last.trial.name]


def test_a_trial_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confined, "limit", lambda _trial: 0.5)
    monkeypatch.setattr(confined, "_GRACE", 0.5)

    def hangs(_ground: Ground) -> list[Finding]:
        while True:
            with contextlib.suppress(KeyboardInterrupt):
                time.sleep(60)

    start = time.monotonic()
    [entry] = ran(trial(hangs), folder=tmp_path)
    assert time.monotonic() - start < 10
    assert [(one.promise, one.kept) for one in entry.tried.findings] == [(TRIED, False)]
    assert "ended" in entry.tried.findings[0].saw


def test_a_trial_that_fails_is_a_finding(tmp_path: Path) -> None:
    def fails(_ground: Ground) -> list[Finding]:
        raise AssertionError("not\nas it should be")

    def dies(_ground: Ground) -> list[Finding]:
        os._exit(3)

    failed, died = sorted(ran(trial(fails), trial(dies), folder=tmp_path), key=lambda one: one.trial.name, reverse=True)
    [finding] = failed.tried.findings
    assert finding.saw.startswith("AssertionError in test_campaign.py:")
    assert finding.saw.endswith("not as it should be")
    assert "Traceback" in failed.tried.said
    assert [one.saw for one in died.tried.findings] == ["it ended without a word"]
    assert not failed.kept


def test_what_is_left_behind_is_ended_and_told(tmp_path: Path) -> None:
    note = tmp_path / "note"

    def leaves(_ground: Ground) -> list[Finding]:
        process = subprocess.Popen(["sleep", "300"], start_new_session=True)
        note.write_text(str(process.pid))
        return [Finding(MESSAGE, True, "fine")]

    [entry] = ran(trial(leaves), folder=tmp_path)
    assert [(one.promise, one.saw) for one in entry.tried.findings[1:]] == [(NOTHING_LEFT, "process sleep")]
    assert not Path(f"/proc/{note.read_text()}").exists()
    assert not any(path.is_dir() for path in tmp_path.glob("trial-*-0"))


def test_no_setting_of_the_user_reaches_a_trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAULT_TOKEN", "of the user")

    def looks(_ground: Ground) -> list[Finding]:
        return [Finding(MESSAGE, "VAULT_TOKEN" not in os.environ, os.environ["HOME"])]

    [entry] = ran(trial(looks), folder=tmp_path)
    assert entry.kept
    assert entry.tried.findings[0].saw != os.environ["HOME"]


def test_what_this_machine_cannot_do_is_left_out(tmp_path: Path) -> None:
    def cannot(_ground: Ground) -> list[Finding]:
        raise LeftOut("needs root")

    found = ran(trial(cannot), drawing("other"), folder=tmp_path, rounds=3)
    assert sorted(one.trial.name for one in found) == ["cannot", "other", "other", "other"]
    assert "left out  cannot: needs root" in report.table(found, [])
    assert "1 that this machine cannot do" in report.summary(found, [], 7)


def test_a_broken_stack_is_told(tmp_path: Path) -> None:
    [entry] = ran(drawing("any"), folder=tmp_path, keeper=Broken())
    assert not entry.kept
    assert entry.tried.findings[-1] == Finding(TRIED, False, "mended")


def test_no_trial_is_begun_that_cannot_end_in_time(tmp_path: Path) -> None:
    long = dataclasses.replace(drawing("long"), seconds=60)
    deadline = time.monotonic() + 3
    found = list(campaign.run([long, drawing("short")], 7, deadline, None, tmp_path, Whole()))
    assert long in found
    ended = time.monotonic()
    short = [one for one in found if isinstance(one, campaign.Entry)]
    assert {one.trial.name for one in short} == {"short"}
    assert max(one.round for one in short) > 1
    # The last one was begun in time by what the one before it took, however long it took itself.
    assert ended < deadline + max(one.tried.seconds for one in short) + 0.5
    assert "long" in report.table(short, [long])
    assert "1 for want of time" in report.summary(short, [long], 7)


def test_an_interrupted_campaign_leaves_nothing(tmp_path: Path) -> None:
    """Neither the trial that runs, nor what it started."""
    note = tmp_path / "note"

    def long(_ground: Ground) -> list[Finding]:
        started = subprocess.Popen(["sleep", "300"], start_new_session=True)
        note.write_text(f"{os.getpid()} {started.pid}")
        time.sleep(60)
        return []

    def interrupt() -> None:
        while not (note.exists() and note.read_text().count(" ")):
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012 - the thread must not come before it
        thread.start()
        ran(trial(long), folder=tmp_path)
    thread.join()
    assert not any(Path(f"/proc/{pid}").exists() for pid in note.read_text().split())


def test_two_trials_of_one_name_are_refused() -> None:
    class Twice:
        def trials(self) -> list[Trial]:
            return [drawing("same"), drawing("same")]

    with pytest.raises(ValueError, match="same"):
        campaign.all_trials([Twice()])


def entry(*findings: Finding, number: int = 1) -> campaign.Entry:
    """An entry of a trial with these findings."""
    return campaign.Entry(drawing("fault x victim"), number, 7, confined.Tried(findings, 1.5))


def test_the_table_shows_the_worst_of_all_rounds() -> None:
    first = entry(Finding(RECOVERY, True, "back after 3 s", 3.0), Finding(MESSAGE, True, "of the first"))
    second = entry(Finding(RECOVERY, True, "back after 2 s", 2.0), Finding(MESSAGE, True, "of the last"), number=2)
    shown = report.table([first, second], [])
    assert "kept      fault x victim: 4/4 in 2 runs, at most 1.5 s" in shown
    assert "back after 3 s" in shown
    assert "back after 2 s" not in shown
    assert "of the last" in shown
    assert "of the first" not in shown
    third = entry(Finding(RECOVERY, False, "back after 1 s", 1.0), number=3)
    shown = report.table([first, second, third], [])
    assert "NOT KEPT  fault x victim: 4/5 in 3 runs" in shown
    assert "NOT KEPT: back within one backoff: back after 1 s" in shown
    assert "NOT KEPT" in report.line_of(third)
    assert report.again(third) in report.line_of(third)


def test_json_tells_no_paths_and_no_tokens() -> None:
    with tempfile.TemporaryDirectory(prefix=report.FOLDER) as own:
        saw = f"{own}/stack {ROOT}/plugins {Path.home()}/x hvs.CAESIJ0123456789abcdefghij"
    found = report.as_json([entry(Finding(MESSAGE, True, saw, 1.23456))], [drawing("late")], 7, 20, 2)
    [run] = found["runs"]
    assert run["findings"][0]["saw"] == "TEMPORARY/stack PROJECT/plugins HOME/x (a token)"
    assert run["findings"][0]["figure"] == 1.235
    assert found["not_begun"] == [{"group": "made up", "name": "late"}]
    assert own not in json.dumps(found)


@pytest.mark.parametrize(("kept", "code"), [(True, 0), (False, 1)])
def test_exit_code(kept: bool, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the file, and the seed that is told."""

    class One:
        def trials(self) -> list[Trial]:
            return [Trial("made up", "one", lambda _ground: [Finding(MESSAGE, kept, "seen")], 0.1)]

    class Private:
        def __enter__(self) -> tuple[None, Path]:
            return None, tmp_path

        def __exit__(self, *_args: object) -> None:
            pass

    told = tmp_path / "told.json"
    monkeypatch.setattr(campaign, "all_trials", lambda: One().trials())
    monkeypatch.setattr(campaign, "Keeper", lambda _stack: Whole())
    monkeypatch.setattr(command, "private_stack", lambda _prefix: Private())
    monkeypatch.setattr(commands, "raise_on_termination", lambda: None)
    monkeypatch.setattr(sys, "argv", ["chaos", "--seed", "5", "--trial", "one", "--json", str(told)])
    assert command.main() == code
    assert json.loads(told.read_text(encoding="utf-8"))["seed"] == 5
    monkeypatch.setattr(sys, "argv", ["chaos", "--trial", "none"])
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert ended.value.code == 2


def test_draws_are_of_the_seed_and_the_name() -> None:
    assert campaign.draws(3, drawing("x")).random() == random.Random("3:x").random()
    assert campaign.seed_of(3, 1) == 3
    assert len({campaign.seed_of(3, number) for number in range(1, 9)}) == 8


def test_groups_stay_together_in_lanes_of_about_the_same_length() -> None:
    trials = [
        dataclasses.replace(drawing(f"{group}{number}", group), seconds=1) for group in "abc" for number in range(4)
    ]
    trials += [dataclasses.replace(drawing(f"d{number}", "d"), seconds=1) for number in range(8)]
    found = lanes.split(trials, 2)
    assert sorted(one.name for lane in found for one in lane) == sorted(one.name for one in trials)
    assert sorted(len(lane) for lane in found) == [8, 12]
    assert not {one.group for one in found[0]} & {one.group for one in found[1]}
    assert lanes.split(trials, 1) == [trials[12:] + trials[:12]]
    assert len(lanes.split(trials, 99)) == 4


def until(*files: Path) -> None:
    """Wait until all of them are there."""
    give_up = time.monotonic() + 60
    while not all(file.exists() for file in files):
        assert time.monotonic() < give_up, files
        time.sleep(0.02)


def test_lanes_run_side_by_side(tmp_path: Path) -> None:
    """Each in a process of its own, which tells what it has at once."""
    both = tmp_path / "both"

    def counts() -> Generator[int]:
        yield os.getpid()
        until(both)
        for _time in range(2):
            yield os.getpid()

    found = []
    for one in lanes.side_by_side([counts, counts]):
        found.append(one)
        if len(found) == 2:  # neither goes on before
            both.touch()
    assert len(found) == 6
    assert len({*found, os.getpid()}) == 3
    assert len(set(found[:2])) == 2


@pytest.mark.parametrize("words", ["no stack", "a lane ended with 3"])
def test_a_lane_that_fails_ends_the_others(words: str, tmp_path: Path) -> None:
    """Which clean up; its error is the parent's."""
    begun, cleaned = tmp_path / "begun", tmp_path / "cleaned"

    def fails() -> Generator[int]:
        until(begun)
        yield 1
        if words == "no stack":
            raise ToolError(words)
        os._exit(3)

    def other() -> Generator[int]:
        try:
            begun.touch()
            yield 2
            time.sleep(60)
        finally:
            cleaned.touch()

    start = time.monotonic()
    with pytest.raises(ToolError, match=words):
        list(lanes.side_by_side([fails, other]))
    assert time.monotonic() - start < 30
    assert cleaned.exists()


def test_an_interruption_reaches_each_lane_once(tmp_path: Path) -> None:
    """However often the user presses the keys, each lane cleans up undisturbed."""

    cleaning, cleaned = ([tmp_path / f"{word}-{number}" for number in (1, 2)] for word in ("cleaning", "cleaned"))
    again = tmp_path / "again"

    def works(number: int) -> Generator[int]:
        try:
            yield number
            time.sleep(60)
        finally:
            cleaning[number - 1].touch()
            until(again)
            time.sleep(0.5)  # who does not wait for it finds it undone
            cleaned[number - 1].touch()

    def interrupt() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        until(*cleaning)  # so that the second time is neither too early nor too late
        os.kill(os.getpid(), signal.SIGINT)
        again.touch()

    thread = threading.Thread(target=interrupt)
    seen = []
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012 - only once both have begun
        for number in lanes.side_by_side([lambda: works(1), lambda: works(2)]):
            seen.append(number)
            if len(seen) == 2:
                thread.start()
    thread.join()
    assert sorted(seen) == [1, 2]
    assert all(file.exists() for file in cleaned)
