# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the module returns, in the shape of Vault's own answers."""

from __future__ import annotations

import dataclasses
import time
import typing as t
from datetime import datetime, timezone

from ._auth import clock
from ._auth.errors import redact
from ._auth.login import LoggedIn
from ._auth.token import Token


class Task(t.Protocol):
    """What the work needs of the one who asks for it; an AnsibleModule is one."""

    @property
    def params(self) -> t.Mapping[str, t.Any]:
        """All options, judged by their specification."""

    @property
    def check_mode(self) -> bool:
        """Whether nothing may be changed."""

    def warn(self, warning: str) -> None:
        """Tell the user something that is no error."""


def result_of_login(task: Task, done: LoggedIn, give_token: bool) -> dict[str, t.Any]:
    """The result for a login that was made."""
    answer = dict(done.login.answer)
    warnings = answer.get("warnings")
    for warning in warnings if isinstance(warnings, list) else []:
        task.warn(f"Vault says: {redact(str(warning))}")
    if not give_token and isinstance(answer.get("auth"), dict):
        answer["auth"] = {name: value for name, value in answer["auth"].items() if name != "client_token"}
    result: dict[str, t.Any] = {"changed": True, "login": answer, "identity": dataclasses.asdict(done.identity)}
    if done.login.token:
        result["expires_at"] = expiry(done.login.token)
    if done.nonce:
        result["nonce"] = done.nonce
        task.warn(
            "A nonce was made for this login and is in the result as 'nonce'. Until an operator deletes the instance's"
            " entry in identity-accesslist, this instance can log in with that nonce only: keep it, as a secret."
        )
    return result


def result_of_token(token: Token, give_token: bool) -> dict[str, t.Any]:
    """The result for a token that was in the sink."""
    auth = {
        "accessor": token.accessor,
        "lease_duration": 0 if token.ttl == 0 else int(token.left(clock.now())),
        "policies": list(token.policies),
        "renewable": token.renewable,
    }
    if give_token:
        auth["client_token"] = token.client_token
    return {"login": {"auth": auth}, "expires_at": expiry(token)}


def utc(seconds: float) -> str:
    """A time since the epoch as ISO 8601 has it."""
    return datetime.fromtimestamp(int(seconds), timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def expiry(token: Token) -> str | None:
    """When the token ends, as ``utc`` has it; None for never."""
    return None if token.ttl == 0 else utc(time.time() + token.left(clock.now()))
