# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs commands so that stopping us stops them, too, and gives them time to clean up."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FrameType

GRACE = 60  # seconds that a command has for its cleaning up


def run(command: list[str], directory: Path, environment: Mapping[str, str]) -> int:
    """Run a command to its end and return its exit code; when we are interrupted, end it first."""
    with subprocess.Popen(command, cwd=directory, env=dict(environment)) as process:
        try:
            return process.wait()
        except BaseException:
            process.terminate()
            try:
                process.wait(GRACE)
            except subprocess.TimeoutExpired:
                process.kill()
            raise


@contextlib.contextmanager
def beside(command: list[str], directory: Path, environment: Mapping[str, str]) -> Iterator[Callable[[], int]]:
    """Run a command beside what the block does; the yielded function waits for it, prints its output, returns its code.

    A block that ends otherwise ends the command.
    """
    with (
        tempfile.TemporaryFile("w+") as output,
        subprocess.Popen(
            command, cwd=directory, env=dict(environment), stdout=output, stderr=subprocess.STDOUT
        ) as process,
    ):

        def finish() -> int:
            code = process.wait()
            output.seek(0)
            print(output.read(), end="", flush=True)
            return code

        try:
            yield finish
        finally:
            process.terminate()


def raise_on_termination() -> None:
    """Make SIGTERM and SIGHUP unwind the program as Ctrl-C does, so that what was started is stopped.

    Ctrl-C, too, which a shell has switched off for what it starts in the background: tests send it to what they start.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    signal.signal(signal.SIGINT, signal.default_int_handler)


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """For cleaning up: a second Ctrl-C does not break it off, neither here nor in the commands it runs."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, signal.SIG_IGN) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
