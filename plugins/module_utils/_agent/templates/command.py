# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command of a template: its words as they are, without a shell, with an end, and without anything of ours."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import typing as t

_KEPT = ("PATH", "LANG", "LC_ALL", "TZ", "HOME", "USER", "LOGNAME")  # of the environment; nothing that may be secret

_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 47, 4  # linux/prctl.h


class CommandError(Exception):
    """A command failed; ``str()`` says how, and nothing of what the command said."""


def run(words: t.Sequence[str], timeout: float, environ: t.Mapping[str, str]) -> None:
    """Run a program and wait for it; past ``timeout`` seconds it is killed, with what it started. Raises CommandError.

    What it writes is dropped: it may show what was rendered.
    """
    kept = {name: environ[name] for name in _KEPT if name in environ}
    kept.setdefault("PATH", os.defpath)
    program = shutil.which(words[0], path=kept["PATH"])
    if program is None:
        raise CommandError(f"there is no program {words[0]}")
    _bare_commands()
    try:
        process = subprocess.Popen(  # pylint: disable=ansible-bad-function  # a service has no module to run it
            list(words),
            executable=program,
            cwd="/",
            env=kept,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as e:
        raise CommandError(f"{words[0]} cannot be run: {e.strerror}") from None
    try:
        code = process.wait(timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise CommandError(f"{words[0]} took longer than {timeout:.0f} s, and was killed") from None
    if code:
        ended = f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
        raise CommandError(f"{words[0]} {ended}")


def _bare_commands() -> None:
    """What this thread starts gets none of the capabilities by which the agent gives files away. The thread keeps them.

    Nothing in Python's library does it. See capabilities(7), "Ambient", and prctl(2).
    """
    with open("/proc/thread-self/status", encoding="utf-8") as stream:
        if not any(line.startswith("CapAmb:") and int(line.split()[1], 16) for line in stream):
            return
    import ctypes  # no other agent has to carry it

    if ctypes.CDLL(None).prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0:
        raise CommandError("this system does not take the agent's capabilities from commands")
