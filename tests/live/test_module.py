# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module in playbooks: what it returns, where its options come from, where it runs, what it refuses."""

from __future__ import annotations

import datetime
import json
import os
import re
import subprocess
import sys
import time
import typing as t
import venv
from pathlib import Path

import pytest

from ansible_collections.vaultfleet.aws.plugins.module_utils._login_task import ARGUMENT_SPEC
from tests.live.core import keys
from tests.live.inprocess import run
from tests.live.playbooks import MODULE, WAYS, Player, TaskData, login, mine
from tests.stack.handle import Stack

BOTH_WAYS = True


def read_secret(stack: Stack, register: str, token: str) -> TaskData:
    """A task that reads the stack's secret as a user would, with the token of an expression."""
    return {
        "ansible.builtin.uri": {
            "url": f"{stack.env['VAULT_ADDR']}/v1/{stack.env['STACK_DEMO_SECRET_PATH']}",
            "ca_path": stack.env["VAULT_CACERT"],
            "headers": {"X-Vault-Token": "{{ " + token + " }}"},
        },
        "register": register,
        "no_log": True,
    }


def moment(stamp: str) -> float:
    """A time in UTC, in seconds since the epoch."""
    return datetime.datetime.strptime(stamp, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=datetime.UTC).timestamp()


def test_results(stack: Stack, player: Player, instance: str) -> None:
    """The shapes of the results: iam, ec2, wrapped; registered tokens work; a generated nonce can be used again."""
    ec2 = {"type": "ec2", "role": "node"}
    begun = time.time()
    played = player.play(
        login("iam", **mine(stack)),
        read_secret(stack, "secret", "iam.login.auth.client_token"),
        login("first", **ec2),
        login("again", **ec2, nonce="{{ first.nonce }}"),
        login("refused", **ec2),
        login("wrapped", **mine(stack), wrap_ttl="90s"),
        login("short", **mine(stack, role="web-short")),
        login("team", **mine(stack), namespace="team"),
        login("batch", **mine(stack, role="web-batch")),
    )
    assert played.rc == 0, played.shown
    results = played.results
    iam = results["iam"]
    assert iam["changed"] is True
    assert set(iam["login"]["auth"]) >= {
        "client_token",
        "accessor",
        "lease_duration",
        "policies",
        "renewable",
        "metadata",
        "token_type",
        "entity_id",
    }
    assert iam["identity"] == {
        "type": "iam",
        "provider": "static",
        "account_id": stack.env["STACK_ACCOUNT_ID"],
        "arn": f"arn:aws:iam::{stack.env['STACK_ACCOUNT_ID']}:user/client",
        "instance_id": None,
        "region": "us-east-1",
    }
    # It was logged in while the play went on; the time is told in whole seconds.
    logged_in = moment(iam["expires_at"]) - iam["login"]["auth"]["lease_duration"]
    assert begun - 2 < logged_in < time.time() + 2
    assert results["secret"]["json"]["data"]["data"]["username"] == "demo"
    first, again = results["first"], results["again"]
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f-]{27}", first["nonce"])
    assert first["identity"]["instance_id"] == instance
    assert any("nonce was made for this login" in warning for warning in first["warnings"])
    assert "nonce" not in again
    assert again["login"]["auth"]["client_token"]
    assert "warnings" not in again
    assert results["refused"]["failed"] is True
    assert f"auth/aws/identity-accesslist/{instance}" in results["refused"]["msg"]
    assert f"identity-accesslist/{instance}" in played.shown  # a failure is not censored: its hint shows
    wrapped = results["wrapped"]
    assert wrapped["login"]["auth"] is None
    assert (wrapped["login"]["wrap_info"]["ttl"], wrapped["login"]["wrap_info"]["creation_path"]) == (
        90,
        "auth/aws/login",
    )
    assert "expires_at" not in wrapped
    assert results["short"]["login"]["auth"]["lease_duration"] == 5
    assert results["team"]["login"]["auth"]["client_token"]
    assert results["batch"]["login"]["auth"]["token_type"] == "batch"


