# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What takes AWS's libraries, asked of a process of its own (``aws_process``) that ends with the answer.

botocore with its chain has 8 MiB and more, and a login is rare: an agent that renews must not carry them. Nor does it
keep the AWS keys that a login finds, and a ``credential_process`` that hangs can be ended.
"""

from __future__ import annotations

import dataclasses
import json
import time
import typing as t

from .._auth.config import LoginConfig
from .._auth.errors import ConfigError, CredentialsError, LoginError, MetadataError, Retry
from .._auth.request import LoginRequest
from . import child

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


def _ask(what: str, config: LoginConfig, timeout: float) -> t.Any:
    """Return what the process answers. Raises the LoginError that it met, or one that tells how it ended."""
    question = json.dumps({"what": what, "config": dataclasses.asdict(config), "timeout": timeout})
    try:
        process = child.start()
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


def _broken(text: str, hint: str) -> CredentialsError:
    return CredentialsError(f"the process that signs the login {text}", hint=hint, retry=Retry.TRANSIENT)


def _error(kind: str, what: str, server: str, hint: str, retry: str, option: str) -> LoginError:
    if kind == MisconfiguredError.__name__:
        return MisconfiguredError(option, what[len(option) + 2 :], hint=hint)
    kinds = {one.__name__: one for one in (CredentialsError, MetadataError)}
    return kinds.get(kind, LoginError)(what, server=server, hint=hint, retry=Retry(retry))
