# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Wrapped sinks: Vault Agent's shape, one use, wrapped anew while nobody uses it, left alone after that."""

from __future__ import annotations

import json
import re
import signal
import time
import typing as t
from pathlib import Path

from tests.live.agent import theirs
from tests.live.agent.agents import Agents, side_by_side
from tests.live.agent.audit import Json
from tests.live.agent.process import Agent
from tests.stack.handle import Stack

LONG = {"token_ttl": "1h", "token_max_ttl": "2h"}
SHAPE = re.compile(
    r'\{"token":"(?P<token>[^"]+)","accessor":"(?P<accessor>[^"]+)","ttl":(?P<ttl>\d+),'
    r'"creation_time":"(?P<creation_time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z)",'
    r'"creation_path":"(?P<creation_path>[^"]+)","wrapped_accessor":"(?P<wrapped_accessor>[^"]*)"\}\n'
)


def wrapped(agent: Agent, ttl: str) -> Agent:
    """The agent, whose one sink is wrapped for so long."""
    (sink,) = agent.config["auto_auth"]["sink"]
    agent.write(auto_auth={**agent.config["auto_auth"], "sink": [{**sink, "wrap_ttl": ttl}]})
    return agent


def wraps(agent: Agent) -> str:
    """Wait until the sink holds a wrapping token, and return what it holds."""
    agent.until(agent.sink.exists)
    text = agent.token()
    assert SHAPE.fullmatch(text), "it is not Vault Agent's shape"
    return text


def wrapping_token(text: str) -> str:
    """The wrapping token in what a sink holds."""
    return str(json.loads(text)["token"])


def lives(stack: Stack, text: str) -> bool:
    """Whether the wrapping token can be used."""
    return stack.vault.call("POST", "sys/wrapping/lookup", {"token": wrapping_token(text)}).status == 200


def unwrapped(stack: Stack, text: str) -> str:
    """The token in what a sink holds, which works."""
    answer = stack.vault.must("POST", "sys/wrapping/unwrap", None, wrapping_token(text))
    token = str(answer["data"]["token"])
    assert stack.vault.call("GET", "secret/data/demo", token=token).status == 200
    return token


def changed(agent: Agent, text: str) -> str:
    """Wait until the sink holds something else, and return that."""
    agent.until(lambda: agent.sink.exists() and agent.token() != text, "the same wrapping token in the sink")
    return wraps(agent)


def test_the_shape_is_vault_agents(agents: Agents, stack: Stack, tmp_path: Path) -> None:
    """Byte for byte but for the values, of a wrapped sink and of a wrapped login; both agents of one mind."""
    paths = {name: tmp_path / name for name in ("sink", "login")}
    with theirs.written(stack, tmp_path / "one", [sink(paths["sink"], wrap_ttl="5m")]):
        unwrapped(stack, paths["sink"].read_text(encoding="ascii"))
    with theirs.written(stack, tmp_path / "two", [sink(paths["login"])], method={"wrap_ttl": "5m"}):
        assert lives(stack, paths["login"].read_text(encoding="ascii"))
    ours = {
        "sink": wrapped(agents.iam("sink", role=LONG), "5m"),
        "login": agents.iam("login", method={"wrap_ttl": 300}),
    }
    for name, agent in ours.items():
        assert agent.start("--once").ended() == 0, agent.log()
        found = [SHAPE.fullmatch(text) for text in (agent.token(), paths[name].read_text(encoding="ascii"))]
        assert all(found), name
        mine, other = (one.groupdict() for one in found if one)
        assert mine["ttl"] == other["ttl"] == "300"
        assert bool(mine["wrapped_accessor"]) == bool(other["wrapped_accessor"]) == (name == "login")
    assert json.loads(ours["sink"].token())["creation_path"] == "sys/wrapping/wrap"
    assert json.loads(paths["sink"].read_text(encoding="ascii"))["creation_path"] == "sys/wrapping/wrap"
    assert json.loads(ours["login"].token())["creation_path"] == "auth/aws/login"
    unwrapped(stack, ours["sink"].token())


def sink(path: Path, **wishes: t.Any) -> Json:
    """The configuration of a sink."""
    return {"type": "file", **wishes, "config": {"path": str(path), "mode": 0o600}}


def test_their_life(agents: Agents, stack: Stack) -> None:
    """Each with an agent of its own."""
    side_by_side(
        lambda: nobody_comes(agents, stack),
        lambda: somebody_comes(agents, stack),
        lambda: the_token_is_replaced(agents, stack),
        lambda: what_cannot_be_wrapped(agents, stack),
    )


