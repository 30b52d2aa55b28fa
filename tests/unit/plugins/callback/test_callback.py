# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The callback: who cleans up, how often, and what it does without a store."""

from __future__ import annotations

import multiprocessing
import os
import typing as t

import pytest
from ansible import context
from ansible.plugins.loader import lookup_loader

from ansible_collections.vaultfleet.aws.plugins.callback import vault_aws_tokens
from ansible_collections.vaultfleet.aws.plugins.plugin_utils import _store
from ansible_collections.vaultfleet.aws.plugins.plugin_utils._shared import shared_login
from ansible_collections.vaultfleet.aws.tests.unit.plugins.plugin_utils.fakes import FakeVault, wish

FORK = multiprocessing.get_context("fork")


class Said:
    """Stands for Ansible's display."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.warnings: list[str] = []

    def display(self, line: str) -> None:
        """A line for the user."""
        self.lines.append(line)

    def warning(self, line: str) -> None:
        """A warning for the user."""
        self.warnings.append(line)


class Exits:
    """Stands for atexit: a test runs the handlers itself."""

    def __init__(self) -> None:
        self.handlers: list[t.Callable[[], object]] = []

    def register(self, handler: t.Callable[[], object]) -> None:
        """Remember it."""
        self.handlers.append(handler)


@pytest.fixture
def exits(monkeypatch: pytest.MonkeyPatch) -> Exits:
    """The exit handlers of the test's process."""
    made = Exits()
    monkeypatch.setattr(vault_aws_tokens, "atexit", made)
    monkeypatch.setattr(lookup_loader, "get", lambda _name: None)
    return made


def callback(monkeypatch: pytest.MonkeyPatch, *playbooks: str) -> tuple[t.Any, Said]:
    """A callback, and what it says."""
    monkeypatch.setattr(context, "CLIARGS", {"args": playbooks})
    made = vault_aws_tokens.CallbackModule()
    made._display = said = Said()
    return made, said


def test_a_run(exits: Exits, vault: FakeVault, monkeypatch: pytest.MonkeyPatch) -> None:
    made, said = callback(monkeypatch, "site.yml")
    made.v2_playbook_on_start(None)
    shared_login(wish(vault.url), _store.open_store())
    made.v2_playbook_on_stats(None)
    for handler in exits.handlers:
        handler()
    assert [line.rpartition(",")[0] for line in said.lines] == [
        "vault_aws_tokens: 1 logins, 0 hits, 0 renewals, 1 revoked"
    ]
    assert not said.warnings
    assert vault.times("revoke-self") == 1
    assert _store.is_new()


def test_only_after_the_last_playbook(exits: Exits, monkeypatch: pytest.MonkeyPatch) -> None:
    made, said = callback(monkeypatch, "one.yml", "two.yml")
    for lines in (0, 1):
        made.v2_playbook_on_start(None)
        made.v2_playbook_on_stats(None)
        assert len(said.lines) == lines


def test_a_run_that_ends_before_its_last_playbook(exits: Exits, monkeypatch: pytest.MonkeyPatch) -> None:
    made, said = callback(monkeypatch, "one.yml", "two.yml")
    made.v2_playbook_on_start(None)
    made.v2_playbook_on_stats(None)
    [handler] = exits.handlers
    handler()
    assert len(said.lines) == 1


def test_a_worker_that_inherits_the_exit_handler(
    exits: Exits, vault: FakeVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, said = callback(monkeypatch, "site.yml")
    made.v2_playbook_on_start(None)
    shared_login(wish(vault.url), _store.open_store())
    worker = FORK.Process(target=exits.handlers[0])
    worker.start()
    worker.join()
    assert worker.exitcode == 0
    assert vault.times("revoke-self") == 0
    assert not _store.is_new()
    exits.handlers[0]()
    assert vault.times("revoke-self") == len(said.lines) == 1


def test_without_a_place_in_memory(exits: Exits, monkeypatch: pytest.MonkeyPatch) -> None:
    made, said = callback(monkeypatch, "site.yml")
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    monkeypatch.setattr(_store, "_SHARED_MEMORY", "/nowhere")
    made.v2_playbook_on_start(None)
    made.v2_playbook_on_stats(None)
    assert len(said.warnings) == 1
    assert "Tokens are not shared, and not revoked at the end" in said.warnings[0]
    assert not said.lines
    assert not exits.handlers


def test_the_tokens_are_known_from_the_start(exits: Exits, monkeypatch: pytest.MonkeyPatch) -> None:
    made, _said = callback(monkeypatch, "site.yml")
    made.v2_playbook_on_start(None)
    assert made._pid == os.getpid()
    assert _store.has_callback(_store.open_store())
