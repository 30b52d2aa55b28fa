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
    """The median of some values, and how far they went."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Sum up one value for each round."""
        return cls(statistics.median(values), min(values), max(values))

    def text(self, digits: int = 2) -> str:
        """As in the table."""
        return f"{self.median:.{digits}f} ({self.low:.{digits}f} .. {self.high:.{digits}f})"


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
