# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Events, one a line, on stderr: for people as Vault Agent writes them, as JSON, or for the journal."""

from __future__ import annotations

import contextlib
import json
import math
import os
import sys
import time
import typing as t

from .._auth.errors import mask
from .problems import printable

if t.TYPE_CHECKING:
    from .config import AgentConfig

# Of each level: how it is shown, and its priority in the journal (sd-daemon(3)).
_LEVELS = {"trace": ("[TRACE]", 7), "debug": ("[DEBUG]", 7), "info": ("[INFO] ", 6), "warn": ("[WARN] ", 4)}
_LEVELS["error"] = ("[ERROR]", 3)
_ORDER = tuple(_LEVELS)


class Log:
    """Writes the events of ``level`` and above to ``stream``, in ``format`` standard or json.

    Under systemd a line has a priority, and no time, which the journal has itself. Token-like text is masked, whatever
    it came with. A line that cannot be written is lost: an agent does its work without a log, too.
    """

    def __init__(self, level: str, format: str, stream: t.TextIO, environ: t.Mapping[str, str]) -> None:  # noqa: A002
        self._threshold = _ORDER.index(level)
        self._json = format == "json"
        self._stream = stream
        self._journal = _is_journal(stream, environ)

    @classmethod
    def from_config(cls, config: AgentConfig, environ: t.Mapping[str, str]) -> Log:
        """The log on stderr that a configuration asks for."""
        return cls(config.log_level, config.log_format, sys.stderr, environ)

    def say(self, level: str, message: str, /, **fields: t.Any) -> None:
        """Write one event; level: trace, debug, info, warn or error. Never raises for what it cannot write."""
        if _ORDER.index(level) < self._threshold:
            return
        shown, priority = _LEVELS[level]
        line = f"<{priority}>" if self._journal else ""
        now = time.time_ns() // 1_000_000
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now // 1000)) + f".{now % 1000:03d}Z"
        message = mask(message)
        if self._json:
            event: dict[str, t.Any] = {"@level": level, "@message": message, "@module": "agent", "@timestamp": stamp}
            event.update({name: _plain(value) for name, value in fields.items()})
            line += json.dumps(event)
        else:
            line += "agent: " if self._journal else f"{stamp} {shown} agent: "
            line += printable(message) + "".join(f" {name}={_shown(_plain(value))}" for name, value in fields.items())
        self._write(line + "\n")

    def _write(self, line: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            try:
                descriptor = self._stream.fileno()
            except OSError:  # a stream in memory
                self._stream.write(line)
                return
            # Not through the stream: what it cannot write stays in its buffer, and spoils the exit code at the end.
            rest = line.encode("utf-8", "backslashreplace")
            while rest:
                rest = rest[os.write(descriptor, rest) :]


def silence_libraries() -> None:
    """Keep what Python and its libraries log or warn of out of stderr, for the whole process.

    botocore writes session tokens into its debug log, and urllib3 warns in lines that are no events of ours.
    """
    import logging
    import warnings

    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")


def _is_journal(stream: t.TextIO, environ: t.Mapping[str, str]) -> bool:
    """Whether the stream goes to the journal (systemd.exec(5), JOURNAL_STREAM)."""
    try:
        found = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


def _plain(value: object) -> str | int | float | bool | None:
    """What JSON has, else text."""
    if value is None or isinstance(value, (bool, int)) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return mask(str(value))


def _shown(value: str | int | float | bool | None) -> str:
    if not isinstance(value, str):
        return json.dumps(value)
    if value and not any(c in value for c in " =\"'\\") and value.isprintable():
        return value
    return printable(json.dumps(value, ensure_ascii=False))