def test_options_and_aliases(stack: Stack, player: Player) -> None:
    """Options by the names of amazon.aws and community.hashi_vault, by the module's, and by module_defaults."""
    key = keys(stack)
    header = stack.env["STACK_HEADER_VALUE"]
    hashi = {
        "auth_type": "iam",
        "role_id": "web",
        "mount_point": "aws",
        "aws_iam_server_id": header,
        "aws_region": "us-east-1",
    }
    played = player.play(
        login("one", **hashi, aws_access_key_id=key.access_key, aws_secret_access_key=key.secret_key),
        login(
            "two",
            **hashi,
            aws_access_key=key.access_key,
            aws_secret_key=key.secret_key,
            cacert=stack.env["VAULT_CACERT"],
        ),
        login("three", **hashi, ec2_access_key=key.access_key, ec2_secret_key=key.secret_key),
        login("four", role="other", header_value=header, aws_profile="other"),
        environment={"AWS_SHARED_CREDENTIALS_FILE": stack.env["AWS_SHARED_CREDENTIALS_FILE"]},
    )
    providers = [played.results[name]["identity"]["provider"] for name in ("one", "two", "three", "four")]
    assert providers == ["static", "static", "static", "shared-credentials-file"]


def test_environment(stack: Stack, player: Player) -> None:
    """Each task's environment gives what its arguments leave out: ours, then OpenBao's, then Vault's."""
    key = keys(stack)
    address, wrong = stack.env["VAULT_ADDR"], "https://127.0.0.1:9"
    base = {
        "VAULTFLEET_AWS_ROLE": "web",
        "VAULTFLEET_AWS_HEADER_VALUE": stack.env["STACK_HEADER_VALUE"],
        "AWS_ACCESS_KEY_ID": key.access_key,
        "AWS_SECRET_ACCESS_KEY": key.secret_key,
        "VAULT_CACERT": stack.env["VAULT_CACERT"],
        "VAULT_TOKEN": "s.staleTokenOfAnotherTime1",
        "BAO_TOKEN": "s.staleTokenOfAnotherTime2",
    }
    before = len(stack.login_requests("aws"))
    played = player.play(
        login("vault", {"environment": {**base, "VAULT_ADDR": address}}),
        login("bao", {"environment": {**base, "BAO_ADDR": address, "VAULT_ADDR": wrong}}),
        login("ours", {"environment": {**base, "VAULTFLEET_AWS_URL": address, "BAO_ADDR": wrong}}),
        login("hashi", {"environment": {**base, "ANSIBLE_HASHI_VAULT_ADDR": address}}),
        login("argument", {"environment": {**base, "VAULTFLEET_AWS_URL": wrong}}, url=address),
        login("nothing", {"environment": base}),
        login(
            "unchecked",
            {"environment": {**base, "VAULT_ADDR": address, "VAULT_CACERT": "", "VAULT_SKIP_VERIFY": "true"}},
        ),
        login(
            "unchecked_by_argument",
            {"environment": {**base, "VAULT_ADDR": address, "VAULT_CACERT": ""}},
            validate_certs=False,
        ),
        login("checked", {"environment": {**base, "VAULT_ADDR": address, "VAULT_CACERT": ""}}),
        defaults={"retries": 0},
    )
    results = played.results
    good = ("vault", "bao", "ours", "hashi", "argument", "unchecked", "unchecked_by_argument")
    for name in good:
        assert not results[name].get("failed"), (name, results[name].get("msg"))
    assert results["vault"]["identity"]["provider"] == "env"
    assert "url: is missing" in results["nothing"]["msg"]
    assert "VAULT_ADDR" in results["nothing"]["msg"]
    assert "set ca_cert" in results["checked"]["msg"]
    assert any("switches TLS checks off" in warning for warning in results["unchecked"]["warnings"])
    assert "warnings" not in results["unchecked_by_argument"]
    made = stack.login_requests("aws")[before:]
    assert len(made) == len(good)
    assert not any("client_token" in entry["auth"] or "client_token" in entry["request"] for entry in made)


