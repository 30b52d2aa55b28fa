# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wrong with a configuration: all of it at once, each with the file and the key where it stands."""

from __future__ import annotations

import dataclasses
import typing as t

from .._auth.errors import ConfigError, LoginError, SinkError

_LONGEST = 300  # characters of one text

Value = t.TypeVar("Value")


@dataclasses.dataclass(frozen=True)
class Problem:
    """One mistake. file: path, or "environment". key: path of the key, or "". position: ":line:column", or ""."""

    file: str
    key: str
    text: str
    hint: str = ""
    position: str = ""

    def __str__(self) -> str:
        where = ": ".join(part for part in (self.file + self.position, self.key) if part)
        line = f"{where}: {self.text}" if where else self.text
        return printable(f"{line} -- {self.hint}" if self.hint else line)


class ConfigErrors(LoginError):  # noqa: N818 (it is several)
    """The configuration cannot be used; ``problems`` says all that is wrong with it, ``str()`` one a line."""

    def __init__(self, problems: t.Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def printable(text: str) -> str:
    """Return ``text`` as one line that any terminal, log and encoding takes: what is not printable is escaped."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def judge(
    build: t.Callable[[t.Mapping[str, t.Any]], Value],
    options: t.Mapping[str, t.Any],
    report: t.Callable[[str, str, str], None],
    *,
    stand_ins: t.Mapping[str, t.Any] | None = None,
    left_out: t.Iterable[str] = (),
) -> Value | None:
    """Return what ``build`` makes of ``options``, or None after ``report(option, text, hint)`` of every mistake.

    The core stops at the first mistake. So the option that it names is left out, or replaced by its stand-in if it is
    a required one, and the rest judged again, until nothing is found but what follows from an option left out.
    left_out: options that are missing because somebody has reported them before.
    """
    stand_ins = stand_ins or {}
    handled = set(left_out)
    options = {**{name: stand_ins[name] for name in handled if name in stand_ins}, **options}
    while True:
        try:
            value = build(options)
            return None if handled else value
        except ConfigError as e:
            option, text = e.option.rpartition(".")[2], e.what[len(e.option) + 2 :]
            if option in handled or handled.intersection(text.replace(",", " ").split()):
                return None
            report(option, text[:_LONGEST], e.hint)
            handled.add(option)
            if option in stand_ins:
                options[option] = stand_ins[option]
            elif option in options:
                del options[option]
            else:
                return None
        except SinkError as e:
            report("path", ": ".join(part for part in (e.what, e.server) if part)[:_LONGEST], e.hint)
            return None
