# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""SIGHUP: a new configuration is in force as a whole, or not at all."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

from tests.live.agent.agents import Agents, side_by_side
from tests.live.agent.process import Agent
from tests.stack.handle import Stack
from tests.stack.processes import recorded

LONG = {"token_ttl": "1h", "token_max_ttl": "2h"}


def test_reloads(agents: Agents) -> None:
    """Each with an agent of its own."""
    side_by_side(
        lambda: mistake(agents), lambda: another_role(agents), lambda: another_sink(agents), lambda: tidy(agents)
    )


def reload(agent: Agent, pattern: str = "reloaded the configuration") -> None:
    """Send SIGHUP, and wait for a new line of the log that has ``pattern``."""
    before = len(agent.log())
    agent.send(signal.SIGHUP)
    agent.until(lambda: pattern in agent.log()[before:], f"no {pattern!r}")


def mistake(agents: Agents) -> None:
    """A mistake changes nothing, and is told in the log, the status and to the service manager, until it is mended."""
    agent = agents.iam("mistake", role=LONG)
    manager = agent.managed()
    agent.start()
    token = agent.serves()
    agent.until(agent.looked_up)
    right = agent.config
    for text, told in (
        ('{"auto_auth": ', "is not JSON"),
        ('{"auto_auth": {"method": []}}', "auto_auth.method: is missing"),
        (agent.file.read_text(encoding="utf-8").replace('"aws"', '"gcp"'), "gcp"),
    ):
        agent.file.write_text(text, encoding="utf-8")
        reload(agent, told)
        assert agent.said("was not reloaded, the old one stays in force")
        agent.until(lambda told=told: told in agent.status()["reload_error"])  # type: ignore[misc]
        assert agent.state() == "serving"
    assert "the last reload was refused" in agent.command("status", "--name", agent.name).stdout
    manager.wait(lambda: any("reload refused" in message[0] for message in manager.messages))
    # Ready once at the start and after each reload, or systemd would take it for one that hangs in its reload.
    manager.wait(lambda: (manager.told("READY=1"), manager.told("RELOADING=1")) == (4, 3))
    agent.write(**right)
    reload(agent)
    agent.until(lambda: agent.status()["reload_error"] == "")
    agent.until(lambda: agent.status()["sinks"][0]["holds_token"])  # found again after the reload, without a write
    time.sleep(1.2)
    assert agent.token() == token
    assert agent.logins() == 1


def another_role(agents: Agents) -> None:
    """Another login: the old token stays in the sink until there is the new one; in vain, it stays for good."""
    agent, other = agents.iam("old", role=LONG), agents.iam("new", role=LONG)
    agent.start()
    token = agent.serves()
    agent.change(role="nobody-has-this-role")
    reload(agent)
    agent.until(lambda: "no role nobody-has-this-role" in agent.status()["errors"].get("login", ""))
    assert agent.state() == "at risk"
    assert agent.token() == token
    assert agent.works()
    agent.change(role=other.name)
    reload(agent)
    agent.replaced(token)
    assert agent.works()
    assert other.logins() == 1
    agent.tells("serving")
    assert agent.status()["login"]["role"] == other.name


def tidy(agents: Agents) -> None:
    """With revoke_previous the replaced token is revoked, but not before readers had time to take over the new one."""
    agent, other = agents.iam("tidy", role=LONG, auto_auth={"revoke_previous": True}), agents.iam("next", role=LONG)
    agent.start()
    old = agent.serves()
    agent.change(role=other.name)
    reload(agent)
    agent.replaced(old)
    assert lives(agent, old)
    agent.until(lambda: agent.said("revoked the token that was replaced"))
    assert not lives(agent, old)
    assert agent.works()


def connected(agent: Agent) -> bool:
    """Whether it has a connection to the server (proc(5), net/tcp: 01 is established)."""
    port = int(agent.stack.env["VAULT_ADDR"].rpartition(":")[2])
    lines = [line.split() for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]]
    theirs = {f"socket:[{line[9]}]" for line in lines if line[2].endswith(f":{port:04X}") and line[3] == "01"}
    assert agent.process
    with contextlib.suppress(FileNotFoundError):  # one was closed meanwhile
        return any(str(one.readlink()) in theirs for one in Path(f"/proc/{agent.process.pid}/fd").iterdir())
    return False


def lives(agent: Agent, token: str) -> bool:
    """Whether the server takes ``token``."""
    return agent.stack.vault.call("GET", "secret/data/demo", token=token).status == 200


def another_sink(agents: Agents) -> None:
    """Sinks come and go without a login; the file of one that went is left as it is."""
    agent = agents.iam("sinks", role=LONG).start()
    token = agent.serves()
    new = agent.folder / "new"
    sinks = [{"type": "file", "config": {"path": str(new), "mode": 0o600}}]
    agent.write(auto_auth={**agent.config["auto_auth"], "sink": sinks}, log_level="debug")
    reload(agent)
    agent.until(new.exists)
    assert new.read_text(encoding="ascii") == token == agent.token()
    agent.until(lambda: agent.said("this file is no sink any more"))
    agent.until(lambda: [sink["path"] for sink in agent.status()["sinks"]] == [str(new)])
    agent.sink.unlink()
    new.unlink()
    agent.send(signal.SIGUSR1)
    agent.until(new.exists)
    assert not agent.sink.exists()
    assert agent.logins() == 1


def test_while_a_login_is_under_way(agents: Agents, breakable: Stack) -> None:
    """What comes of a login that the new configuration does not want is revoked; what it mends is tried at once."""
    [server] = [one for one in recorded(breakable.lay.run) if one.name == "vault"]
    old, new = agents.iam("old", role=LONG), agents.iam("new", role=LONG)
    wrong = agents.iam("wrong", role=LONG, login_options={"header_value": "another"}, method={"max_backoff": "300s"})
    os.kill(server.pid, signal.SIGSTOP)
    try:
        old.start()
        wrong.start()
        for agent in (old, wrong):
            agent.until(lambda agent=agent: connected(agent), "no login on its way")  # type: ignore[misc]
        old.change(role=new.name)
        wrong.change(header_value=breakable.env["STACK_HEADER_VALUE"])
        for agent in (old, wrong):
            reload(agent)
    finally:
        os.kill(server.pid, signal.SIGCONT)
    for agent in (old, wrong):
        agent.serves()
    assert old.status()["login"]["role"] == new.name
    assert new.logins() == 1
    old.change(role=old.name)  # only to have its own requests counted
    old.until(lambda: old.uses("auth/token/revoke-self"), "the token of the old role lives on")
    assert old.status()["counters"]["failures"]["logins"] == {"permanent": 0, "re-sign": 0, "transient": 0}
