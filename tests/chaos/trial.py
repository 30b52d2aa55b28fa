# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a campaign is made of: trials, each a fault or an attack against real parts, and what they found."""

from __future__ import annotations

import random
import typing as t
from dataclasses import dataclass
from pathlib import Path

from tests.stack.handle import Stack

# What we promise, whatever happens.
NO_WRONG_TOKEN = "no wrong token handed out"
NO_TORN_SINK = "no torn sink"
NONCE_KEPT = "nonce kept"
LOGIN_RATE = "login rate within the bound"
RECOVERY = "back within one backoff"
MESSAGE = "a clear last message"
NO_SECRET = "no secret told"
NOTHING_LEFT = "nothing left behind"
UNHARMED = "nothing of others touched"
IN_TIME = "over before its deadline"
SMALL = "memory bounded"
TRIED = "the trial itself worked"


class LeftOut(Exception):  # noqa: N818 - no error
    """A trial that this machine cannot do, and what it would take."""


@dataclass(frozen=True)
class Finding:
    """One promise, and what was seen of it. saw: figures or a message, never a secret.

    figure: the number in ``saw`` that counts, the larger the worse; the table shows the worst of all rounds.
    """

    promise: str
    kept: bool
    saw: str
    figure: float = 0.0


@dataclass(frozen=True)
class Ground:
    """What a trial has. folder: empty, its own. random: seeded for this trial, so it can be repeated without others."""

    stack: Stack
    folder: Path
    random: random.Random


@dataclass(frozen=True)
class Trial:
    """One fault for one victim. group: the family it is shown with. seconds: about how long it takes.

    It leaves the stack as it found it, also when it fails, and no process and no mount behind. name: unlike all others.
    ``run`` raises LeftOut where this machine cannot do it; all else that it raises is a finding.
    """

    group: str
    name: str
    run: t.Callable[[Ground], list[Finding]]
    seconds: float = 10
