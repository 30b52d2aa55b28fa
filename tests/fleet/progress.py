# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One line for each thing that takes time."""

from __future__ import annotations

import sys
import time
import typing as t
from contextlib import contextmanager


@contextmanager
def step(text: str) -> t.Iterator[None]:
    """Print ``text`` when the block begins, and the seconds it took once it is done."""
    say(f"{text} ...")
    start = time.monotonic()
    yield
    say(f"{text}: done ({time.monotonic() - start:.1f} s)")


def say(text: str) -> None:
    """Print one line at once, to standard error: standard output belongs to the caller."""
    sys.stderr.write(f"fleet: {text}\n")
    sys.stderr.flush()
