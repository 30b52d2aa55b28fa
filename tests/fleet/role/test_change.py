# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is changed on hosts that have agents: of the token and of the process no more is lost than must be."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

from tests.fleet.fleet import Fleet
from tests.fleet.host import Host
from tests.stack.handle import Stack

from . import bundles, looks
from .runs import Runner, works

SOON = {"vault_agent_lookup_interval": "2s"}  # that a revoked token is noticed
NEW, NEWEST = "0.1.0-newer", "0.1.0-newest"
READER = """
first=$(cat /run/vault-agent/token)
echo begun
while sleep 0.2; do
    now=$(cat /run/vault-agent/token) && [ "$now" = "$first" ] || echo lost
done
"""


def test_changed_variable_reloads(fleet: Fleet, runner: Runner) -> None:
    """The process and its token go on; check mode foretells it, and diff mode shows the line."""
    before = looks.agents(fleet)
    unchanged = looks.config(fleet.host("trixie"))
    foretold = runner.example("--check", "--diff", "--limit", "trixie", **SOON)
    foretold.judge_success()
    changes = re.findall(r"^([+-]) +(.*)$", foretold.shown, re.MULTILINE)
    assert changes == [("+", '"lookup_interval": "2s",')], foretold.shown
    assert looks.config(fleet.host("trixie")) == unchanged
    done = runner.example(**SOON)
    done.judge_success()
    tasks = ["Configure the agent", "Enable the service, and bring into force what changed"]
    assert done.changed == dict.fromkeys(fleet.members, tasks)
    assert foretold.changed == {"trixie": tasks}
    assert looks.agents(fleet) == before
    for name in fleet.members:
        assert looks.config(fleet.host(name))["auto_auth"]["lookup_interval"] == "2s"


def test_new_version_restarts(fleet: Fleet, stack: Stack, runner: Runner, tmp_path: Path) -> None:
    """Token and nonce outlive it, without a login; a reader notices nothing. The old version goes."""
    before, logins = looks.agents(fleet), stack.logins()
    for name in fleet.members:
        start_reader(fleet.host(name))
    done = runner.example(**SOON, **bundles.variables(tmp_path, NEW, lambda program: program + b"# newer\n"))
    done.judge_success()
    after = looks.agents(fleet)
    assert stack.logins() == logins
    for name in fleet.members:
        host = fleet.host(name)
        assert after[name].version == NEW
        assert after[name].token == before[name].token
        assert after[name].pid != before[name].pid
        assert host.run(["ls", "/opt/vaultfleet-agent"]).stdout.split() == [NEW, "vault-agent"]
        assert stop_reader(host) == ["begun"], name
    # With another nonce, the server would refuse hosts of type ec2.
    for agent in after.values():
        stack.root("POST", "auth/token/revoke", {"token": agent.token})
    for name, agent in after.items():
        looks.until(renewed(fleet.host(name), agent.token), f"{name} did not log in again")
        assert works(stack, looks.agent(fleet.host(name)).token)


def test_what_does_not_run_is_rolled_back(fleet: Fleet, stack: Stack, runner: Runner, tmp_path: Path) -> None:
    """The run fails, and says so; the agent goes on from the version, the unit and the configuration that it had.

    Here it is a Python that is good by all looks, and does not start as a service.
    """
    host = fleet.host("bullseye")
    places = ("/etc/vault-agent/vault-agent.json", "/etc/systemd/system/vault-agent.service")
    before, texts = looks.agent(host), [host.read(path) for path in places]
    odd = '#!/bin/sh\n[ -z "$NOTIFY_SOCKET" ] || { echo \'not as a service\' >&2; exit 3; }\nexec python3 "$@"\n'
    host.write("/usr/local/bin/odd-python", odd, 0o755)
    newer = bundles.variables(tmp_path, NEWEST, lambda program: program + b"# newest\n")
    changed = {"vault_agent_python": "/usr/local/bin/odd-python", "vault_agent_lookup_interval": "9s", **newer}
    done = runner.example("--limit", "bullseye", **changed)
    host.run(["rm", "/usr/local/bin/odd-python"])
    assert {"Unpack the bundle", "Configure the agent", "Write the unit"} <= {*done.changed["bullseye"]}, done.shown
    words = done.failed["bullseye"]
    assert "the agent does not stay up: not as a service" in words, words
    assert f"rolled back to version {before.version} with its unit and configuration" in words, words
    assert f"version {NEWEST} does not run" in words, words
    looks.until(lambda: serves(host), "it did not come back")
    after = looks.agent(host)
    assert (after.version, after.token) == (before.version, before.token)
    assert [host.read(path) for path in places] == texts
    assert works(stack, after.token)


def renewed(host: Host, old: str) -> t.Callable[[], bool]:
    """Whether the sink holds another token than ``old``."""
    return lambda: host.read("/run/vault-agent/token") != old


def start_reader(host: Host) -> None:
    """Have the application's user read the token all the time."""
    host.run(["systemd-run", "--unit=reader", "--uid=app", "sh", "-c", READER])
    looks.until(lambda: "begun" in _reader_told(host), "the reader did not begin")


def stop_reader(host: Host) -> list[str]:
    """End it; what it had to tell."""
    host.run(["systemctl", "stop", "reader"])
    return _reader_told(host)


def _reader_told(host: Host) -> list[str]:
    host.run(["journalctl", "--sync"])
    return host.run(["journalctl", "--unit=reader", "_COMM=sh", "--output=cat"]).stdout.splitlines()


def serves(host: Host) -> bool:
    """Whether the agent is ready."""
    return host.run(["systemctl", "is-active", "vault-agent"], check=False).stdout.strip() == "active"
