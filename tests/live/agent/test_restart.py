# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What outlives the process: a restart or a crash costs no login, and the nonce of an instance is never lost."""

from __future__ import annotations

import os
import signal
import time

from tests.live.agent.agents import Agents
from tests.live.agent.process import Agent
from tests.stack.handle import Stack
from tests.stack.processes import recorded

LONG = {"token_ttl": "1h", "token_max_ttl": "2h"}
WENT_ON = "went on with the token of the last process"


def entry(stack: Stack, instance: str) -> dict[str, object]:
    """What the server keeps of an instance's first login."""
    found: dict[str, object] = stack.root("GET", f"auth/aws/identity-accesslist/{instance}")["data"]
    return found


def kept(agent: Agent, kind: str) -> list[str]:
    """The records of a kind that the service manager holds."""
    assert agent.manager
    return [name for name in agent.manager.names() if name.startswith(f"vf-{kind}-")]


def test_restart_crash_and_another_role(agents: Agents, stack: Stack) -> None:
    """No login is spent by a restart or a crash; another role drops the token, and logs in with the same nonce."""
    instance = stack.instances[2]
    agent, other = agents.ec2(instance, role=LONG), agents.ec2(instance, "other", role=LONG)
    manager = agent.managed()
    agent.start()
    token = agent.serves()
    agent.until(agent.looked_up)
    agent.until(lambda: manager.told("READY=1"))
    first, tags = entry(stack, instance), [tag for message in manager.messages for tag in message]
    # The nonce is with the manager, seen to be, before a login is sent; it is ready only with a token in the sink.
    assert tags.index("FDNAME=vf-nonce-1") < tags.index("BARRIER=1") < tags.index("READY=1")
    assert (len(kept(agent, "nonce")), len(kept(agent, "token"))) == (1, 1)

    for end in (agent.stop, agent.kill):
        end()
        assert agent.works(), "readers have lost their token"
        if end == agent.kill:
            agent.sink.unlink()
        before = manager.told("READY=1")
        agent.start()
        agent.until(lambda before=before: manager.told("READY=1") > before)  # type: ignore[misc]
        assert agent.token() == token
        agent.tells("serving")
        assert agent.log().count(WENT_ON) == (1 if end == agent.stop else 2)
    assert agent.logins() == 1

    agent.stop()
    agent.change(role=other.name)
    agent.start()
    agent.replaced(token)
    assert agent.works()
    assert agent.said("dropped the token of the last process: the configuration changed what it is for")
    assert (other.logins(), agent.state()) == (1, "serving")
    assert entry(stack, instance)["creation_time"] == first["creation_time"]
    assert (len(kept(agent, "nonce")), len(kept(agent, "token"))) == (1, 1)
    assert manager.most <= 4


def test_a_kept_token_and_its_server(agents: Agents, breakable: Stack) -> None:
    """A kept token is in the sink although the server is away; one that was revoked meanwhile is replaced at once."""
    instance = breakable.instances[3]
    agent = agents.ec2(instance, role=LONG)
    agent.managed()
    agent.start()
    token = agent.serves()
    agent.until(agent.looked_up)
    agent.stop()
    agent.sink.unlink()
    [server] = [one for one in recorded(breakable.lay.run) if one.name == "vault"]
    os.kill(server.pid, signal.SIGSTOP)
    try:
        agent.start()
        agent.until(lambda: agent.token() == token)
    finally:
        os.kill(server.pid, signal.SIGCONT)
    agent.until(lambda: len(agent.uses("auth/token/lookup-self")) >= 2)
    agent.kill()
    breakable.root("POST", "auth/token/revoke", {"token": token})
    agent.start()
    agent.replaced(token)
    assert agent.works()
    assert agent.said("the token is gone")
    assert agent.logins() == 2, "the nonce was not the same"


def test_given_up(agents: Agents) -> None:
    """With revoke_on_exit nothing of the token is left to the next process, which logs in."""
    agent = agents.iam(role=LONG, auto_auth={"revoke_on_exit": True})
    manager = agent.managed()
    agent.start()
    token = agent.serves()
    agent.until(lambda: len(kept(agent, "token")) == 1)
    agent.stop(3)
    manager.wait(lambda: kept(agent, "token") == [])
    assert not agent.works()
    agent.start()
    agent.replaced(token)
    assert agent.works()
    assert not agent.said(WENT_ON)


def test_without_room(agents: Agents, stack: Stack) -> None:
    """A manager that keeps nothing is told of once; a restart logs in anew, which an instance without nonce cannot."""
    agent = agents.ec2(stack.instances[4], role=LONG, method={"max_backoff": 300})
    agent.managed(room=0)
    agent.start()
    token = agent.serves()
    assert agent.log().count("token and nonce end with this process") == 1
    assert agent.said("FileDescriptorStoreMax")
    agent.stop()
    agent.start()
    agent.tells("blocked")
    assert agent.said(f"identity-accesslist/{stack.instances[4]}")
    assert agent.token() == token
    assert agent.works()
    logins = agent.logins()
    time.sleep(1.5)
    assert agent.logins() == logins == 2
    # What the operator does as told, and has looked at at once.
    stack.delete_accesslist(stack.instances[4])
    agent.send(signal.SIGUSR1)
    agent.replaced(token)
    assert agent.works()
