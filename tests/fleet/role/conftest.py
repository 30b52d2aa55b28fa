# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixtures: the roll-out that all tests here look at."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

import pytest

from tests.fleet.fleet import Fleet
from tests.stack.handle import Stack

from . import bundles, looks
from .runs import Run, Runner


@dataclass(frozen=True)
class RollOut:
    """What happened, in this order, and what was on the hosts before it.

    traces: as looks.traces, by host. foretold: in check mode, on ``probe``, whose files were ``before`` that, and
    ``afterwards``. first, again: for real, on all hosts. alone: once more, on ``probe``.
    """

    runner: Runner
    traces: t.Mapping[str, t.Mapping[str, set[str]]]
    probe: str
    before: t.Mapping[str, str]
    foretold: Run
    afterwards: t.Mapping[str, str]
    first: Run
    again: Run
    alone: Run


@pytest.fixture(scope="session")
def plain(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Runner:
    """Plays on hosts that may have the agents of the roll-out, or not."""
    bundles.current()
    runner = Runner(fleet, tmp_path_factory.mktemp("role"))
    runner.prepare()
    return runner


@pytest.fixture(scope="session")
def rollout(fleet: Fleet, stack: Stack, plain: Runner) -> t.Iterator[RollOut]:
    """Agents on all hosts by the example for fleets; they stay until test_removal.py takes them away."""
    runner = plain
    for member in fleet.members.values():
        stack.imds_reset(member.instance)
        stack.delete_accesslist(member.instance)
    traces = {name: looks.traces(fleet.host(name)) for name in fleet.members}
    probe = "bookworm"
    before = looks.files(fleet.host(probe))
    foretold = runner.example("--check", "--limit", probe)
    afterwards = looks.files(fleet.host(probe))
    first = runner.example()
    first.judge_success()
    again, alone = runner.example(), runner.example("--limit", probe)
    yield RollOut(runner, traces, probe, before, foretold, afterwards, first, again, alone)
    for member in fleet.members.values():
        stack.delete_accesslist(member.instance)  # their nonces are gone


@pytest.fixture
def runner(rollout: RollOut) -> Runner:
    """Plays on the hosts that have agents."""
    return rollout.runner
