# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The work of the module: its options, and what comes of them."""

from __future__ import annotations

import typing as t

from . import _options
from ._auth import environment, lib_botocore, lib_hvac
from ._auth.durations import parse_duration
from ._auth.errors import ConfigError
from ._auth.login import check, log_in
from ._auth.vault import Vault
from ._results import Task, result_of_login

FRONT_END = "aws_vault_login"
ARGUMENT_SPEC: dict[str, dict[str, t.Any]] = {
    **_options.LOGIN_SPEC,
    **_options.UNWRAP_SPEC,
    **_options.CONNECTION_SPEC,
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "sink": {
        "type": "dict",
        "options": {
            "path": {"type": "path", "required": True},
            "mode": {"type": "raw", "default": "0600"},
            "owner": {"type": "str"},
            "group": {"type": "str"},
        },
    },
    "min_ttl": {"type": "str", "default": "60s"},
    "return_token": {"type": "bool", "no_log": False},
}


def missing(params: t.Mapping[str, t.Any]) -> tuple[str, ImportError] | None:
    """The library that the work takes and this Python lacks, and what its import raised; None if all is there."""
    if lib_botocore.MISSING and not params["wrapping_token"]:
        return "boto3", lib_botocore.MISSING
    return ("hvac", lib_hvac.MISSING) if lib_hvac.MISSING else None


def run(task: Task) -> dict[str, t.Any]:
    """Do what the options say; the result. Raises LoginError."""
    if task.params["wrapping_token"]:
        # Most tasks need not load this, nor what a sink takes.
        from . import _unwrap_task

        return _unwrap_task.present(task, _connect(task))
    return _run_with_sink(task) if task.params["sink"] else _run(task)


def _run(task: Task) -> dict[str, t.Any]:
    """Log in, and return the token."""
    if task.params["state"] == "absent":
        raise ConfigError("sink", "is missing, but state is absent", hint="name the token file to revoke and remove")
    if task.params["return_token"] is False:
        raise ConfigError("return_token", "false without sink would lose the token", hint="give sink, or remove it")
    vault = _connect(task)
    config = _options.login_config(task.params)
    check(config)
    return {"changed": True} if task.check_mode else result_of_login(task, log_in(config, vault), True)


def _run_with_sink(task: Task) -> dict[str, t.Any]:
    """Keep a good token in the sink, or remove it from there."""
    from . import _sink_task
    from ._auth.sink import Sink

    vault = _connect(task)
    place = Sink.from_options("sink", task.params["sink"])
    if task.params["state"] == "absent":
        return _sink_task.absent(task, place, vault)
    config = _options.login_config(task.params)
    if config.wrap_ttl:
        raise ConfigError("wrap_ttl", "cannot go with sink", hint="a wrapping token is for one use: remove one of them")
    min_ttl = parse_duration("min_ttl", task.params["min_ttl"])
    check(config)
    return _sink_task.present(task, place, config, vault, min_ttl, task.params["return_token"] is True)


def _connect(task: Task) -> Vault:
    """The server that the options name; no request is made yet. Raises ConfigError."""
    connection = _options.vault_connection(task.params)
    for warning in environment.warnings(connection):
        task.warn(warning)
    return Vault(connection, FRONT_END)
