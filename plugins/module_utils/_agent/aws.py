# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What takes AWS's libraries, asked of a process of its own (``aws_process``) that ends with the answer.

botocore with its chain has 8 MiB and more, and a login is rare: an agent that renews must not carry them. The AWS
keys are then not in the agent's memory either, and a ``credential_process`` that hangs can be ended.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import select
import signal
import sys
import time
import typing as t

from .._auth.config import LoginConfig
from .._auth.errors import ConfigError, CredentialsError, LoginError, MetadataError, Retry
from .._auth.request import LoginRequest

# The path is handed over like this, and not in the environment, which a credential_process inherits.
_START = "import sys; sys.path[:] = sys.argv[1:]; from {} import aws_process; aws_process.main()"
_EXTRA = 25  # seconds beyond the connection's time-out: the chain's own sources have time-outs of their own


class MisconfiguredError(ConfigError):
    """No login can work with this configuration; found before any request."""


@dataclasses.dataclass(frozen=True)
class Proof:
    """A login request, and a fingerprint of the AWS credentials that signed it; None for an ec2 one."""

    request: LoginRequest
    keys: str | None


def prove(config: LoginConfig, timeout: float) -> Proof:
    """Return a proof, made now; config: an ec2 one with its nonce. timeout: seconds, of calls to AWS.

    Raises MisconfiguredError, LoginError.
    """
    found = _ask("prove", config, timeout)
    return Proof(LoginRequest(found["body"], found["facts"], tuple(found["secrets"])), found["keys"])


def keys(config: LoginConfig, timeout: float) -> str | None:
    """Return a fingerprint of the AWS credentials that a login would use now; None if there are none."""
    try:
        found: str = _ask("keys", config, timeout)
    except LoginError:
        return None
    return found


def check(config: LoginConfig) -> None:
    """Judge, without a request, what takes AWS's own data to judge. Raises MisconfiguredError."""
    _ask("check", config, 0)


def prepare() -> None:
    """Start the process for the next question now, so that it loads its libraries while the agent loads its own."""
    with contextlib.suppress(OSError):  # which the question meets again
        _waiting.append(_Process())


def _ask(what: str, config: LoginConfig, timeout: float) -> t.Any:
    """Return what the process answers. Raises the LoginError that it met, or one that tells how it ended."""
    question = json.dumps({"what": what, "config": dataclasses.asdict(config), "timeout": timeout})
    try:
        process = _waiting.pop() if _waiting else _Process()
    except OSError as e:
        raise _broken(f"cannot be started ({e.strerror})", "look at the host's memory and limits") from None
    code, output = process.ask(question.encode(), time.monotonic() + timeout + _EXTRA)
    try:
        answer = json.loads(output)
    except ValueError:
        answer = {}
    if "error" in answer:
        raise _error(**answer["error"])
    if "found" in answer:
        return answer["found"]
    if code is None:
        raise _broken(f"did not end within {timeout + _EXTRA:.0f} s", "look at what gives the credentials")
    raise _broken(f"ended with {code} and no answer", "look at the host's memory, and at the libraries of the agent")


class _Process:
    """The process, waiting for its question; it ends if there comes none. Raises OSError if it cannot be started.

    By hand, as the module subprocess has as much memory as twenty of these.
    """

    def __init__(self) -> None:
        theirs, self._question = os.pipe()
        self._answer, output = os.pipe()
        flags = ["-I"] * sys.flags.isolated + ["-O"] * sys.flags.optimize + ["-B"] * sys.dont_write_bytecode
        try:
            self._pid = os.posix_spawn(
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


_waiting: list[_Process] = []


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


def _broken(text: str, hint: str) -> CredentialsError:
    return CredentialsError(f"the process that signs the login {text}", hint=hint, retry=Retry.TRANSIENT)


def _error(kind: str, what: str, server: str, hint: str, retry: str, option: str) -> LoginError:
    if kind == MisconfiguredError.__name__:
        return MisconfiguredError(option, what[len(option) + 2 :], hint=hint)
    kinds = {one.__name__: one for one in (CredentialsError, MetadataError)}
    return kinds.get(kind, LoginError)(what, server=server, hint=hint, retry=Retry(retry))
