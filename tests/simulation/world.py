# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Simulated time: a heap of things to do, in order of time and then of planning."""

from __future__ import annotations

import heapq
import itertools
import typing as t


class World:
    """The clock. now: seconds since every machine of the fleet booted."""

    def __init__(self) -> None:
        self.now = 0.0
        self._heap: list[tuple[float, int, t.Callable[[t.Any], None], t.Any]] = []
        self._order = itertools.count()

    def at(self, time: float, act: t.Callable[[t.Any], None], what: t.Any = None) -> None:
        """Call ``act(what)`` at ``time``, or now if that is past."""
        heapq.heappush(self._heap, (max(time, self.now), next(self._order), act, what))

    def run(self, until: float) -> None:
        """Let time pass."""
        heap = self._heap
        while heap and heap[0][0] <= until:
            self.now, _order, act, what = heapq.heappop(heap)
            act(what)
        self.now = until
