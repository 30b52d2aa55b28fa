# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The process that ``aws`` asks: one question on standard input, one answer on standard output, both JSON."""

from __future__ import annotations

import hashlib
import json
import sys
import typing as t

from .._auth import chain, iam, login
from .._auth.config import LoginConfig
from .._auth.credentials import Credentials, find_credentials
from .._auth.errors import ConfigError, LoginError

# Not needed with static keys; but it loads here, while nobody waits.
_LOADED = chain


def main() -> None:
    """Answer one question."""
    question = json.load(sys.stdin)
    config = LoginConfig(**question["config"])
    answer: dict[str, t.Any]
    try:
        login.check(config)
    except ConfigError as e:
        answer = _told(e, "MisconfiguredError", option=e.option)
    else:
        try:
            answer = {"found": _QUESTIONS[question["what"]](config, question["timeout"])}
        except LoginError as e:
            answer = _told(e, type(e).__name__)
    json.dump(answer, sys.stdout)


def _told(error: LoginError, kind: str, option: str = "") -> dict[str, t.Any]:
    return {
        "error": {
            "kind": kind,
            "what": error.what,
            "server": error.server,
            "hint": error.hint,
            "retry": error.retry.value,
            "option": option,
        }
    }


def _prove(config: LoginConfig, timeout: float) -> dict[str, t.Any]:
    if config.type == "iam":
        target = login.signing_target(config)
        found = find_credentials(config, target.region, timeout=timeout)
        request, keys = iam.login_request(config, found, target), _fingerprint(config, found)
    else:
        from .._auth import ec2, imds

        document = imds.identity_document(config.signature_type)
        request, keys = ec2.login_request(config, document, str(config.nonce)), None
    return {"body": dict(request.body), "facts": dict(request.facts), "secrets": [*request.secrets], "keys": keys}


def _keys(config: LoginConfig, timeout: float) -> str:
    return _fingerprint(config, find_credentials(config, login.signing_target(config).region, timeout=timeout))


def _fingerprint(config: LoginConfig, found: Credentials) -> str:
    if config.assume_role_arn:
        return found.provider  # a new session each time: its keys tell nothing
    return hashlib.sha256(f"{found.access_key} {found.secret_key}".encode()).hexdigest()


def _check(config: LoginConfig, timeout: float) -> None:
    """Nothing more than what comes before every answer."""


_QUESTIONS: dict[str, t.Callable[[LoginConfig, float], t.Any]] = {"prove": _prove, "keys": _keys, "check": _check}