def test_where_it_runs(stack: Stack, player: Player) -> None:
    """With run_once the controller logs in once for all hosts; without it, each host does."""
    before = stack.logins("aws")
    played = player.play(
        login("once", {"delegate_to": "localhost", "run_once": True, "ignore_errors": False}, **mine(stack)),
        login("each", **mine(stack)),
        hosts=("one", "two", "three"),
    )
    assert played.rc == 0, played.shown
    assert stack.logins("aws") == before + 1 + 3
    once = {host["once"]["login"]["auth"]["client_token"] for host in played.hosts.values()}
    each = {host["each"]["login"]["auth"]["client_token"] for host in played.hosts.values()}
    assert (len(once), len(each)) == (1, 3)


@pytest.fixture(scope="module")
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python without any package."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, with_pip=False, symlinks=True)
    return folder / "bin" / "python"


def test_missing_libraries(stack: Stack, player: Player, bare_python: Path) -> None:
    """A host without the libraries: Ansible's usual message, with the name of its interpreter."""
    played = player.play(
        login("missing", **mine(stack)),
        login("judged", role="web", secret_key="half-of-a-pair-of-keys"),
        variables={"ansible_python_interpreter": str(bare_python)},
    )
    for name in ("missing", "judged"):
        message = played.results[name]["msg"]
        assert "Failed to import the required Python library (boto3)" in message
        assert str(bare_python) in message
    assert "half-of-a-pair" not in played.shown


def test_action_takes_no_async(stack: Stack, player: Player) -> None:
    """Under async the result would stay on the host's disk, so nothing is even begun."""
    before = stack.requests()
    played = player.play(
        login("polled", {"async": 10, "poll": 1}, **mine(stack)),
        login("left", {"async": 10, "poll": 0}, **mine(stack)),
    )
    for name in ("polled", "left"):
        assert "cannot run with async" in played.results[name]["msg"]
        assert "Remove async" in played.results[name]["msg"]
    assert stack.requests() == before


