# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Roll-outs that fail: each host says why, and nothing else is harmed."""

from __future__ import annotations

from tests.fleet.fleet import Fleet
from tests.stack.handle import Stack

from . import looks
from .runs import Runner, works


def test_each_host_fails_with_its_own_hint(fleet: Fleet, stack: Stack, runner: Runner) -> None:
    """A role that the server does not know on one, no metadata service on the next; the third succeeds."""
    bookworm = fleet.members["bookworm"].instance
    before = looks.agents(fleet)
    stack.imds(bookworm, disabled=True)
    try:
        done = runner.role(
            name="fault",
            role="{{ 'nonesuch' if fleet_release == 'trixie' else 'app' }}",
            wait_timeout="{{ 10 if fleet_release == 'bookworm' else 90 }}",
        )
    finally:
        stack.imds_reset(bookworm)
    assert done.rc != 0
    assert {*done.failed} == {"trixie", "bookworm"}, done.shown
    assert done.failed["trixie"].startswith("fault: "), done.failed
    assert "nonesuch" in done.failed["trixie"], done.failed
    assert " -- " in done.failed["trixie"], done.failed
    assert "credentials" in done.failed["bookworm"], done.failed
    assert works(stack, looks.agent(fleet.host("bullseye"), "fault").token)
    assert looks.agents(fleet) == before, "agents of another name are not concerned"


def test_sealed(fleet: Fleet, stack: Stack, runner: Runner) -> None:
    """The host is configured nevertheless: once Vault is unsealed, it has its token unaided."""
    host = fleet.host("trixie")
    stack.seal()
    try:
        done = runner.role("--limit", "trixie", name="fault", wait_timeout=5, max_backoff="2s")
    finally:
        stack.unseal()
    assert done.rc != 0
    assert "sealed" in done.failed["trixie"], done.shown
    looks.until(lambda: host.run(["cat", "/run/fault/token"], check=False).stdout, "no token came")
    assert works(stack, looks.agent(host, "fault").token)


def test_bad_variables_touch_no_host(runner: Runner) -> None:
    """All of them are named at once."""
    wrong = {"url": "vault.example.org", "wait_timeout": "soon", "sinks": [{"path": "token"}]}
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
