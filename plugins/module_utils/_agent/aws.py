# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What takes AWS's libraries, asked of a process of its own (``aws_process``) that ends with the answer.

botocore with its chain has 8 MiB and more, and a login is rare: an agent that renews must not carry them. The AWS
keys are then not in the agent's memory either, and a ``credential_process`` that hangs can be ended.
"""

from __future__ import annotations

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


def prove(config: LoginConfig, timeout: float) -> LoginRequest:
    """Return a login request, signed or fetched now; config: an ec2 one with its nonce. timeout: seconds, of calls to
    AWS. Raises MisconfiguredError, LoginError.
    """
    found = _ask("prove", config, timeout)
    return LoginRequest(found["body"], found["facts"], tuple(found["secrets"]))


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


def _ask(what: str, config: LoginConfig, timeout: float) -> t.Any:
    """Return what the process answers. Raises the LoginError that it met, or one that tells how it ended."""
    question = json.dumps({"what": what, "config": dataclasses.asdict(config), "timeout": timeout})
    code, output = _run(question.encode(), time.monotonic() + timeout + _EXTRA)
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


def _run(question: bytes, deadline: float) -> tuple[int | None, bytes]:
    """Run the process: its exit code (None if it was ended at the deadline), and its answer.

    By hand, as the module subprocess has as much memory as twenty of these.
    """
    flags = ["-I"] * sys.flags.isolated + ["-O"] * sys.flags.optimize
    asked = os.memfd_create("question", os.MFD_CLOEXEC)
    reader, writer = os.pipe()
    try:
        os.pwrite(asked, question, 0)
        child = os.posix_spawn(
            sys.executable,
            [sys.executable, *flags, "-c", _START.format(__package__), *sys.path],
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_DUP2, asked, 0),
                (os.POSIX_SPAWN_DUP2, writer, 1),
                # What a library or a credential_process says there may hold secrets.
                (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
            ],
            setsid=True,  # so that what it started ends with it, and Ctrl-C is for the agent alone
        )
    except BaseException:
        os.close(reader)
        raise
    finally:
        os.close(asked)
        os.close(writer)
    ended = False
    try:
        output, ended = _read(reader, deadline)
    finally:
        os.close(reader)
        if not ended:
            os.killpg(child, signal.SIGKILL)
        _pid, status = os.waitpid(child, 0)
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


def _broken(text: str, hint: str) -> CredentialsError:
    return CredentialsError(f"the process that signs the login {text}", hint=hint, retry=Retry.TRANSIENT)


def _error(kind: str, what: str, server: str, hint: str, retry: str, option: str) -> LoginError:
    if kind == MisconfiguredError.__name__:
        return MisconfiguredError(option, what[len(option) + 2 :], hint=hint)
    kinds = {one.__name__: one for one in (CredentialsError, MetadataError)}
    return kinds.get(kind, LoginError)(what, server=server, hint=hint, retry=Retry(retry))
