# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Durations as Vault writes them."""

from __future__ import annotations

import re

from .errors import ConfigError

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_WHOLE = r"(?:\d{1,10}(?:\.\d{1,6})?(?:ms|s|m|h|d))+"
_PART = r"(\d+(?:\.\d+)?)(ms|s|m|h|d)"
_LONGEST = 10 * 365 * 86400


def parse_duration(option: str, value: object, *, minimum: int = 0) -> int:
    """Return ``value`` in whole seconds: an integer (or its decimal text) is seconds, else Go's form like ``1h30m``.

    Rule: Vault's duration strings (developer.hashicorp.com/vault/docs/concepts/duration-format). Raises ConfigError
    for anything else, for fractions of a second, and outside ``minimum`` to ten years.
    """
    seconds: float
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise ConfigError(option, f"a {type(value).__name__} is not a duration", hint=_hint())
    text = str(value).strip()
    if re.fullmatch(r"-?\d{1,12}", text, re.ASCII):
        seconds = int(text)
    elif re.fullmatch(_WHOLE, text, re.ASCII):
        seconds = round(sum(float(number) * _UNITS[unit] for number, unit in re.findall(_PART, text, re.ASCII)), 3)
    else:
        raise ConfigError(option, f"{text[:40]!r} is not a duration", hint=_hint())
    if seconds != int(seconds):
        raise ConfigError(option, f"{text[:40]!r} is not in whole seconds", hint=_hint())
    if seconds < minimum or seconds > _LONGEST:
        raise ConfigError(option, f"{text[:40]!r} is outside {minimum} seconds to ten years", hint=_hint())
    return int(seconds)


def _hint() -> str:
    return "give seconds as an integer, or a string such as 90s, 5m or 1h30m"
