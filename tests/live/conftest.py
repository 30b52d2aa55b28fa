# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixtures: the running stack, an environment without anybody's settings, instances that have not logged in yet."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.playbooks import WAYS, Player
from tests.stack.handle import Stack

PROJECT = Path(__file__).parents[2]
# What steers the SDK, the clients of Vault, Ansible or the way to the server.
FOREIGN = ("AWS_", "VAULT_", "BAO_", "VAULTFLEET_AWS_", "ANSIBLE_")
PROXIES = ("http_proxy", "https_proxy", "no_proxy", "all_proxy")
DIRECTORY = os.environ.get("VAULTFLEET_STACK_DIR", str(PROJECT / ".stack"))


@pytest.fixture(scope="session")
def running_stack() -> Iterator[Stack]:
    """The stack that runs; its answers tell, beside the default metadata, who logged in."""
    stack = Stack.load(DIRECTORY)
    names = ["account_id", "auth_type", "client_arn", "inferred_entity_id"]
    stack.root("PUT", "auth/aws/config/identity", {"iam_metadata": names})
    yield stack
    stack.root("PUT", "auth/aws/config/identity", {"iam_metadata": ["default"]})


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No setting and no credentials of whoever runs the tests; the metadata service is asked only where a test says."""
    for name in list(os.environ):
        if name.startswith(FOREIGN) or name.lower() in PROXIES:
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def stack(running_stack: Stack) -> Iterator[Stack]:
    """The stack; faults that a test left switched on are off for the next."""
    yield running_stack
    running_stack.aws_fault()


@pytest.fixture
def instance(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An instance that Vault has not seen; its metadata service is the one that SDKs find."""
    name = stack.instances[0]
    stack.delete_accesslist(name)
    stack.imds_reset(name)
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", stack.imds_endpoint(name))
    yield name
    stack.imds_reset(name)
    stack.delete_accesslist(name)


@pytest.fixture
def breakable(stack: Stack) -> Iterator[Stack]:
    """The stack; its Vault runs and is unsealed afterwards, whatever a test did to it."""
    yield stack
    if not stack.healthy():
        stack.stop_vault()
        stack.start_vault()


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that nobody listens on; it is taken all the while, so that nobody else is given it."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield int(taken.getsockname()[1])


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Have the tests of a file that says ``BOTH_WAYS`` play both in Ansible's own process and as a module."""
    if "way" in metafunc.fixturenames:
        metafunc.parametrize("way", WAYS if getattr(metafunc.module, "BOTH_WAYS", False) else WAYS[:1])


@pytest.fixture
def player(stack: Stack, tmp_path: Path, way: str) -> Player:
    """Runs playbooks against the stack."""
    return Player(stack, tmp_path, way)