def bad_input(stack: Stack, folder: Path) -> list[tuple[str, dict[str, t.Any]]]:
    """Wrong options, each with the name that its error must begin with."""
    (folder / "directory").mkdir()
    (folder / "file").touch()
    (folder / "link").symlink_to(folder / "file")
    (folder / "linked-directory").symlink_to(folder / "directory")
    unreadable = str(folder / "no-such-ca.pem")
    key = keys(stack)
    nonce = "a-nonce-that-is-long-enough"
    good_sink = str(folder / "token")
    return [
        ("type", mine(stack, type="ldap")),
        ("role", {**mine(stack), "role": None}),
        ("role", mine(stack, role="")),
        ("role", mine(stack, role="web/../other")),
        ("secret_key", {**mine(stack), "secret_key": None}),
        ("access_key", {**mine(stack), "access_key": None}),
        ("access_key", {"role": "web", "session_token": "a-token-without-any-key"}),
        ("secret_key", mine(stack, secret_key="short")),
        ("session_token", mine(stack, session_token="short")),
        ("nonce", {"type": "ec2", "role": "node", "nonce": "short"}),
        ("nonce", {"type": "ec2", "role": "node", "nonce": ""}),
        ("nonce", {"type": "ec2", "role": "node", "nonce": "n" * 129}),
        ("nonce", {"type": "ec2", "role": "node", "nonce": "ü" * 100}),
        ("profile", mine(stack, profile="default")),
        ("access_key", {"type": "ec2", "role": "node", **key._asdict()}),
        ("header_value", {"type": "ec2", "role": "node", "header_value": "x"}),
        ("region", {"type": "ec2", "role": "node", "region": "eu-central-1"}),
        ("signature_type", mine(stack, signature_type="pkcs7")),
        ("signature_type", {"type": "ec2", "role": "node", "signature_type": "pgp"}),
        ("nonce", mine(stack, nonce=nonce)),
        ("header_value", mine(stack, header_value="vault\r\nX-Evil: 1")),
        ("header_value", mine(stack, header_value="")),
        ("region", mine(stack, region="mars-north-1")),
        ("region", mine(stack, region="")),
        ("region", mine(stack, region="eu-central-1", sts_endpoint="https://sts.eu-west-1.amazonaws.com")),
        ("sts_endpoint", mine(stack, sts_endpoint="nearest")),
        ("sts_endpoint", mine(stack, sts_endpoint="https://sts.amazonaws.com/path")),
        ("sts_endpoint", mine(stack, region="cn-north-1", sts_endpoint="global")),
        ("assume_role_arn", mine(stack, assume_role_arn="role/app")),
        ("assume_role_arn", mine(stack, assume_role_external_id="id")),
        ("mount_path", mine(stack, mount_path="../sys")),
        ("mount_path", mine(stack, mount_path="auth/")),
        ("wrap_ttl", mine(stack, wrap_ttl="a while")),
        ("wrap_ttl", mine(stack, wrap_ttl="0")),
        ("wrap_ttl", mine(stack, wrap_ttl="-5m")),
        ("wrap_ttl", mine(stack, wrap_ttl="60s", sink={"path": good_sink})),
        ("url", mine(stack, url="vault.example.org:8200")),
        ("url", mine(stack, url="https://")),
        ("url", mine(stack, url="https://user:pass-word-in-url@vault.example.org")),
        ("url", mine(stack, url="https://vault.example.org/v1/")),
        ("url", mine(stack, url="https://vault.example.org:99999")),
        ("url", mine(stack, url="https://vault\n.example.org")),
        ("namespace", mine(stack, namespace="team\nX-Evil: 1")),
        ("ca_cert", mine(stack, ca_cert=unreadable)),
        ("ca_cert", mine(stack, ca_cert=str(folder / "file"))),
        ("ca_path", mine(stack, ca_path=str(folder / "file"))),
        ("client_cert", mine(stack, client_key=stack.env["VAULT_CACERT"])),
        ("tls_server_name", mine(stack, tls_server_name="two words")),
        ("tls_server_name", mine(stack, tls_server_name="../..")),
        ("timeout", mine(stack, timeout="soon")),
        ("timeout", mine(stack, timeout="0s")),
        ("timeout", mine(stack, timeout="1.5s")),
        ("retries", mine(stack, retries=-1)),
        ("proxies", mine(stack, proxies="proxy:3128")),
        ("proxies", mine(stack, proxies={"ftp": "http://proxy"})),
        ("min_ttl", mine(stack, min_ttl="an hour", sink={"path": good_sink})),
        ("return_token", mine(stack, return_token=False)),
        ("sink", {"state": "absent"}),
        ("sink", mine(stack, sink={"mode": "0600"})),
        ("sink.path", mine(stack, sink={"path": "relative/token"})),
        ("sink.path", mine(stack, sink={"path": f"{folder}/directory/"})),
        ("sink.mode", mine(stack, sink={"path": good_sink, "mode": "rw-r--r--"})),
        ("sink.mode", mine(stack, sink={"path": good_sink, "mode": 640})),
        ("sink.mode", mine(stack, sink={"path": good_sink, "mode": "1600"})),
        ("sink.mode", mine(stack, sink={"path": good_sink, "mode": "0200"})),
        ("sink.owner", mine(stack, sink={"path": good_sink, "owner": "nobody-at-all"})),
        ("sink.group", mine(stack, sink={"path": good_sink, "group": "no-such-group"})),
        (f"{folder}/nowhere", mine(stack, sink={"path": f"{folder}/nowhere/token"})),
        (f"{folder}/directory", mine(stack, sink={"path": f"{folder}/directory"})),
        (f"{folder}/link", mine(stack, sink={"path": f"{folder}/link"})),
        (f"{folder}/linked-directory", mine(stack, sink={"path": f"{folder}/linked-directory/token"})),
    ]


def test_bad_input(stack: Stack, player: Player, tmp_path: Path) -> None:
    """Each wrong option is one error that names it, before any request; no secret is repeated.

    All are judged in this process, and some of every kind once more in a playbook, where they must read the same.
    """
    cases = bad_input(stack, tmp_path)
    some = cases[::9]
    before = stack.requests(), stack.aws_calls()
    secrets = (keys(stack).secret_key, "pass-word-in-url", "a-token-without")
    wrong = []
    for name, options in cases:
        given = {**player.defaults(), **options}
        result = run({option: value for option, value in given.items() if value is not None})
        message = str(result["msg"])
        one_line = "\n" not in message and "Traceback" not in str(result) and len(message) < 600
        hidden = not any(secret in message for secret in secrets)
        if not result.get("failed") or name not in message or not one_line or not hidden:
            wrong.append((name, result))
    assert wrong == []
    played = player.play(*(login(f"case{number}", **options) for number, (_name, options) in enumerate(some)))
    for number, (name, _options) in enumerate(some):
        assert played.results[f"case{number}"]["failed"] is True
        assert name in played.results[f"case{number}"]["msg"]
        assert name in played.shown
    assert (stack.requests(), stack.aws_calls()) == before
    assert not (tmp_path / "token").exists()


