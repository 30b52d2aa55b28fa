# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module's work when the token comes in a wrapping token, and no login is made."""

from __future__ import annotations

import typing as t

from . import _options
from ._auth.errors import ConfigError
from ._auth.unwrapped import Wrapping, unwrap
from ._auth.vault import Vault
from ._results import Task, expiry


def present(task: Task, vault: Vault) -> dict[str, t.Any]:
    """Unwrap the token; the result. In check mode it stays wrapped. Raises LoginError."""
    params = task.params
    for option, given in (
        ("sink", params["sink"] is not None),
        ("wrap_ttl", params["wrap_ttl"] is not None),
        ("state", params["state"] == "absent"),
        ("return_token", params["return_token"] is False),
    ):
        if given:
            raise ConfigError(option, "cannot go with wrapping_token", hint="remove one of them")
    _options.judge_secrets(params)
    wrapping = Wrapping.from_options(params)
    if task.check_mode:
        vault.check_wrapping(wrapping.token, wrapping.path)
        return {"changed": True}
    found = unwrap(vault, wrapping)
    result: dict[str, t.Any] = {"changed": True, "login": {"auth": found.auth}}
    if found.token:
        return {**result, "expires_at": expiry(found.token)}
    task.warn("The server does not tell how long the token that was unwrapped lives.")
    return result
