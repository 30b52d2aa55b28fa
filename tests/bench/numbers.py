# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Numbers of several rounds, ratios between them, and bounds."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """The median of some values, how far they went, and how many they are."""

    median: float
    low: float
    high: float
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Sum up one value for each round."""
        return cls(statistics.median(values), min(values), max(values), len(values))

    def text(self, digits: int = 2) -> str:
        """As in a table: the median and, of several values, the lowest and the highest, and how many there are."""
        if self.count == 1:
            return f"{self.median:.{digits}f}"
        return f"{self.median:.{digits}f} ({self.low:.{digits}f} .. {self.high:.{digits}f}; {self.count})"


@dataclass(frozen=True)
class Comparison:
    """What ours costs beside another; the ratio is of the values of one round each."""

    what: str
    ours: Spread
    other: str
    theirs: Spread
    ratio: Spread

    @classmethod
    def of(cls, what: str, ours: Sequence[float], other: str, theirs: Sequence[float]) -> Comparison:
        """Sum up both. Where one of them had fewer rounds, the ratio is of those that both had."""
        rounds = min(len(ours), len(theirs))
        return cls(what, Spread.of(ours), other, Spread.of(theirs), ratio(ours[:rounds], theirs[:rounds]))


@dataclass(frozen=True)
class Bound:
    """What a measured value may be at most, or has to be ``exactly``."""

    what: str
    value: Spread
    limit: float
    exactly: bool = False

    @property
    def kept(self) -> bool:
        """Whether the median is within the limit; of what has to be exact, every value."""
        if self.exactly:
            return self.value.low == self.value.high == self.limit
        return self.value.median <= self.limit


def ratio(these: Sequence[float], those: Sequence[float]) -> Spread:
    """``these`` over ``those``, round by round."""
    return Spread.of([one / other for one, other in zip(these, those, strict=True)])
