# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action plugin: censors exactly the results that carry a secret, and refuses async."""

from __future__ import annotations

import types
import typing as t

import pytest
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.vaultfleet.aws.plugins.action import aws_vault_login


class Connection:
    """A connection that remembers its options."""

    def __init__(self, refuses: bool = False) -> None:
        self.options: dict[str, t.Any] = {}
        self.refuses = refuses

    def set_option(self, name: str, value: object) -> None:
        if self.refuses:
            raise KeyError(name)
        self.options[name] = value


def run(
    monkeypatch: pytest.MonkeyPatch,
    result: dict[str, t.Any],
    seconds: int = 0,
    connection: Connection | None = None,
    **arguments: t.Any,
) -> dict[str, t.Any]:
    """Run the plugin for a module that returns ``result``."""
    plugin = aws_vault_login.ActionModule.__new__(aws_vault_login.ActionModule)
    plugin._task = types.SimpleNamespace(async_val=seconds, args=arguments)
    plugin._connection = connection or Connection()
    monkeypatch.setattr(ActionBase, "run", lambda *_args: {})
    monkeypatch.setattr(plugin, "_execute_module", lambda task_vars: dict(result), raising=False)
    return plugin.run(task_vars={})


SECRET: list[dict[str, t.Any]] = [
    {"login": {"auth": {"client_token": "hvs.x"}}},
    {"login": {"auth": None, "wrap_info": {"token": "hvs.x"}}},
    {"login": {"auth": {"accessor": "a"}}, "nonce": "n"},
    {"nonce": "n"},
    {"failed": True, "nonce": "n"},
    {"login": {"auth": {"accessor": "a", "metadata": {"nonce": "n"}}}},
]
OPEN: list[dict[str, t.Any]] = [
    {},
    {"changed": True},
    {"changed": False, "diff": {"before": {}, "after": {}}},
    {"failed": True, "msg": "no -- do this"},
    {"login": {"auth": {"accessor": "a"}}},
    {"login": {"auth": {"client_token": ""}, "wrap_info": None}},
    {"login": {"wrap_info": {"token": None}}},
    {"login": None, "nonce": None},
]


@pytest.mark.parametrize("result", SECRET)
def test_secret(monkeypatch: pytest.MonkeyPatch, result: dict[str, t.Any]) -> None:
    """Hidden, and still all there for ``register``."""
    assert run(monkeypatch, result) == {**result, "_ansible_no_log": True}


@pytest.mark.parametrize("result", OPEN)
def test_open(monkeypatch: pytest.MonkeyPatch, result: dict[str, t.Any]) -> None:
    """Shown: a hint or a diff that nobody can see helps nobody."""
    assert run(monkeypatch, result) == result


def test_async(monkeypatch: pytest.MonkeyPatch) -> None:
    """The token would lie in a file on the host."""
    with pytest.raises(AnsibleActionFail, match="cannot run with async"):
        run(monkeypatch, {}, seconds=60)


@pytest.mark.parametrize(
    ("arguments", "piped"),
    [
        ({}, False),
        ({"role": "web", "access_key": "AKIA"}, False),
        ({"secret_key": ""}, False),
        ({"secret_key": "s"}, True),
        ({"aws_secret_access_key": "s"}, True),
        ({"session_token": "s"}, True),
        ({"nonce": "n"}, True),
    ],
)
def test_secrets_in_options_stay_off_the_disk(
    monkeypatch: pytest.MonkeyPatch, arguments: dict[str, t.Any], piped: bool
) -> None:
    """A task that hands secrets over is piped; others run as the user's settings say."""
    connection = Connection()
    run(monkeypatch, {}, connection=connection, **arguments)
    assert connection.options == ({"pipelining": True} if piped else {})


def test_connection_that_cannot(monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes on as it can."""
    assert run(monkeypatch, {"changed": True}, connection=Connection(refuses=True), nonce="n") == {"changed": True}
