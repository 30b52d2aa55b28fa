# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One line for each step, with the seconds it took."""

from __future__ import annotations

import sys
import time
import typing as t
from contextlib import contextmanager


@contextmanager
def step(text: str) -> t.Iterator[None]:
    """Print ``text`` with its duration in seconds once the block is done; nothing if it fails."""
    start = time.monotonic()
    yield
    say(f"{text} ({time.monotonic() - start:.1f} s)")


def say(text: str) -> None:
    """Print one line at once, whole even where two threads print."""
    sys.stdout.write(f"stack: {text}\n")
    sys.stdout.flush()