def test_faults_in_a_playbook(stack: Stack, player: Player, instance: str, closed_port: int) -> None:
    """Faults of the way, the server and the metadata come as one line with what to do, and without a traceback."""
    stack.imds(instance, disabled=True)
    played = player.play(
        login("unreachable", **mine(stack), url=f"https://127.0.0.1:{closed_port}"),
        login("other_ca", **mine(stack), ca_cert=str(stack.lay.pki / "identity.pem")),
        login("metadata", type="ec2", role="node"),
        login("keys", role="web", profile="nobody"),
        login("signature", **mine(stack, secret_key="x" * 40)),
        login("absent", state="absent", sink={"path": str(player.folder / "inventory")}),
    )
    expected = {
        "unreachable": "check url",
        "other_ca": "ca_cert",
        "metadata": "--http-endpoint enabled",
        "keys": "the AWS profile 'nobody' does not exist",
        "signature": "check the secret key",
        "absent": "was not written by a login of this collection",
    }
    for name, words in expected.items():
        result = played.results[name]
        assert result["failed"] is True
        assert words in result["msg"]
        assert "\n" not in result["msg"]
        assert words in played.shown.replace("\n", " ") or name == "signature"
        assert "Traceback" not in str(result)
    assert "Traceback" not in played.shown


def test_documented(player: Player) -> None:
    """ansible-doc shows the module, and every option of the code is in it."""
    done = subprocess.run(
        [sys.executable, "-m", "ansible", "doc", "--json", MODULE],
        env={**os.environ, **player.settings()},
        capture_output=True,
        check=True,
        text=True,
    )
    documented = json.loads(done.stdout)[MODULE]["doc"]["options"]
    assert set(documented) == set(ARGUMENT_SPEC)
    for name, option in documented.items():
        assert sorted(option.get("aliases", [])) == sorted(ARGUMENT_SPEC[name].get("aliases", []))


def test_both_ways_give_the_same(stack: Stack, tmp_path: Path) -> None:
    """Where it is done shows in no result; that Ansible runs no program for it, only in place."""
    found = {way: Player(stack, tmp_path, way).play(*_tasks(stack, tmp_path / way), arguments=["-vvv"]) for way in WAYS}
    shapes = {way: {name: _shape(result) for name, result in played.results.items()} for way, played in found.items()}
    for name, result in shapes["as a module"].items():
        assert shapes["in place"][name] == result, name
    programs = {way: played.stdout.partition("TASK [typed]")[0].count("AnsiballZ") for way, played in found.items()}
    assert programs["in place"] == 0
    assert programs["as a module"] > 0


def _tasks(stack: Stack, folder: Path) -> list[TaskData]:
    """Tasks with each kind of result; from ``typed`` on what is for Ansible to say."""
    folder.mkdir()
    sink = {"path": str(folder / "token")}
    return [
        login("fine", **mine(stack)),
        login("kept", **mine(stack), sink=sink, return_token=True),
        login("again", **mine(stack), sink=sink),
        login("gone", state="absent", sink=sink),
        login("short", **mine(stack, role="web-short"), sink={"path": str(folder / "short")}),
        login("looked", {"check_mode": True}, **mine(stack)),
        login("refused", **mine(stack, role="other")),
        login("unchecked", **mine(stack, secret_key="x" * 40), validate_certs=False),
        login("typed", **{**mine(stack), "retries": "many"}),
        login("unknown", rolle="web"),
    ]


def _shape(result: t.Any) -> t.Any:
    """A result without what differs from login to login, and without what a core before 2.21 adds to a module's."""
    if isinstance(result, dict):
        return {name: _shape(value) for name, value in result.items() if name != "invocation"}
    if isinstance(result, list):
        return [_shape(value) for value in result]
    return re.sub(r"\b(s\.|b\.|hvs\.)?[\w-]{20,}\b|\d+", "N", result) if isinstance(result, str) else type(result)
