# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is fuzzed, and what must hold of each end: unit tests try a few examples of it, ``make fuzz`` thousands."""

from __future__ import annotations

import dataclasses
import typing as t

import hypothesis.strategies as st
from hypothesis import HealthCheck, given, settings

from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.errors import ConfigError

FINE = "fine"
CANARY = "canary-of-a-secret-0123456789"
_LONGEST = 2000  # characters of an error

T = t.TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Target:
    """A part that takes what others made.

    text: what is given to it. examples: of plain values (and bytes), so that a found one can be kept as JSON. judge:
    tries one, and returns the kind of its end: FINE, or the name of an error that is allowed. Raises AssertionError, or
    whatever comes that should not. share: of all examples, beside the other targets'.
    """

    name: str
    text: str
    examples: st.SearchStrategy[t.Any] = dataclasses.field(repr=False)
    judge: t.Callable[[t.Any], str]
    share: int = 1


def bounded(examples: int) -> t.Callable[[T], T]:
    """So many examples, the same in each run, with nothing left on disk."""
    return settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )


def try_out(target: Target, examples: int) -> None:
    """Judge a few examples, as a test does."""

    @bounded(examples)
    @given(target.examples)
    def trial(example: t.Any) -> None:
        target.judge(example)

    trial()


def ended(
    work: t.Callable[[], object], *kinds: type[Exception], options: t.Container[str] | None = None, given: object = None
) -> str:
    """The kind of the end of ``work``, in which errors of ``kinds`` are fine if they are fit to be shown.

    options: the names that an error of an option may have, beside those in ``given``; None is any.
    """
    try:
        work()
    except kinds as e:
        error = e
    else:
        return FINE
    shown(str(error))
    if isinstance(error, ConfigError):
        name = error.option.partition(".")[0]
        assert name, f"an error without its option: {error}"
        assert str(error).startswith(error.option), f"an option that is not named: {error}"
        known = options is None or name in options or (isinstance(given, dict) and any_starts(given, error.option))
        assert known, f"{name} is no option: {error}"
    return type(error).__name__


def any_starts(given: t.Mapping[str, object], option: str) -> bool:
    """Whether ``option`` is a name that was given; an error repeats the beginning of a long one."""
    return any(str(name).startswith(option) for name in given)


def shown(text: str) -> None:
    """What is shown to people: one line of bearable length, without secrets."""
    assert text, "an empty error"
    assert text.isprintable(), f"not fit to be shown: {text!r}"
    assert len(text) <= _LONGEST, f"{len(text)} characters: {text!r}"
    assert CANARY not in text, f"a secret: {text!r}"
    assert "Traceback" not in text, text
