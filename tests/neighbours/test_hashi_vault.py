# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""community.hashi_vault reads and writes with a token from here, and its login can be swapped for ours."""

from __future__ import annotations

import json
import typing as t

from tests.stack.handle import Stack

from .conftest import OURS, User

PEER = "community.hashi_vault"
TOKEN = "{{ " + OURS + " }}"
MINE = "vault_login"


def demo(stack: Stack) -> t.Any:
    """The secret of the tests."""
    return stack.root("GET", stack.env["STACK_DEMO_SECRET_PATH"])["data"]["data"]


def test_lookup(user: User, stack: Stack) -> None:
    """Its lookup on five hosts, twice on each, costs one login."""
    before = stack.logins()
    read = "{{ lookup('community.hashi_vault.vault_kv2_get', 'demo', token=" + OURS + ").secret.username }}"
    task = {"ansible.builtin.assert": {"that": "name == '" + demo(stack)["username"] + "'"}, "vars": {"name": read}}
    user.play(task, task, hosts=[f"host{number}" for number in range(5)])
    assert stack.logins() == before + 1


def test_module_defaults(user: User, stack: Stack) -> None:
    """Its modules take the token from the defaults of their group."""
    before = stack.logins()
    user.play(
        {f"{PEER}.vault_kv2_get": {"path": "demo"}, "register": "secret", "no_log": True},
        {"ansible.builtin.assert": {"that": f"secret.secret.username == '{demo(stack)['username']}'"}},
        module_defaults={f"group/{PEER}.vault": {"token": TOKEN}},
    )
    assert stack.logins() == before + 1


def test_swapped_login(user: User, stack: Stack) -> None:
    """The task with the other module's name and without ``auth_method``: same options, same shape, same use."""
    options = {"role_id": "web", "aws_iam_server_id": stack.env["STACK_HEADER_VALUE"], "mount_point": "aws"}
    kept = user.folder / "kept"
    shapes = []
    for module, more in ((f"{PEER}.vault_login", {"auth_method": "aws_iam"}), ("vaultfleet.aws.aws_vault_login", {})):
        shown = user.play(
            {module: {**options, **more}, "register": MINE},
            {
                f"{PEER}.vault_kv2_get": {"path": "demo", "token": "{{ vault_login.login.auth.client_token }}"},
                "register": "secret",
                "no_log": True,
            },
            {
                "ansible.builtin.copy": {
                    "content": "{{ {'login': vault_login.login, 'secret': secret.secret} | to_json }}",
                    "dest": str(kept),
                    "mode": "0600",
                },
                "no_log": True,
            },
        )
        found = json.loads(kept.read_text(encoding="utf-8"))
        assert found["secret"] == demo(stack)
        # That the other module prints the token is why people change.
        assert (found["login"]["auth"]["client_token"] in shown) is (PEER in module)
        shapes.append((set(found["login"]), set(found["login"]["auth"])))
    theirs, ours = shapes
    assert theirs[0] <= ours[0]
    assert theirs[1] <= ours[1]
