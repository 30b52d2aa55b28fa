# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``check --connect`` against the stack: what is fine, what is in the way, the exit code; and nobody is logged in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.live.core import keys
from tests.stack.handle import Stack
from tests.tools.project import COLLECTIONS

PACKAGE = "ansible_collections.vaultfleet.aws.plugins.module_utils._agent"
FINE, CONFIGURATION, PERMANENT, TRANSIENT = 0, 1, 2, 3
Check = Callable[..., tuple[int, list[str]]]


@pytest.fixture
def check(stack: Stack, tmp_path: Path) -> Check:
    """Runs the command with a configuration: the exit code, and the lines of its output.

    login: of the method's own configuration. vault: of the connection, beside the stack's. environ: beside that of the
    tests. No secret is in the output, and the server's audit log has no more entries than before.
    """
    secrets = [*keys(stack), keys(stack, "other").secret_key]

    def run(
        login: t.Mapping[str, t.Any], *, sink: str = "", environ: t.Mapping[str, str] | None = None, **vault: str
    ) -> tuple[int, list[str]]:
        file = tmp_path / "agent.json"
        connection = {"address": stack.env["VAULT_ADDR"], "ca_cert": stack.env["VAULT_CACERT"], **vault}
        auto_auth = {
            "method": {"type": "aws", "config": login},
            "sink": {"type": "file", "config": {"path": sink or str(tmp_path / "token")}},
        }
        file.write_text(json.dumps({"vault": connection, "auto_auth": auto_auth}), encoding="utf-8")
        before = len(stack.audit())
        done = subprocess.run(
            [sys.executable, "-m", f"{PACKAGE}.cli", "check", "--connect", "--config", str(file)],
            env={**os.environ, "PYTHONPATH": str(COLLECTIONS), **(environ or {})},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        shown = done.stdout + done.stderr
        assert len(stack.audit()) == before
        assert not list(tmp_path.glob("*token*"))
        assert "Traceback" not in shown
        for secret in secrets:
            assert secret not in shown
        return done.returncode, shown.splitlines()

    return run


@pytest.fixture
def shared(stack: Stack) -> dict[str, str]:
    """The environment that has the stack's shared credentials file."""
    return {"AWS_SHARED_CREDENTIALS_FILE": stack.env["AWS_SHARED_CREDENTIALS_FILE"]}


IAM = {"type": "iam", "role": "web"}
EC2 = {"type": "ec2", "role": "node"}


def wrong(lines: list[str]) -> list[str]:
    """What has to be changed."""
    return [line for line in lines if line.startswith("wrong ")]


def has(lines: list[str], start: str) -> bool:
    """Whether a line starts so."""
    return any(line.startswith(start) for line in lines)


def test_iam(stack: Stack, check: Check, shared: dict[str, str]) -> None:
    """All fine, though this host cannot reach the STS that is signed for, by AWS's own name."""
    code, lines = check({**IAM, "region": stack.env["STACK_REGION"]}, environ=shared)
    assert (code, wrong(lines)) == (FINE, [])
    address = stack.env["VAULT_ADDR"].removeprefix("https://")
    key = keys(stack).access_key
    for start in (
        f"ok      TCP: {address} takes connections",
        "ok      TLS: TLSv1.3, a valid certificate until ",
        "ok      Vault: version ",
        "ok      clock: ",
        f"ok      region: logins are signed for {stack.env['STACK_REGION']}, at https://sts.",
        f"ok      credentials: {key[:4]}...{key[-4:]} from shared-credentials-file",
        "ok      sink: ",
    ):
        assert has(lines, start), start


def test_ec2(stack: Stack, instance: str, check: Check) -> None:
    """The instance is named, its access list stays empty."""
    code, lines = check(EC2)
    assert (code, wrong(lines)) == (FINE, [])
    assert f"ok      metadata: instance {instance} of account {stack.env['STACK_ACCOUNT_ID']}, in " in "\n".join(lines)
    assert has(lines, "note    nonce: none is configured")
    stack.imds(instance, hop_limit=True)
    code, lines = check(EC2)
    assert code == TRANSIENT
    (line,) = wrong(lines)
    assert "--http-put-response-hop-limit 2" in line


def test_role_of_the_instance(stack: Stack, instance: str, check: Check) -> None:
    """Keys of the metadata service, and whose they are."""
    code, lines = check({**IAM, "region": "auto"})
    assert (code, wrong(lines)) == (FINE, [])
    assert any(line.endswith(" from iam-role") for line in lines)
    assert has(lines, f"ok      metadata: instance {instance} ")
    assert has(lines, f"ok      region: logins are signed for {stack.env['STACK_REGION']}, at ")


def test_assumed_role(stack: Stack, check: Check, shared: dict[str, str]) -> None:
    """It is assumed, which is no login; with another external id it is refused."""
    environ = {**shared, "AWS_ENDPOINT_URL_STS": stack.env["STACK_AWS_ENDPOINT"]}
    login = {**IAM, "assume_role_arn": f"arn:aws:iam::{stack.env['STACK_ACCOUNT_ID']}:role/app-external"}
    good = {**login, "assume_role_external_id": stack.env["STACK_EXTERNAL_ID"]}
    code, lines = check(good, environ=environ)
    assert (code, wrong(lines)) == (FINE, [])
    code, lines = check({**login, "assume_role_external_id": "another"}, environ=environ)
    assert code == PERMANENT
    assert "STS refused" in wrong(lines)[0]


def test_sealed_and_stopped(breakable: Stack, check: Check, shared: dict[str, str]) -> None:
    """Each passes by itself once an operator did something; the rest is looked at."""
    breakable.seal()
    code, lines = check(IAM, environ=shared)
    assert code == TRANSIENT
    (line,) = wrong(lines)
    assert line.endswith(", is sealed -- an operator must unseal it")
    breakable.stop_vault()
    code, lines = check(IAM, environ=shared)
    assert code == TRANSIENT
    (line,) = wrong(lines)
    assert "Connection refused" in line
    assert has(lines, "ok      credentials: ")
    assert has(lines, "ok      sink: ")


@pytest.mark.parametrize(
    ("vault", "about", "hint", "code"),
    [
        ({"address": "https://vault.invalid:8200"}, "DNS", "", TRANSIENT),
        ({"address": "http://{host}"}, "Vault", "set url to https://", PERMANENT),
        ({"address": "https://localhost:{port}", "tls_server_name": "other.test"}, "TLS", "another name", PERMANENT),
        ({"address": "{metadata}"}, "Vault", "check", PERMANENT),
    ],
)
def test_broken_connection(
    stack: Stack, check: Check, shared: dict[str, str], vault: dict[str, str], about: str, hint: str, code: int
) -> None:
    """One line says what is wrong, and what to change."""
    host = stack.env["VAULT_ADDR"].removeprefix("https://")
    known = {"host": host, "port": host.split(":")[1], "metadata": stack.env["AWS_EC2_METADATA_SERVICE_ENDPOINT"]}
    given = {name: value.format_map(known) for name, value in vault.items()}
    seen, lines = check(IAM, environ=shared, **given)
    assert seen == code, lines
    (line,) = wrong(lines)
    assert line.startswith(f"wrong   {about}: ")
    assert hint in line


def test_unknown_authority(check: Check, shared: dict[str, str]) -> None:
    """Another CA: the option is named."""
    folder = Path(__file__).parents[2] / "unit" / "support" / "pem"
    code, lines = check(IAM, environ=shared, ca_cert=str(folder / "other-ca.pem"))
    assert code == PERMANENT
    (line,) = wrong(lines)
    assert "set ca_cert" in line


def test_no_credentials(check: Check) -> None:
    """They may come; until then, what to give."""
    code, lines = check(IAM)
    assert code == TRANSIENT
    (line,) = wrong(lines)
    assert line.startswith("wrong   credentials: no AWS credentials found -- give access_key")


def test_sink_that_cannot_be_written(check: Check, shared: dict[str, str]) -> None:
    """Beside everything else that is fine."""
    code, lines = check(IAM, environ=shared, sink="/sys/token")
    assert code == PERMANENT
    (line,) = wrong(lines)
    assert line.startswith("wrong   sink: cannot write /sys/token: ")


def test_wrong_configuration(check: Check) -> None:
    """Nothing is tried then."""
    code, lines = check({**IAM, "regoin": "eu-central-1"})
    assert code == CONFIGURATION
    assert not any(line.startswith(("ok ", "note ", "wrong ")) for line in lines)
