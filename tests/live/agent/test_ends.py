# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the agent ends: by itself, with the code that says why, or by SIGTERM, soon, whatever it is doing."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator

import pytest

from tests.live.agent.agents import Agents
from tests.stack.handle import Stack
from tests.stack.processes import recorded

LONG = {"token_ttl": "1h", "token_max_ttl": "2h"}


@pytest.fixture
def deaf() -> Iterator[str]:
    """A server that accepts connections and never says anything."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(50)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_codes(agents: Agents, stack: Stack, closed_port: int) -> None:
    """0: done. 1: the configuration. 2: what stays so until somebody changes something. 3: what may pass."""
    away = {"address": f"http://127.0.0.1:{closed_port}"}
    region = {"region": "eu-west-1", "sts_endpoint": "https://sts.amazonaws.com"}
    unwritable = {"type": "file", "config": {"path": "/sys/vaultfleet-token"}}
    once = {
        agents.iam("fine", role=LONG): 0,
        agents.iam("region", login_options=region): 1,
        agents.iam("mistyped", exit_after_auht=True): 1,
        agents.iam("unknown"): 2,
        agents.iam("away", vault=away): 3,
        agents.iam("sink", auto_auth={"sink": [unwritable]}): 3,
    }
    by_itself = {
        agents.iam("after", role=LONG, exit_after_auth=True): 0,
        agents.iam("error", method={"exit_on_err": True}, login_options={"header_value": "another"}): 2,
        agents.iam("error-away", method={"exit_on_err": True}, vault=away): 3,
    }
    unknown = next(agent for agent in once if agent.name.endswith("-unknown"))
    stack.root("DELETE", f"auth/aws/role/{unknown.name}")
    for agents_of_both, arguments in ((once, ("--once",)), (by_itself, ())):
        for agent in agents_of_both:
            agent.start(*arguments)
    for agent, code in (once | by_itself).items():
        assert agent.ended() == code, agent.log()
        assert agent.works() is (code == 0)
        assert agent.logins() <= 1, agent.log()
        assert agent.said("error: " if code == 1 else f"ended code={code}"), agent.log()
    for name, text in (("region", "let both name one region"), ("mistyped", "did you mean exit_after_auth")):
        agent = next(one for one in once if one.name.endswith(name))
        assert agent.said(text), agent.log()


def test_sigterm(agents: Agents, stack: Stack, deaf: str, closed_port: int) -> None:
    """Within 2 s, with code 0, and the token still works: others may be using it."""
    pid_file = agents.folder / "agent.pid"
    serving = agents.iam("serving", role=LONG, pid_file=str(pid_file))
    waiting = agents.iam("waiting", vault={"address": f"http://127.0.0.1:{closed_port}"})
    blocked = agents.iam("blocked", login_options={"header_value": "another"})
    hanging = agents.iam("hanging", vault={"address": deaf})
    metadata = agents.iam("metadata", {"AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": deaf})
    for agent in (serving, waiting, blocked, hanging, metadata):
        agent.start()
    serving.serves()
    waiting.tells("waiting")
    blocked.tells("blocked")
    hanging.tells("starting")
    metadata.tells("starting")
    assert pid_file.read_text(encoding="ascii") == str(serving.process.pid if serving.process else "")
    time.sleep(0.5)  # until the requests hang
    for agent in (serving, waiting, blocked, hanging, metadata):
        agent.stop(2)
        assert agent.status()["state"] == "stopping"
    told = serving.command("status", "--name", serving.name)
    assert (told.returncode, told.stdout.splitlines()[0]) == (3, "state:  not running (it was stopping)")
    assert serving.works()
    assert not pid_file.exists()


def test_revoke_on_exit(agents: Agents, stack: Stack) -> None:
    """The token is given up first, if the server answers in time; what could not be is said."""
    wish = {"revoke_on_exit": True}
    fine = agents.iam("fine", role=LONG, auto_auth=wish)
    batch = agents.iam("batch", role={**LONG, "token_type": "batch"}, auto_auth=wish)
    stuck = agents.iam("stuck", role=LONG, auto_auth=wish)
    for agent in (fine, batch, stuck):
        agent.start()
    tokens = {agent: agent.serves() for agent in (fine, batch, stuck)}
    fine.stop(3)
    assert fine.said("revoking the token, as revoke_on_exit says")
    assert not fine.works()
    assert fine.token() == tokens[fine]
    batch.stop(3)
    assert batch.said("the token was not revoked: the server refuses"), batch.log()
    [server] = [one for one in recorded(stack.lay.run) if one.name == "vault"]
    os.kill(server.pid, signal.SIGSTOP)
    try:
        assert 4 < stuck.stop() < 8
    finally:
        os.kill(server.pid, signal.SIGCONT)
    assert stuck.said("the token was not revoked: the server gave no answer in 5 s")
