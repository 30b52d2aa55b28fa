# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tokens, nonces and keys are nowhere that Ansible prints or writes, while ``register`` has them."""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

import pytest

from tests.live.core import keys
from tests.live.playbooks import MODULE, Played, Player, TaskData, login, mine
from tests.stack.handle import Stack

# Besides its screen output, Ansible is told to write everything that it can write.
EVERYTHING = {
    "ANSIBLE_CALLBACKS_ENABLED": "ansible.builtin.junit,ansible.builtin.tree",
    "ANSIBLE_LOG_PATH": "written/log",
    "ANSIBLE_LOG_VERBOSITY": "4",
    "JUNIT_OUTPUT_DIR": "written/junit",
    "ANSIBLE_CALLBACK_TREE_DIR": "written/tree",
    "ANSIBLE_RETRY_FILES_ENABLED": "1",
    "ANSIBLE_RETRY_FILES_SAVE_PATH": "written/retry",
    "ANSIBLE_CACHE_PLUGIN": "ansible.builtin.jsonfile",
    "ANSIBLE_CACHE_PLUGIN_CONNECTION": "written/facts",
    "ANSIBLE_DISPLAY_ARGS_TO_STDOUT": "1",
    "ANSIBLE_SHOW_TASK_PATH_ON_FAILURE": "1",
}


def tasks(stack: Stack, folder: Path) -> list[TaskData]:
    """Every way to get a token or a nonce, and every way to fail after one was sent."""
    ec2 = {"type": "ec2", "role": "node"}
    sink = {"path": str(folder / "token")}
    return [
        login("plain", **mine(stack)),
        login("looped", {"loop": ["web", "web-short"]}, **mine(stack, role="{{ item }}")),
        login("retried", {"until": "retried.attempts | default(0) > 1", "retries": 1, "delay": 0}, **mine(stack)),
        login("thought_failed", {"failed_when": True}, **mine(stack)),
        login("thought_unchanged", {"changed_when": False}, **mine(stack)),
        login("shown_by_user", {"no_log": False, "diff": True}, **mine(stack)),
        login("wrapped", **mine(stack), wrap_ttl=60),
        login("first", **ec2),
        login("again", **ec2, nonce="{{ first.nonce }}"),
        login("mismatch", **ec2, nonce="a-wrong-nonce-of-this-test"),
        login("kept", {"diff": True}, **mine(stack), sink=sink),
        login("kept_shown", {"diff": True}, **mine(stack), sink=sink, return_token=True),
        login("refused", **mine(stack, role="other")),
        login("unsigned", **mine(stack, secret_key="the-wrong-key-of-this-test")),
        login("session", **mine(stack), session_token="a-session-token-of-this-test"),
        login("proxied", **mine(stack), proxies="http://me:proxy-password-of-this-test@127.0.0.1:9"),
        login("bad_type", **mine(stack), retries="many"),
        login("bad_option", **mine(stack), rolle="web"),
    ]


def secrets(stack: Stack, played: Played) -> list[str]:
    """What must be nowhere."""
    results = played.results
    auths = [results[name] for name in results] + results["looped"]["results"]
    tokens = [((one.get("login") or {}).get("auth") or {}).get("client_token") for one in auths]
    found = [token for token in tokens if token]
    assert len(found) == 10
    return [
        *found,
        results["first"]["nonce"],
        results["wrapped"]["login"]["wrap_info"]["token"],
        keys(stack).secret_key,
        "a-wrong-nonce-of-this-test",
        "the-wrong-key-of-this-test",
        "a-session-token-of-this-test",
        "proxy-password-of-this-test",
    ]


@pytest.mark.parametrize("screen", ["default", "minimal", "oneline"])
@pytest.mark.parametrize("verbosity", ["-vvvv"])
def test_nothing_shows(stack: Stack, player: Player, instance: str, screen: str, verbosity: str) -> None:
    """The screen at the highest verbosity, the log, and all files; the hints of failures do show."""
    written = player.folder / "written"
    (written / "retry").mkdir(parents=True)
    played = player.play(
        *tasks(stack, player.folder),
        arguments=[verbosity],
        environment={**EVERYTHING, "ANSIBLE_STDOUT_CALLBACK": f"ansible.builtin.{screen}"},
    )
    hidden = secrets(stack, played)
    by_users_themselves = {"play.json", "token"}  # the playbook has the keys in it, and the sink is the sink
    files = [file for file in player.folder.rglob("*") if file.is_file() and file.name not in by_users_themselves]
    files += [file for file in Path(os.environ["HOME"]).rglob("*") if file.is_file()]
    assert {"log", "localhost", "retry", "facts"} & {part for file in files for part in file.parts} >= {
        "log",
        "localhost",
    }
    seen = {"stdout": played.stdout, "stderr": played.stderr}
    seen.update((str(file), file.read_bytes().decode("utf-8", "replace")) for file in files)
    leaks = [(place, hidden.index(secret)) for place, text in seen.items() for secret in hidden if secret in text]
    assert leaks == []
    assert f"auth/aws/identity-accesslist/{instance}" in played.shown
    assert "bound_iam_principal_arn of role other" in played.shown
    assert "censored" in played.stdout


def test_registered_token_is_whole(stack: Stack, player: Player) -> None:
    """Ansible's own masking does not cut the token, though keys and other secrets are options of the task."""
    played = player.play(
        login("one", **mine(stack), proxies={"https": ""}),
        login("two", **mine(stack)),
    )
    token = played.results["two"]["login"]["auth"]["client_token"]
    assert "*" not in token
    assert stack.vault.call("GET", "auth/token/lookup-self", token=token).status == 200
    assert "proxies" in played.results["one"]["msg"]


def test_short_proxy_does_not_cut_the_token(stack: Stack, player: Player) -> None:
    """proxies is masked too; the shortest usable one is no part of a token."""
    played = player.play(login("direct", **mine(stack), proxies={"http": "http://s:1"}))
    token: t.Any = played.results["direct"]["login"]["auth"]["client_token"]
    assert stack.vault.call("GET", "auth/token/lookup-self", token=token).status == 200


def test_module_alone_is_what_the_action_hides(stack: Stack, player: Player) -> None:
    """The result is censored on screen because it has a token, not because of a no_log on the task."""
    played = player.play(
        {MODULE: mine(stack), "register": "shown"},
        {MODULE: {**mine(stack), "sink": {"path": str(player.folder / "token")}}, "register": "kept"},
        arguments=["-v"],
    )
    assert played.stdout.count("censored") == 2  # the login, and the task that keeps what was registered
    assert played.results["kept"]["login"]["auth"]["accessor"] in played.stdout
