# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Counts of tests, read from the JUnit files that pytest and ansible-test write."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

# ansible-test says this of a sanity test that found no file of its kind: nothing was left out.
EMPTY = "No tests applicable."


@dataclass(frozen=True)
class Counts:
    """How many tests passed, failed and were skipped; two of them can be added."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped)

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def read_counts(files: Iterable[Path]) -> Counts:
    """The sum over JUnit files; a file that is missing counts nothing."""
    return sum((_read(file) for file in files if file.exists()), Counts())


def _read(file: Path) -> Counts:
    counts = Counts()
    for case in ET.parse(file).getroot().iter("testcase"):  # noqa: S314 (written by the run itself)
        if case.find("failure") is not None or case.find("error") is not None:
            counts += Counts(failed=1)
        elif (skipped := case.find("skipped")) is not None:
            counts += Counts(skipped=0 if skipped.text == EMPTY else 1)
        else:
            counts += Counts(passed=1)
    return counts
