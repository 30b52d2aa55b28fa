# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The campaign: which trials there are, in which order they run, until when; the stack is kept whole between them."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import random
import shutil
import signal
import time
import typing as t
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.chaos import (
    clocks,
    disks,
    faketime,
    hostile_environment,
    hostile_metadata,
    hostile_paths,
    hostile_user,
    hostile_vault,
    hosts,
    kills,
    proxied_agent,
    proxied_command,
    proxied_lookup,
    proxied_metadata,
    proxied_module,
    proxied_playbook,
    proxied_sts,
    rolled_out,
    servers,
)
from tests.chaos.confined import Tried, confined
from tests.chaos.trial import TRIED, Finding, Ground, Trial
from tests.stack.errors import StackError
from tests.stack.handle import Stack
from tests.stack.processes import recorded


class Family(t.Protocol):
    """A module with trials."""

    def trials(self) -> list[Trial]:
        """All of them, always the same."""


# Modules of this folder, each with ``def trials() -> list[Trial]``.
FAMILIES: tuple[Family, ...] = (
    clocks,
    disks,
    hostile_environment,
    hostile_metadata,
    hostile_paths,
    hostile_user,
    hostile_vault,
    hosts,
    kills,
    proxied_agent,
    proxied_command,
    proxied_lookup,
    proxied_metadata,
    proxied_module,
    proxied_playbook,
    proxied_sts,
    rolled_out,
    servers,
)


@dataclasses.dataclass(frozen=True)
class Entry:
    """A trial that was run. seed: with which it can be run again alone, with the same draws."""

    trial: Trial
    round: int
    seed: int
    tried: Tried

    @property
    def kept(self) -> bool:
        """Whether all that was promised was kept."""
        return all(one.kept for one in self.tried.findings)


def all_trials(families: Sequence[Family] = FAMILIES) -> list[Trial]:
    """The trials of all families. Raises ValueError if two have the same name."""
    trials = [trial for family in families for trial in family.trials()]
    names = [trial.name for trial in trials]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"two trials have the same name: {', '.join(twice)}")
    return trials


def seed_of(seed: int, number: int) -> int:
    """The seed of a round; of the first (1) it is the campaign's own."""
    return seed if number == 1 else random.Random(f"{seed}:round:{number}").randrange(2**32)


def ordered(trials: Sequence[Trial], seed: int) -> list[Trial]:
    """The order of a round with that seed, whatever order they come in."""
    return sorted(trials, key=lambda trial: random.Random(f"{seed}:{trial.name}:place").random())


def draws(seed: int, trial: Trial) -> random.Random:
    """What a trial draws from."""
    return random.Random(f"{seed}:{trial.name}")


class Keeper:
    """Has the stack, and mends it between trials."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack

    def sessions(self) -> set[int]:
        """The sessions of the stack's servers."""
        return {one.pid for one in recorded(self.stack.lay.run)}

    def mend(self) -> str:
        """Switch faults off, and bring a server back that does not run; what was broken, or ""."""
        faketime.sweep()
        for process in recorded(self.stack.lay.run):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGCONT)
        with contextlib.suppress(OSError, StackError):
            self.stack.aws_fault()
            for view in ("", *self.stack.instances, "container"):
                self.stack.imds_reset(view)
        if self.stack.healthy():
            return ""
        self.stack.stop_vault()
        self.stack.start_vault()
        if not self.stack.healthy():
            raise StackError("the stack is broken beyond a restart of Vault")
        return "the stack was left broken; mended"


def run(
    trials: Sequence[Trial],
    seed: int,
    deadline: float,
    rounds: int | None,
    folder: Path,
    keeper: Keeper,
) -> Iterator[Entry | Trial]:
    """Run every trial once, then again in new rounds while there is time; yields what came of each.

    deadline: on ``time.monotonic()``; a trial that would not end before it is not begun, and is yielded itself if it
    was not run before. rounds: at most so many. Raises StackError if the stack cannot be mended.
    """
    lengths: dict[str, float] = {}
    impossible: set[str] = set()
    number = 0
    while rounds is None or number < rounds:
        number += 1
        of_round = seed_of(seed, number)
        fitted = False
        for place, trial in enumerate(ordered(trials, of_round)):
            if trial.name in impossible:
                continue
            if time.monotonic() + max(lengths.get(trial.name, 0.0), trial.seconds) > deadline:
                if number == 1:
                    yield trial
                continue
            fitted = True
            ground = Ground(keeper.stack, folder / f"trial-{number}-{place}", draws(of_round, trial))
            ground.folder.mkdir(mode=0o700)
            try:
                tried = confined(trial, ground, keeper.sessions)
            finally:
                shutil.rmtree(ground.folder, ignore_errors=True)
            broken = keeper.mend()
            if broken:
                tried = dataclasses.replace(tried, findings=(*tried.findings, Finding(TRIED, False, broken)))
            if tried.left_out:
                impossible.add(trial.name)
            lengths[trial.name] = tried.seconds
            yield Entry(trial, number, of_round, tried)
        if not fitted:
            return
