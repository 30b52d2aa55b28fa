# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When an attempt is made again: the one loop over attempts, with full jitter and one deadline."""

from __future__ import annotations

import random
import time
import typing as t

from .errors import LoginError, Retry

T = t.TypeVar("T")

_FIRST_PAUSE = 0.5  # seconds; doubles with each attempt
_LONGEST_PAUSE = 8.0
_LEAST_PAUSE = 0.1


def run(
    attempt: t.Callable[[bool], T],
    *,
    retries: int,
    deadline: float,
    sleep: t.Callable[[float], None] = time.sleep,
    clock: t.Callable[[], float] = time.monotonic,
    uniform: t.Callable[[float, float], float] = random.uniform,
) -> T:
    """Call ``attempt`` until it returns, or until its error says that trying again is useless.

    attempt: gets whether it must start from fresh credentials (after a RESIGN error, allowed once and at once).
    retries: how many times a TRANSIENT error is tried again; with 0 nothing is tried again, a RESIGN error neither. The
    pause is drawn from 0 to an exponential bound (AWS Architecture Blog, "Exponential Backoff And Jitter": full
    jitter), on top of Retry-After if the server sent that.
    deadline: on ``clock``; no pause goes past it. Raises the last error, which then says how often and how long it was
    tried.
    """
    started = clock()
    resigned = False
    pauses = 0
    attempts = 0
    while True:
        attempts += 1
        try:
            return attempt(resigned)
        except LoginError as e:
            if e.retry is Retry.RESIGN and retries and not resigned:
                resigned = True
                continue
            pause = _pause(e, pauses, uniform)
            if e.retry is not Retry.TRANSIENT or pauses >= retries or clock() + pause >= deadline:
                if attempts > 1:
                    e.what += f" ({attempts} attempts in {clock() - started:.0f} s)"
                raise
        pauses += 1
        sleep(pause)


def _pause(error: LoginError, pauses: int, uniform: t.Callable[[float, float], float]) -> float:
    asked = getattr(error, "retry_after", None)
    drawn = max(_LEAST_PAUSE, uniform(0, min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**pauses)))
    # On top of what the server asks for: it rounds down to whole seconds, 0 too, and all clients got the same number.
    return drawn + (0.0 if asked is None else float(asked))
