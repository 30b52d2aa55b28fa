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
    "ANSIBLE_SHOW_TASK_PATH_ON_FAILURE": "1",
}

BOTH_WAYS = True


# As users keep them, apart from the tasks: a task's own text is written to reports as it stands.
WRONG = {
    "wrong_nonce": "a-wrong-nonce-of-this-test",
    "wrong_key": "the-wrong-key-of-this-test",
    "wrong_session": "a-session-token-of-this-test",
    "wrong_proxy": "http://me:proxy-password-of-this-test@127.0.0.1:9",
}


def given(stack: Stack, **options: t.Any) -> dict[str, t.Any]:
    """The options of an iam login, with the secret key in a variable."""
    return {**mine(stack), "secret_key": "{{ right_key }}", **options}


def tasks(stack: Stack, folder: Path) -> list[TaskData]:
    """Every way to get a token or a nonce, and every way to fail after one was sent."""
    ec2 = {"type": "ec2", "role": "node"}
    sink = {"path": str(folder / "token")}
    return [
        login("plain", **given(stack)),
        login("looped", {"loop": ["web", "web-short"]}, **given(stack, role="{{ item }}")),
        login("retried", {"until": "retried.attempts | default(0) > 1", "retries": 1, "delay": 0}, **given(stack)),
        login("thought_failed", {"failed_when": True}, **given(stack)),
        login("thought_unchanged", {"changed_when": False}, **given(stack)),
        login("shown_by_user", {"no_log": False, "diff": True}, **given(stack)),
        login("wrapped", **given(stack), wrap_ttl=60),
        login("unwrapped", wrapping_token="{{ wrapped.login.wrap_info.token }}"),
        login("unwrapped_again", wrapping_token="{{ wrapped.login.wrap_info.token }}"),
        login("first", **ec2),
        login("again", **ec2, nonce="{{ first.nonce }}"),
        login("mismatch", **ec2, nonce="{{ wrong_nonce }}"),
        login("kept", {"diff": True}, **given(stack), sink=sink),
        login("kept_shown", {"diff": True}, **given(stack), sink=sink, return_token=True),
        login("refused", **given(stack, role="other")),
        login("unsigned", **given(stack, secret_key="{{ wrong_key }}")),
        login("session", **given(stack), session_token="{{ wrong_session }}"),
        login("proxied", **given(stack), proxies="{{ wrong_proxy }}"),
        login("bad_type", **given(stack), retries="many"),
        login("bad_option", **given(stack), rolle="web"),
    ]


def secrets(stack: Stack, played: Played) -> list[str]:
    """What must be nowhere."""
    results = played.results
    auths = [results[name] for name in results] + results["looped"]["results"]
    tokens = [((one.get("login") or {}).get("auth") or {}).get("client_token") for one in auths]
    found = [token for token in tokens if token]
    assert len(found) == 11
    return [
        *found,
        results["first"]["nonce"],
        results["wrapped"]["login"]["wrap_info"]["token"],
        keys(stack).secret_key,
        *WRONG.values(),
        "proxy-password-of-this-test",
    ]


def test_nothing_shows(stack: Stack, player: Player, instance: str) -> None:
    """The screen at the highest verbosity, the log, and all files; the hints of failures do show."""
    written = player.folder / "written"
    (written / "retry").mkdir(parents=True)
    variables = {**WRONG, "right_key": keys(stack).secret_key}
    played = player.play(*tasks(stack, player.folder), arguments=["-vvvv"], environment=EVERYTHING, variables=variables)
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


@pytest.mark.parametrize("screen", ["minimal", "oneline"])
def test_other_screens(stack: Stack, player: Player, screen: str) -> None:
    """The other callbacks for the screen."""
    played = player.play(
        login("plain", **mine(stack)),
        login("looped", {"loop": ["web"]}, **mine(stack, role="{{ item }}")),
        arguments=["-vvvv"],
        environment={"ANSIBLE_STDOUT_CALLBACK": f"ansible.builtin.{screen}"},
    )
    [item] = played.results["looped"]["results"]
    for result in (played.results["plain"], item):
        assert result["login"]["auth"]["client_token"] not in played.shown
    assert keys(stack).secret_key not in played.shown
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
