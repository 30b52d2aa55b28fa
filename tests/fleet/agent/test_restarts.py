# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a restart, a stop, an upgrade, a reload, a hang and a reboot leave of nonce and token."""

from __future__ import annotations

import signal
import time

from tests.fleet import library

from .conftest import Serve
from .service import Service

WATCHDOG = 6  # seconds; fed every 2, so that a busy machine may be late by 4


def kept(agent: Service, token: str, nonce: str, logins: int = 1) -> None:
    """Assert that the agent went on with the same token, nonce and entry of the server, and without a login."""
    assert agent.show("ActiveState") == "active"
    assert agent.token() == token
    assert agent.works()
    assert agent.nonce() == nonce == agent.entry()["client_nonce"]
    assert len(agent.logins()) == logins
    assert agent.refusals() == []


def test_a_restart_costs_nothing(serve: Serve) -> None:
    """Nor do stop and start, or a crash, or systemd's own restart."""
    agent = serve("ec2", 0)
    token = agent.start()
    nonce = agent.nonce()
    created = agent.entry()["creation_time"]
    for verb in ("restart", "stop", "start"):
        agent.systemctl(verb)
        assert agent.token() == token, verb
    kept(agent, token, nonce)
    agent.host.run(["systemctl", "daemon-reexec"])
    agent.revive()
    kept(agent, token, nonce)
    assert agent.entry()["creation_time"] == created
    assert agent.journal_text().count("went on with the token of the last process") == 3


def test_the_watchdog_ends_a_hung_agent(serve: Serve) -> None:
    """It comes back with what it had."""
    agent = serve("ec2", 0, more=[f"WatchdogSec={WATCHDOG}"])
    token = agent.start()
    nonce = agent.nonce()
    begun = time.monotonic()
    # What it did at its start counts as a sign of life: it has to give others, for longer than the watchdog waits.
    last = fed(agent)
    agent.until(lambda: time.monotonic() - begun > WATCHDOG + 1 and fed(agent) > last, "it does not feed the watchdog")
    assert agent.show("NRestarts") == "0", "an agent that is well was ended"
    agent.revive(signal.SIGSTOP)
    assert "Watchdog timeout" in agent.journal_text()
    assert agent.show("NRestarts") == "1"
    kept(agent, token, nonce)


def fed(agent: Service) -> int:
    """When systemd last had a sign of life of it, in microseconds since the machine's boot."""
    return int(agent.show("WatchdogTimestampMonotonic"))


def test_another_version(serve: Serve) -> None:
    """The nonce of a newer version is read after a roll-back; its token, of another form, is replaced."""
    newer = f"{library.CODE}-newer"
    agent = serve("ec2", 0)
    edit = f"""
        cp -r {library.CODE} {newer}
        cd {newer}/{library.UTILS}/_agent
        grep -q '_TOKEN_VERSION = 1$' store.py && grep -q '{{"v": 1, "key"' store.py
        sed -i 's/_TOKEN_VERSION = 1$/_TOKEN_VERSION = 2/' store.py
        sed -i 's/{{"v": 1, "key"/{{"v": 2, "more": "later", "key"/' store.py"""
    agent.host.run(["sh", "-euc", edit])
    agent.install(f"Environment=PYTHONPATH={newer}:{library.LIBRARY}")
    token = agent.start()
    nonce = agent.nonce()
    assert {record["v"] for record in agent.records().values()} == {2}
    agent.install()
    agent.systemctl("restart")
    new = agent.token()
    assert new != token
    assert "it is of another version" in agent.journal_text()
    kept(agent, new, nonce, logins=2)
    agent.systemctl("restart")
    kept(agent, new, nonce, logins=2)


def test_reload(serve: Serve) -> None:
    """systemd waits for the end of a reload, which does what the file says, or nothing at all and tells why."""
    agent = serve("ec2", 0, more=["Type=notify-reload", "ExecReload="])
    token = agent.start()
    nonce, process = agent.nonce(), agent.main()
    agent.sinks = [{"path": f"/run/{agent.name}/second"}]
    agent.configure()
    agent.systemctl("reload")
    agent.holds("second", token)
    agent.configure(max_backof="1s")
    agent.systemctl("reload")
    agent.tells("reload refused: ")
    agent.tells("max_backof")
    kept(agent, token, nonce)
    agent.configure()
    agent.systemctl("reload")
    agent.until(lambda: "reload refused" not in agent.show("StatusText"), "STATUS still tells of a refused reload")
    kept(agent, token, nonce)
    assert agent.main() == process


def test_after_a_reboot(serve: Serve) -> None:
    """Memory is gone: iam logs in unaided, so does ec2 with a nonce of its configuration; else an operator is told."""
    patient = {"method": {"max_backoff": "300s"}}
    agents = [
        serve("ec2", 0, **patient),
        serve("ec2", 1, options={"nonce": "of-the-configuration"}, **patient),
        serve("iam", 2, **patient),
    ]
    tokens = [agent.start() for agent in agents]
    for agent in agents:
        agent.systemctl("stop")
        agent.systemctl("clean", "--what=fdstore", "--what=runtime")
        agent.systemctl("start", "--no-block")
    lost, *others = agents
    for agent, token in zip(others, tokens[1:], strict=False):
        agent.active()
        assert agent.token() != token
        assert agent.works()
        assert len(agent.logins()) == 2
    lost.until(lambda: lost.show("StatusText").startswith("blocked; "), "it does not tell")
    lost.until(lambda: lost.status()["state"] == "blocked", "the status does not tell")
    assert f"auth/aws/identity-accesslist/{lost.instance}" in lost.show("StatusText")
    assert lost.show("ActiveState") == "activating"
    assert lost.status()["next"]["at"] - time.time() > 100
    assert len(lost.logins()) == 2
    assert lost.refusals() == ["client nonce mismatch"]
    # What an operator is told to do helps at once, with a signal.
    lost.stack.delete_accesslist(lost.instance)
    lost.send(signal.SIGUSR1)
    lost.active()
    assert lost.works()
    assert lost.nonce() == lost.entry()["client_nonce"]
