# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tries a target many times, and tells how that went."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import signal
import threading
import time
import traceback
import typing as t
from pathlib import Path
from types import FrameType

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.database import DirectoryBasedExampleDatabase

from ansible_collections.vaultfleet.aws.tests.unit.support.fuzz.target import Target

LONGEST = 10.0  # seconds of an example; servers have 5 for an answer


@dataclasses.dataclass(frozen=True)
class Failure:
    """What should not be: the smallest example that was found for it, and how it ended."""

    target: str
    example: t.Any
    why: str


@dataclasses.dataclass(frozen=True)
class Result:
    """A target's. longest: seconds of one example. ends: how often each kind of end was seen."""

    name: str
    text: str
    examples: int
    seconds: float
    longest: float
    ends: dict[str, int]
    failures: tuple[Failure, ...]


_stopped = threading.Event()


def stop_on_signals() -> None:
    """Let SIGTERM, SIGHUP and SIGINT end the campaign by KeyboardInterrupt, before the next example.

    Raised at once it may get lost: in a callback of the garbage collector, in a victim that catches it.
    """

    def stop(_number: int, _frame: FrameType | None) -> None:
        _stopped.set()

    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, stop)


class TooLongError(AssertionError):
    """An example takes more time than any may."""


@contextlib.contextmanager
def at_most(seconds: float) -> t.Iterator[None]:
    """Break off what takes longer, and fail. Raises TooLongError, and KeyboardInterrupt once that is asked for."""
    if _stopped.is_set():
        raise KeyboardInterrupt

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise TooLongError(f"it takes more than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    started = time.monotonic()
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    # What caught the error went on, as if nothing had been.
    if time.monotonic() - started > seconds:
        raise TooLongError(f"it takes more than {seconds:g} s")


def attempt(target: Target, example: t.Any, longest: float = LONGEST) -> Failure | None:
    """Try one example; what is wrong with its end, or None."""
    try:
        with at_most(longest):
            target.judge(example)
    except Exception as e:  # noqa: BLE001 - whatever comes here is what is looked for
        return Failure(target.name, example, _why(e))
    return None


def fuzz(target: Target, examples: int, number: int, database: Path | None = None, longest: float = LONGEST) -> Result:
    """Try ``examples``, the same for a ``number``. database: where failures are remembered until the next time."""
    ends: collections.Counter[str] = collections.Counter()
    slowest = 0.0
    last: list[Failure] = []

    @settings(
        max_examples=examples,
        deadline=None,
        database=DirectoryBasedExampleDatabase(database) if database else None,
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        phases=[Phase.reuse, Phase.generate, Phase.shrink],
    )
    @seed(number)  # below the settings, whose database it would switch off
    @given(target.examples)
    def campaign(example: t.Any) -> None:
        nonlocal slowest
        started, end = time.monotonic(), "FAILED"
        try:
            with at_most(longest):
                end = target.judge(example)
        except Exception as e:
            last[:] = [Failure(target.name, example, _why(e))]
            raise
        finally:
            slowest = max(slowest, time.monotonic() - started)
            ends[end] += 1

    begun = time.monotonic()
    try:
        campaign()
    except Exception as e:  # noqa: BLE001 - as above; without an example, one could not even be made
        if not last:
            last.append(Failure(target.name, None, _why(e)))
    if _stopped.is_set():
        raise KeyboardInterrupt
    took = time.monotonic() - begun
    return Result(target.name, target.text, ends.total(), took, slowest, dict(ends.most_common()), tuple(last))


def _why(error: Exception) -> str:
    """The error and where it came from, on one line, without paths of this machine."""
    steps = traceback.extract_tb(error.__traceback__)
    where = f"{Path(steps[-1].filename).name}:{steps[-1].lineno}" if steps else "?"
    return f"{type(error).__name__}: {' '.join(str(error).split())[:600]} ({where})"
