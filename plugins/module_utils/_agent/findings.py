# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ``check --connect`` found out: one line each, and how a look at something is made that may hang or fail."""

from __future__ import annotations

import dataclasses
import queue
import threading
import typing as t

from .._auth.errors import LoginError, Retry, bug
from .problems import printable

Value = t.TypeVar("Value")
State = t.Literal["ok", "note", "wrong"]

_LONGEST = 30.0  # seconds of one look


@dataclasses.dataclass(frozen=True)
class Finding:
    """One line. state: ``ok``; ``note`` for what is no fault but should be known; ``wrong``. about: what was looked at.

    retry: TRANSIENT if what is wrong may pass by itself.
    """

    state: State
    about: str
    text: str
    retry: Retry = Retry.TRANSIENT

    @property
    def fine(self) -> bool:
        """Whether nothing has to be changed."""
        return self.state != "wrong"

    def __str__(self) -> str:
        return printable(f"{self.state:<8}{self.about}: {self.text}")

    def as_note(self) -> Finding:
        """The same as something that is no fault here."""
        return dataclasses.replace(self, state="note")


def attempt(about: str, look: t.Callable[[], Value], seconds: float = _LONGEST, *, hint: str) -> Value | Finding:
    """Return what ``look`` returns, or the finding of why it did not: an error, or nothing within ``seconds``.

    hint: what to do if there is no answer.
    """
    results: queue.SimpleQueue[Value | Finding] = queue.SimpleQueue()

    def work() -> None:
        try:
            results.put(look())
        except LoginError as e:
            results.put(Finding("wrong", about, str(e), e.retry))
        except Exception as e:  # noqa: BLE001 - the other looks go on, and the message may hold a secret
            results.put(Finding("wrong", about, bug(e, "the agent"), Retry.PERMANENT))

    threading.Thread(target=work, daemon=True).start()
    try:
        return results.get(timeout=seconds)
    except queue.Empty:
        return Finding("wrong", about, f"no answer within {seconds:.0f} s -- {hint}")
