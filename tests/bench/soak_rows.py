# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rows of a soak: judged and put into words."""

from __future__ import annotations

import itertools
import statistics
from dataclasses import dataclass

from .numbers import Bound, Spread
from .soak_agent import Sample
from .soak_world import DAY
from .tables import Table

GROWTH = 1.0  # MiB


@dataclass(frozen=True)
class Rows:
    """A soak. seconds: of the agent's clock; took: of ours. away: when the server was, on the
    agent's clock. reads: by what a reader used. server: requests it saw.

    rendered: how often the template's file was written. broken: what a reader found that did not work.
    """

    samples: list[Sample]
    seconds: float
    took: float
    events: dict[str, int]
    away: list[tuple[float, float]]
    reads: dict[str, int]
    broken: list[str]
    server: dict[str, int]
    rendered: int

    def grown(self) -> float:
        """MiB by which the last quarter has more than the second one; the first one is still filling its caches."""
        quarter = len(self.samples) // 4
        second, last = (
            statistics.median(one.resident for one in part)
            for part in (self.samples[quarter : 2 * quarter], self.samples[-quarter:])
        )
        return (last - second) / 1024

    def more(self, count: str) -> int:
        """By how many the second half's least ``descriptors`` or ``threads`` is above the first half's.

        The least, since what is about to end may still be there when it is looked at.
        """
        values: list[int] = [getattr(one, count) for one in self.samples]
        half = len(values) // 2
        return min(values[half:]) - min(values[:half])

    def failed(self) -> int:
        """Requests that failed in an interval between samples in which the server was there all the time."""
        found = 0
        for before, after in itertools.pairwise(self.samples):
            if not any(start < after.seconds and before.seconds < end for start, end in self.away):
                found += after.failures - before.failures
        return found


KINDS = {"soak": Rows}


def bounds(rows: Rows) -> list[Bound]:
    """What has to be kept."""
    last = rows.samples[-1]
    return [
        Bound("MiB grown, from the second quarter to the last", Spread.of([rows.grown()]), GROWTH),
        *(
            Bound(f"{count} more, second half", Spread.of([rows.more(count)]), 0)
            for count in ("descriptors", "threads")
        ),
        Bound("requests that failed while the server was there", Spread.of([rows.failed()]), 0),
        Bound("tokens, wrapped tokens, files that did not work", Spread.of([len(rows.broken)]), 0),
        Bound(
            "logins that the server saw and the agent did not count",
            Spread.of([rows.server["logins"] - last.logins]),
            0,
        ),
    ]


def tables(rows: Rows) -> list[Table]:
    """What was seen."""
    last = rows.samples[-1]
    life = [
        ("days of the agent's clock", f"{rows.seconds / DAY:.1f}"),
        ("minutes that they took", f"{rows.took / 60:.1f}"),
        ("renewals", str(last.renewals)),
        ("logins, since the token met its maximum TTL or the server was away", str(last.logins)),
        ("requests that failed", str(last.failures)),
        *((f"events: {name}", str(count)) for name, count in rows.events.items()),
        *((f"a reader used: {name}", str(count)) for name, count in rows.reads.items()),
        *((f"the server saw: {name}", str(count)) for name, count in rows.server.items()),
        ("the template's file was written", str(rows.rendered)),
    ]
    marks = rows.samples[:: max(1, len(rows.samples) // 7)]
    process = [
        (
            f"day {one.seconds / DAY:.1f}",
            f"{one.resident / 1024:.1f}",
            str(one.descriptors),
            str(one.threads),
        )
        for one in marks
    ]
    return [
        Table("a week of the agent", ("", ""), life),
        Table("its process", ("", "MiB resident", "descriptors", "threads"), process),
    ]
