# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action plugin: censors exactly the results that carry a secret, and refuses async."""

from __future__ import annotations

import sys
import types
import typing as t

import pytest
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.vaultfleet.aws.plugins.action import aws_vault_login
from ansible_collections.vaultfleet.aws.plugins.module_utils import _login_task
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth import lib_hvac
from ansible_collections.vaultfleet.aws.plugins.plugin_utils import _in_place


class Connection:
    """A connection that remembers its options."""

    def __init__(self, refuses: bool = False, transport: str = "ssh", become: object = None) -> None:
        self.options: dict[str, t.Any] = {}
        self.refuses = refuses
        self.transport = transport
        self.become = become
        self._play_context = types.SimpleNamespace(no_log=False)

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
    plugin._task = types.SimpleNamespace(async_val=seconds, args=arguments, delegate_to=None)
    plugin._connection = connection or Connection()
    monkeypatch.setattr(ActionBase, "run", lambda *_args: {})
    shown: list[bool] = []

    def execute(task_vars: object) -> dict[str, t.Any]:
        shown.append(not plugin._connection._play_context.no_log)
        return dict(result)

    monkeypatch.setattr(plugin, "_execute_module", execute, raising=False)
    returned: dict[str, t.Any] = plugin.run(task_vars={})
    # From -vvv on, the connection shows what a module printed, if it is not told otherwise.
    assert (shown, plugin._connection._play_context.no_log) == ([False], False)
    return returned


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


HERE = {"ansible_python_interpreter": sys.executable}
ELSEWHERE = {"ansible_python_interpreter": "/usr/libexec/platform-python"}


@pytest.mark.parametrize(
    ("task", "connection", "variables", "in_place"),
    [
        ({}, {}, HERE, True),
        ({}, {}, {"ansible_python_interpreter": "{{ ansible_playbook_python }}"}, True),
        ({"delegate_to": "localhost"}, {}, {"ansible_delegated_vars": {"localhost": HERE}, **ELSEWHERE}, True),
        ({"environment": [{}, None]}, {}, HERE, True),
        ({}, {"transport": "ssh"}, HERE, False),
        ({}, {"become": "sudo"}, HERE, False),
        ({"environment": [{"VAULT_ADDR": "https://vault.test"}]}, {}, HERE, False),
        ({}, {}, ELSEWHERE, False),
        ({}, {}, {}, False),
        ({"delegate_to": "other"}, {}, {"ansible_delegated_vars": {"other": ELSEWHERE}, **HERE}, False),
        ({"delegate_to": "other"}, {}, HERE, False),
    ],
)
def test_where_the_work_is_done(
    monkeypatch: pytest.MonkeyPatch,
    task: dict[str, t.Any],
    connection: dict[str, t.Any],
    variables: dict[str, t.Any],
    in_place: bool,
) -> None:
    """In this process, only where a module would find the same machine, user, Python and environment."""
    plugin = aws_vault_login.ActionModule.__new__(aws_vault_login.ActionModule)
    plain = {"async_val": 0, "args": {"role": "web"}, "delegate_to": None, "environment": [], "check_mode": True}
    plugin._task = types.SimpleNamespace(**{**plain, **task})
    plugin._connection = Connection(**{"transport": "local", **connection})
    known = {"{{ ansible_playbook_python }}": sys.executable}
    plugin._templar = types.SimpleNamespace(template=lambda text: known.get(text, text))
    monkeypatch.setattr(ActionBase, "run", lambda *_args: {})
    monkeypatch.setattr(plugin, "_execute_module", lambda task_vars: {"msg": "a module"}, raising=False)
    monkeypatch.setattr(_in_place, "run", lambda arguments, check: {"arguments": arguments, "check": check})
    expected = {"arguments": {"role": "web"}, "check": True} if in_place else {"msg": "a module"}
    assert plugin.run(task_vars=variables) == expected


def test_what_is_for_ansible_to_say(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wrong arguments and missing libraries, which the module finds by itself."""
    assert _in_place.run({"rolle": "web"}, False) is None
    assert _in_place.run({"retries": "many"}, False) is None
    assert _in_place.run({"region": "us-east-1", "aws_region": "us-east-1"}, False) is None
    monkeypatch.setattr(lib_hvac, "MISSING", ImportError("No module named 'hvac'"))
    assert _in_place.run({"role": "web"}, False) is None


def test_secrets_are_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the module does, wherever they stand."""
    proxies = {"https": "http://me:canary-of-a-proxy@proxy.test"}
    options = {"role": "web", "secret_key": "canary-of-a-secret-key", "proxies": proxies}
    said = f"canary-of-a-secret-key, {proxies['https']}, web"
    monkeypatch.setattr(_login_task, "run", lambda _task: {"msg": said, "login": {"a": [said]}})
    result = _in_place.run(options, False)
    assert result is not None
    assert "canary" not in str(result)
    assert result["msg"].endswith(", web")


def test_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its kind and place alone."""

    def fail(_task: object) -> t.NoReturn:
        raise ValueError("canary-of-a-token")

    monkeypatch.setattr(_login_task, "run", fail)
    with pytest.raises(
        AnsibleActionFail, match=r"a bug of aws_vault_login: ValueError at test_aws_vault_login.py:\d+$"
    ):
        _in_place.run({"role": "web"}, False)
