# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Starts the process that ``aws`` asks. Alone in a file without the core, so that the agent's start begins with it."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time

# The path is handed over like this, and not in the environment, which a credential_process inherits.
_START = "import sys; sys.path[:] = sys.argv[1:]; from {} import aws_process; aws_process.main()"
_waiting: list[Process] = []


def prepare() -> None:
    """Start the process for the next question now, so that it loads its libraries while the agent loads its own."""
    with contextlib.suppress(OSError):  # which the question meets again
        _waiting.append(Process())


def start() -> Process:
    """Return a process, the prepared one if there is one. Raises OSError."""
    try:
        return _waiting.pop()
    except IndexError:
        return Process()


class Process:
    """The process, waiting for its question; it ends if there comes none. Raises OSError if it cannot be started.

    By hand: the module subprocess would have half a MiB, for good.
    """

    def __init__(self) -> None:
        theirs, self._question = os.pipe()
        self._answer, output = os.pipe()
        flags = ["-I"] * sys.flags.isolated + ["-O"] * sys.flags.optimize + ["-B"] * sys.dont_write_bytecode
        try:
            self._pid = os.posix_spawn(  # pylint: disable=ansible-bad-function  # a service has no module to run it
                sys.executable,
                [sys.executable, *flags, "-c", _START.format(__package__), *sys.path],
                os.environ,
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, theirs, 0),
                    (os.POSIX_SPAWN_DUP2, output, 1),
                    # What a library or a credential_process says there may hold secrets.
                    (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
                ],
                setsid=True,  # so that what it started ends with it, and Ctrl-C is for the agent alone
            )
        except BaseException:
            os.close(self._question)
            os.close(self._answer)
            raise
        finally:
            os.close(theirs)
            os.close(output)

    def ask(self, question: bytes, deadline: float) -> tuple[int | None, bytes]:
        """Ask, once: the process's exit code (None if it was ended at the deadline), and its answer."""
        ended = False
        try:
            # If it is gone already, its exit code tells more.
            with contextlib.suppress(BrokenPipeError), open(self._question, "wb") as file:
                file.write(question)
            output, ended = _read(self._answer, deadline)
        finally:
            os.close(self._answer)
            if not ended:
                os.killpg(self._pid, signal.SIGKILL)
            _pid, status = os.waitpid(self._pid, 0)
        return (os.waitstatus_to_exitcode(status) if ended else None), output


def _read(descriptor: int, deadline: float) -> tuple[bytes, bool]:
    """Read to the end: all that came until the deadline, and whether the end came."""
    parts: list[bytes] = []
    while True:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([descriptor], [], [], left)[0]:
            return b"".join(parts), False
        part = os.read(descriptor, 65536)
        if not part:
            return b"".join(parts), True
        parts.append(part)
