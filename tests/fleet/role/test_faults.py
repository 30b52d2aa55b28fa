# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Roll-outs that fail: each host says why, and nothing else is harmed."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from tests.fleet import clock
from tests.fleet.fleet import Wish, running
from tests.stack.handle import Stack

from . import looks
from .runs import Runner, works


@pytest.fixture
def hindered(stack: Stack, tmp_path: Path) -> t.Iterator[Runner]:
    """Plays on a fleet where every host but ``well`` has the fault that it is named for."""
    instances = dict(zip(("well", "clock", "profile", "metadata"), stack.instances[1:], strict=True))
    releases = {"well": "bookworm", "clock": "bullseye", "profile": "trixie", "metadata": "trixie"}
    hosts, folder = tmp_path / "hosts", tmp_path / "runs"
    for made in (hosts, folder):
        made.mkdir()
    # Credentials last an hour from when they are first asked for: a clock that is ahead must not find them ended.
    stack.imds_reset(instances["clock"])
    stack.imds(instances["profile"], role="unbound")
    stack.imds(instances["metadata"], disabled=True)
    try:
        with running(stack, hosts, {name: Wish(releases[name], instances[name]) for name in instances}) as fleet:
            clock.skew(fleet.host("clock"), 1800)
            runner = Runner(fleet, folder)
            runner.prepare()
            yield runner
    finally:
        for name in ("profile", "metadata"):
            stack.imds_reset(instances[name])


def test_each_host_fails_with_its_own_hint(stack: Stack, hindered: Runner) -> None:
    """In one play; and the one that is well succeeds."""
    done = hindered.role(wait_timeout="{{ 10 if inventory_hostname == 'metadata' else 60 }}")
    assert done.rc != 0
    hints = {
        "clock": ("is outside the 15 minutes that AWS allows", "ahead of Vault's"),
        "profile": (":assumed-role/unbound/", "bound_iam_principal_arn of role app"),
        "metadata": ("no AWS credentials", "metadata service switched on"),
    }
    assert {*done.failed} == {*hints}, done.shown
    for host, words in done.failed.items():
        assert words.startswith("vault-agent: "), words
        for hint in hints[host]:
            assert hint in words, (host, words)
    assert works(stack, looks.agent(hindered.fleet.host("well")).token)


def test_bad_variables_touch_no_host(runner: Runner) -> None:
    """All of them are named at once."""
    wrong: dict[str, t.Any] = {"url": "vault.example.org", "wait_timeout": "soon", "sinks": [{"path": "token"}]}
    done = runner.role(name="bad", rolle="app", **wrong)
    assert done.rc != 0
    assert done.failed, done.shown
    for words in done.failed.values():
        assert {line.partition(": ")[0] for line in words.splitlines()} == {
            "vault_agent_rolle",
            "vault_agent_url",
            "vault_agent_wait_timeout",
            "vault_agent_sinks.path",
        }, words
    assert not any(done.executed.values()), done.executed


def test_one_bad_host_stops_all(runner: Runner) -> None:
    """No host is left half installed for the mistake of another."""
    done = runner.role(name="bad", wait_timeout="{{ 'soon' if fleet_release == 'trixie' else 60 }}")
    assert done.rc != 0
    assert done.failed["trixie"].startswith("vault_agent_wait_timeout: "), done.shown
    assert not any(done.executed.values()), done.executed
