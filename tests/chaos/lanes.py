# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Trials side by side. Each lane is a process of its own: it has a stack of its own, and adopts what its trials leave.

Most trials wait, for a server that is silent or an agent that tries again, so two lanes need little more than one.
"""

from __future__ import annotations

import multiprocessing
import os
import typing as t
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from multiprocessing.connection import Connection, wait

from tests.chaos.trial import Trial
from tests.tools import commands
from tests.tools.project import ToolError

T = t.TypeVar("T")


def split(trials: Sequence[Trial], number: int) -> list[list[Trial]]:
    """At most so many lanes, of about the same length. A group stays together: its trials may want the same things."""
    groups: dict[str, list[Trial]] = {}
    for trial in trials:
        groups.setdefault(trial.group, []).append(trial)
    lanes: list[list[Trial]] = [[] for _lane in range(number)]
    for group in sorted(groups.values(), key=_length, reverse=True):
        min(lanes, key=_length).extend(group)
    return [lane for lane in lanes if lane]


def _length(trials: Sequence[Trial]) -> float:
    return sum(trial.seconds for trial in trials)


def side_by_side(works: Sequence[Callable[[], Generator[T]]]) -> Iterator[T]:
    """Yield what each of them yields, as it comes.

    When we are interrupted they are, once, and have time to clean up. What one raises is raised here, and ends the
    others. Raises ToolError if one is killed.
    """
    context = multiprocessing.get_context("fork")
    running: dict[Connection, multiprocessing.context.ForkProcess] = {}
    try:
        for work in works:
            ours, theirs = context.Pipe(duplex=False)
            process = context.Process(target=_tell, args=(work, theirs))
            process.start()
            theirs.close()
            running[ours] = process
        while running:
            for pipe in t.cast("list[Connection]", wait(list(running))):
                try:
                    item, error = pipe.recv()
                except EOFError:
                    process = running.pop(pipe)
                    process.join()
                    if process.exitcode:
                        raise ToolError(f"a lane ended with {process.exitcode}") from None
                    continue
                if error is not None:
                    raise error
                yield item
    finally:
        with commands.uninterrupted():
            for process in running.values():
                process.terminate()
            for process in running.values():
                process.join(commands.GRACE)
                process.kill()


def _tell(work: Callable[[], Generator[T]], pipe: Connection) -> None:
    """In a lane: do the work, and send what it yields, or the error that ended it."""
    # A terminal sends Ctrl-C to all of its foreground group at once: we are told by the parent.
    os.setsid()
    commands.raise_on_termination()
    try:
        with closing(work()) as items:
            for item in items:
                pipe.send((item, None))
    except KeyboardInterrupt:
        pass
    except Exception as exc:  # noqa: BLE001 - whatever it is, the parent raises it
        pipe.send((None, exc))
