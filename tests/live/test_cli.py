# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``vault-aws-login`` as users run it: real logins, whose tokens OpenBao's own client then uses, and real refusals."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

from tests.live.core import keys
from tests.stack.handle import Stack

PACKAGE = "ansible_collections.vaultfleet.aws.plugins.module_utils._cli.cli"
COLLECTIONS = Path(__file__).parents[2] / ".dev" / "collections"


class Command:
    """The command in a home of its own. secrets: what may be on stdout and nowhere else."""

    def __init__(self, stack: Stack, home: Path) -> None:
        self.stack = stack
        self.home = home
        mine = keys(stack)
        self.keys = {"AWS_ACCESS_KEY_ID": mine.access_key, "AWS_SECRET_ACCESS_KEY": mine.secret_key}
        self.secrets = [mine.secret_key, keys(stack, "other").secret_key]
        self.environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "VAULT_ADDR": stack.env["VAULT_ADDR"],
            "VAULT_CACERT": stack.env["VAULT_CACERT"],
            "VAULTFLEET_AWS_HEADER_VALUE": stack.env["STACK_HEADER_VALUE"],
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        # For scripts: the command, and OpenBao's client.
        self.bin = home / "bin"
        self.bin.mkdir(parents=True)
        (self.bin / "bao").symlink_to(stack.env["STACK_BAO"])
        program = self.bin / "vault-aws-login"
        program.write_text(f'#!/bin/sh\nPYTHONPATH={COLLECTIONS} exec {sys.executable} -m {PACKAGE} "$@"\n')
        program.chmod(0o755)

    def __call__(
        self, *arguments: str, given: t.Mapping[str, str] | None = None, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run it; given: variables beside the server's."""
        done = self._run([str(self.bin / "vault-aws-login"), *arguments], given or {}, stdin)
        for secret in (*self.secrets, done.stdout.strip(), "Traceback"):
            assert not secret or secret not in done.stderr
        return done

    def script(self, text: str, **given: str) -> str:
        """Run a shell script that must work; what it prints."""
        done = self._run(["/bin/sh", "-euc", text], {**given, "PATH": f"{self.bin}:{os.environ['PATH']}"}, "")
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _run(self, command: list[str], given: t.Mapping[str, str], stdin: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            env={**self.environ, **given},
            cwd=self.home,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def owner(self, token: str) -> str:
        """Whose token it is, as the server knows it: an IAM user, or the role of an instance."""
        meta = self.stack.vault.must("GET", "auth/token/lookup-self", None, token)["data"]["meta"]
        return str(meta.get("client_arn") or meta["role"]).rpartition("/")[2]


@pytest.fixture
def command(stack: Stack, tmp_path: Path) -> Command:
    """The command against the stack."""
    return Command(stack, tmp_path / "home")


def test_iam_of_the_environment(command: Command) -> None:
    done = command("--role", "web", given=command.keys)
    assert (done.returncode, done.stderr) == (0, "")
    assert command.owner(done.stdout.strip()) == "client"


def test_iam_of_a_profile(command: Command) -> None:
    """It beats the keys of the environment."""
    credentials = {"AWS_SHARED_CREDENTIALS_FILE": command.stack.env["AWS_SHARED_CREDENTIALS_FILE"]}
    done = command("--role", "other", "--profile", "other", given={**command.keys, **credentials})
    assert (done.returncode, done.stderr) == (0, "")
    assert command.owner(done.stdout.strip()) == "other"


def test_iam_of_standard_input(command: Command) -> None:
    """Static keys, the secret one through a pipe."""
    mine = keys(command.stack)
    done = command("--role", "web", "--access-key", mine.access_key, "--secret-key-file", "-", stdin=mine.secret_key)
    assert (done.returncode, done.stderr) == (0, "")
    assert command.owner(done.stdout.strip()) == "client"


def test_namespace(command: Command) -> None:
    """And what a shell gets of it."""
    given = {**command.keys, "VAULTFLEET_AWS_ROLE": "web"}
    shown = command.script(
        'eval "$(vault-aws-login --namespace team --format env)"; bao token lookup -format=json', **given
    )
    assert json.loads(shown)["data"]["namespace_path"] == "team/"


def test_ec2(command: Command, instance: str) -> None:
    """First login and the next with a nonce of a file."""
    nonce = command.home / "nonce"
    nonce.write_text(secrets.token_hex(16), encoding="ascii")
    metadata = {
        "AWS_EC2_METADATA_DISABLED": "false",
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": command.stack.imds_endpoint(instance),
        "VAULTFLEET_AWS_HEADER_VALUE": "",
    }
    for _time in range(2):
        done = command("--type", "ec2", "--role", "node", "--nonce-file", str(nonce), given=metadata)
        assert (done.returncode, done.stderr) == (0, "")
        assert command.owner(done.stdout.strip()) == "node"
    nonce.write_text(secrets.token_hex(16), encoding="ascii")
    done = command("--type", "ec2", "--role", "node", "--nonce-file", str(nonce), given=metadata)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"identity-accesslist/{instance}" in done.stderr
    assert nonce.read_text(encoding="ascii") not in done.stderr


def test_store_is_what_bao_reads(command: Command) -> None:
    """``~/.vault-token``, and where BAO_TOKEN_PATH points both of them."""
    password = command.stack.root("GET", "secret/data/demo")["data"]["data"]["password"]
    read = "vault-aws-login --role web --store; bao kv get -field=password secret/demo"
    assert command.script(read, **command.keys) == password
    (command.home / ".vault-token").unlink()
    assert command.script(read, **command.keys, BAO_TOKEN_PATH=str(command.home / "elsewhere")) == password
    assert not (command.home / ".vault-token").exists()


def test_exports_are_what_bao_reads(command: Command) -> None:
    """Even where variables of bao's own hold an old address and token."""
    password = command.stack.root("GET", "secret/data/demo")["data"]["data"]["password"]
    read = 'eval "$(vault-aws-login --role web --format env)"; bao kv get -field=password secret/demo'
    assert command.script(read, **command.keys) == password
    old = {"VAULTFLEET_AWS_URL": command.environ["VAULT_ADDR"], "BAO_ADDR": "https://127.0.0.1:9", "BAO_TOKEN": "s.old"}
    assert command.script(read, **command.keys, **old) == password


def test_json_has_the_shape_of_bao(command: Command) -> None:
    """So that scripts made for ``vault login -format=json`` work with it."""
    theirs = json.loads(command.script('bao login -no-store -format=json "$TOKEN"', TOKEN=command.stack.root_token()))
    ours = json.loads(command("--role", "web", "--format", "json", given=command.keys).stdout)
    assert {"client_token", "accessor", "policies", "lease_duration", "renewable"} <= ours["auth"].keys()
    assert theirs["auth"].keys() - ours["auth"].keys() <= {"identity_policies", "token_policies", "entity_id"}


def test_wrapped(command: Command) -> None:
    """bao unwraps it."""
    shown = command.script('bao unwrap -format=json "$(vault-aws-login --role web --wrap-ttl 1m)"', **command.keys)
    assert command.owner(json.loads(shown)["auth"]["client_token"]) == "client"


def test_check_logs_in_not_at_all(command: Command) -> None:
    before = command.stack.logins()
    assert command("--role", "web", "--check", given=command.keys).returncode == 0
    assert command("--role", "web", "--check", "--region", "moon-1", given=command.keys).returncode == 1
    assert command.stack.logins() == before


@pytest.mark.parametrize(
    ("arguments", "given", "code", "hint"),
    [
        (["--role", "nope"], {}, 2, "there is no role nope at auth/aws"),
        (["--role", "other"], {}, 2, "bound_iam_principal_arn of role other"),
        (["--role", "node"], {}, 2, "role node"),
        (["--role", "web", "--mount-path", "nowhere"], {}, 2, "nowhere"),
        (["--role", "web"], {"VAULTFLEET_AWS_HEADER_VALUE": ""}, 2, "header_value"),
        (["--role", "web"], {"AWS_SECRET_ACCESS_KEY": "another-key-of-this-test"}, 2, "secret"),
        (["--role", "web"], {"VAULT_CACERT": ""}, 2, "set ca_cert"),
        (["--role", "web"], {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, 4, "no AWS credentials found"),
        (["--role", "web", "--profile", "nobody"], {}, 4, "nobody"),
        (["--type", "ec2", "--role", "node"], {"VAULTFLEET_AWS_NONCE": "n" * 20}, 4, "metadata"),
        (["--role", "web", "--url", "https://127.0.0.1:9"], {}, 3, "that the server runs"),
        (["--role", "web", "--retries", "many"], {}, 1, "retries"),
    ],
)  # fmt: skip
def test_refusals(command: Command, arguments: list[str], given: dict[str, str], code: int, hint: str) -> None:
    """Each class has a code, one line, and what to change; nothing is on stdout."""
    command.secrets.append("another-key-of-this-test")
    if "ec2" in arguments:
        given = {**given, "VAULTFLEET_AWS_HEADER_VALUE": ""}
    done = command("--retries", "0", *arguments, given={**command.keys, **given})
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert hint in done.stderr


def test_sealed_and_down(command: Command, breakable: Stack) -> None:
    """What passes by itself has a code of its own."""
    breakable.seal()
    done = command("--role", "web", "--retries", "0", given=command.keys)
    assert (done.returncode, done.stdout) == (3, "")
    assert "sealed" in done.stderr
    breakable.stop_vault()
    done = command("--role", "web", "--retries", "0", given=command.keys)
    assert (done.returncode, done.stdout) == (3, "")
    assert "check url, the network, and that the server runs" in done.stderr


def test_a_token_for_nobody_is_revoked(command: Command) -> None:
    """Its accessor is unknown to the server afterwards."""
    before = set(command.stack.root("LIST", "auth/token/accessors")["data"]["keys"])
    ours, theirs = os.pipe()
    os.close(ours)
    process = subprocess.run(
        [str(command.bin / "vault-aws-login"), "--role", "web"],
        env={**command.environ, **command.keys},
        stdout=theirs,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    os.close(theirs)
    assert process.returncode == 1
    assert process.stderr.startswith("the token was revoked\n")
    assert set(command.stack.root("LIST", "auth/token/accessors")["data"]["keys"]) <= before
