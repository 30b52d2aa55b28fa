# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The campaign itself: cases that were found stay found, and what should not be is seen, told and repeated."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import typing as t
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import strategies as st

from ansible_collections.vaultfleet.aws.plugins.module_utils._login_task import ARGUMENT_SPEC
from ansible_collections.vaultfleet.aws.tests.unit.support.fuzz.target import CANARY, FINE, Target
from tests.fuzz import __main__ as command
from tests.fuzz import cache_records, campaign, corpus, lookup_options, module_options, report, role_variables
from tests.fuzz.targets import TARGETS, empty_world, shares
from tests.tools.project import ROOT

OF_THE_CONTROLLER = (
    *cache_records.TARGETS,
    *lookup_options.TARGETS,
    *module_options.TARGETS,
    *role_variables.TARGETS,
)
COMMAND = [sys.executable, "-m", "tests.fuzz"]


@pytest.fixture(autouse=True)
def _world() -> Iterator[None]:
    with empty_world():
        yield


@pytest.mark.parametrize("case", corpus.cases(), ids=lambda case: case.name)
def test_what_was_found_once(case: corpus.Case) -> None:
    assert campaign.attempt(TARGETS[case.target], case.example) is None, case.why


@pytest.mark.parametrize("target", OF_THE_CONTROLLER, ids=lambda target: target.name)
def test_a_few_of_the_controller(target: Target) -> None:
    """Those of hosts are tried by the unit tests of what they are about."""
    found = campaign.fuzz(target, 40, 1)
    assert found.failures == ()
    assert found.examples >= 40


def test_all_options_of_the_module_are_tried() -> None:
    assert set(module_options.OPTIONS) == set(ARGUMENT_SPEC)


def test_shares() -> None:
    drawn = shares([*TARGETS], 10_000)
    assert 10_000 <= sum(drawn.values()) <= 10_000 + len(TARGETS)
    assert min(drawn.values()) >= 90
    assert shares(["redirects"], 7) == {"redirects": 7}


def _judge(example: list[int]) -> str:
    if sum(example) > 100:
        raise KeyError(CANARY)
    return FINE if example else "empty"


PLANTED = Target("planted", "lists", st.lists(st.integers(0, 90)), _judge)


def test_a_bug_is_found_made_small_and_remembered(tmp_path: Path) -> None:
    found = campaign.fuzz(PLANTED, 300, 5, tmp_path)
    [failure] = found.failures
    assert sum(failure.example) == 101
    assert len(failure.example) == 2
    assert failure.why.startswith("KeyError: ")
    assert failure.why.endswith(")")
    assert "(test_fuzz.py:" in failure.why
    assert found.ends["FAILED"] >= 1
    assert found.ends["empty"] >= 1
    again = campaign.fuzz(PLANTED, 1, 6, tmp_path)
    assert again.failures
    assert campaign.fuzz(PLANTED, 1, 6).failures == ()


def test_examples_that_cannot_be_made_fail() -> None:
    broken = Target("broken", "", st.integers().map(lambda number: number // 0), _judge)
    [failure] = campaign.fuzz(broken, 10, 1).failures
    assert failure.why.startswith("ZeroDivisionError: ")


def test_a_seed_repeats_a_campaign() -> None:
    def drawn(number: int) -> list[t.Any]:
        seen: list[t.Any] = []

        def judge(example: t.Any) -> str:
            seen.append(example)
            return FINE

        campaign.fuzz(Target("seen", "", st.lists(st.integers()), judge), 20, number)
        return seen

    assert drawn(1) == drawn(1) != drawn(2)


def test_what_takes_too_long_fails() -> None:
    def judge(example: bool) -> str:
        while example:
            time.sleep(0.01)
        return FINE

    def deaf(example: bool) -> str:
        try:
            return judge(example)
        except Exception:  # noqa: BLE001 - as a victim may do
            return FINE

    for one in (judge, deaf):
        failure = campaign.attempt(Target("slow", "", st.booleans(), one), True, 0.1)
        assert failure
        assert "it takes more than 0.1 s" in failure.why
        assert campaign.attempt(Target("slow", "", st.booleans(), one), False) is None


def test_a_case_is_kept_as_it_was() -> None:
    example = {"a": [b"\xff\0", {"b": b""}], "c": 10**400, "d": "\udc80", "e": None}
    text = json.loads(corpus.text("x", "why", example))
    assert corpus.unpacked(text["example"]) == example
    assert {case.target for case in corpus.cases()} <= set(TARGETS)


def test_the_command_finds_and_tells(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(TARGETS, "planted", PLANTED)
    monkeypatch.setattr(command, "cache_root", lambda: Path(os.environ["HOME"]))
    monkeypatch.setattr(sys, "argv", ["fuzz", "--only", "planted", "durations", "--examples", "400", "--seed", "5"])
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)]
    try:
        assert command.main() == 1
    finally:
        for number, handler in zip((signal.SIGTERM, signal.SIGHUP, signal.SIGINT), before, strict=True):
            signal.signal(number, handler)
    said = capsys.readouterr().out
    assert "FAILED planted: KeyError: " in said
    assert "again: make fuzz ARGS=\"--seed 5 --examples 400 --only 'planted'\"" in said
    assert "left out: redirects" in said
    assert said.endswith(" s\n")


def test_the_command(tmp_path: Path) -> None:
    place = tmp_path / "fuzz.json"
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    arguments = ["--only", "durations", "redirects", "--examples", "60", "--seed", "1", "--json", str(place)]
    done = subprocess.run(
        [*COMMAND, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(place.read_text(encoding="utf-8"))
    assert [one["name"] for one in found["targets"]] == ["durations", "redirects"]
    assert sum(one["examples"] for one in found["targets"]) >= 60
    assert found["corpus"]["cases"] > 5
    assert str(tmp_path) not in place.read_text(encoding="utf-8")
    for one in found["targets"]:
        assert one["name"] in done.stdout
        assert sum(one["ends"].values()) == one["examples"]


def test_the_command_is_interrupted() -> None:
    environment = {**os.environ, "XDG_CACHE_HOME": os.environ["HOME"], "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [*COMMAND, "--examples", "100000"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        while "of the corpus" not in process.stdout.readline():
            assert process.poll() is None
        process.terminate()
        _said, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert error.endswith("fuzz: interrupted\n")


def test_a_long_example_is_cut_where_it_is_shown() -> None:
    shown = report.told(campaign.Failure("x", ["y" * 9000], "why"), 1, 2)
    assert len(shown) < 4000