def nobody_comes(agents: Agents, stack: Stack) -> None:
    """It is wrapped anew before it ends, and the one before it opens nothing any more; that token is still the one."""
    agent = wrapped(agents.iam("nobody", role=LONG), "30s").start()
    first = wraps(agent)
    begun = time.monotonic()
    second = changed(agent, first)
    wraps_made = agent.uses("sys/wrapping/wrap")
    assert 18 < wraps_made[1] - wraps_made[0] < 26
    assert lives(stack, first), "a reader that had it in its hands has lost it"
    agent.until(lambda: not lives(stack, first), "the old one was not used up")
    assert time.monotonic() - begun < 29.5, "it ended by itself"
    assert agent.said("nobody used the wrapped token so far, and it was wrapped anew")
    unwrapped(stack, second)
    assert (agent.logins(), len(agent.uses("sys/wrapping/wrap"))) == (1, 2)


def somebody_comes(agents: Agents, stack: Stack) -> None:
    """What was used is left alone, or missing, over a restart too, until somebody asks for another one by a reload."""
    agent = wrapped(agents.iam("used", role=LONG), "1h")
    agent.managed()
    agent.start()
    first = wraps(agent)
    agent.stop()
    agent.start()
    agent.until(lambda: agent.said("went on with the token of the last process"))
    agent.tells("serving")
    time.sleep(1.5)  # so that the file is believed to have settled
    agent.sink.write_text("rubbish", encoding="ascii")
    agent.until(lambda: agent.token() == first, "it was not put back")
    assert agent.said("a sink was missing or altered, and was put back")
    agent.send(signal.SIGHUP)
    agent.until(lambda: agent.said("reloaded the configuration"))
    time.sleep(1)
    assert agent.token() == first
    assert len(agent.uses("sys/wrapping/wrap")) == 1, "it was wrapped for nothing"

    token = unwrapped(stack, first)
    agent.sink.unlink()
    agent.send(signal.SIGUSR1)
    agent.until(lambda: agent.said("the wrapped token was used; the sink is left as it is"))
    agent.kill()
    agent.start()
    agent.until(lambda: agent.log().count("went on with the token of the last process") == 2)
    agent.tells("serving")
    time.sleep(1)
    assert not agent.sink.exists()
    agent.send(signal.SIGHUP)
    agent.until(agent.sink.exists)
    assert unwrapped(stack, wraps(agent)) == token
    assert (agent.logins(), len(agent.uses("sys/wrapping/wrap"))) == (1, 2)


def the_token_is_replaced(agents: Agents, stack: Stack) -> None:
    """A new token is wrapped, whether the one before it was used or not; what wrapped the old one is used up."""
    agent = wrapped(agents.iam("replaced"), "20s").start()
    first = wraps(agent)
    second = changed(agent, first)
    agent.until(lambda: not lives(stack, first), "the old one was not used up")
    token = unwrapped(stack, second)
    third = changed(agent, second)
    assert unwrapped(stack, third) != token
    assert len(agent.uses("sys/wrapping/wrap")) == agent.logins()


def what_cannot_be_wrapped(agents: Agents, stack: Stack) -> None:
    """A token that may not wrap itself, and one of few uses: told with sink, key and cure; other sinks are served."""
    denied = agents.iam("denied", role={**LONG, "token_no_default_policy": True})
    plain = denied.folder / "plain"
    denied.write(
        auto_auth={**denied.config["auto_auth"], "sink": [sink(denied.sink, wrap_ttl="5m"), sink(plain)]},
    )
    limited = wrapped(agents.iam("limited", role={**LONG, "token_num_uses": 5}), "5m")
    for agent, words in (
        (denied.start(), "wrapping the token failed.*permission denied.*update on sys/wrapping/wrap"),
        (limited.start(), "wrapping would cost one of the token's few uses.*wrap_ttl in the method"),
    ):
        agent.until(lambda agent=agent: agent.said("a sink failed"))  # type: ignore[misc]
        assert agent.said(f"wrap_ttl of {agent.sink}: {words}"), agent.log()
        agent.until(lambda agent=agent: tells_error(agent), "the status does not tell it")  # type: ignore[misc]
        assert not agent.sink.exists()
    denied.until(plain.exists)
    assert limited.uses("sys/wrapping/wrap") == []
    # Somebody follows the advice.
    policy = 'path "sys/wrapping/wrap" { capabilities = ["update"] }'
    name = f"of-{denied.name}"
    stack.root("PUT", f"sys/policies/acl/{name}", {"policy": policy})
    denied.send(signal.SIGUSR1)
    unwrapped(stack, wraps(denied))
    stack.root("DELETE", f"sys/policies/acl/{name}")


def tells_error(agent: Agent) -> bool:
    """Whether its status has the error of its first sink."""
    return str(agent.status()["sinks"][0]["error"]).startswith(f"wrap_ttl of {agent.sink}: ")
