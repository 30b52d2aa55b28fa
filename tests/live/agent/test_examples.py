# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The agent's configurations in examples: they run, with this stack's names in the place of the examples' own."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.vaultfleet.aws.tests.unit.support import sealed
from ansible_collections.vaultfleet.aws.tests.unit.support.sealed import Reader
from tests.live.agent.agents import Agents
from tests.live.agent.process import Agent
from tests.live.agent.test_wrapped import unwrapped
from tests.live.playbooks import PROJECT
from tests.stack.handle import Stack


def adopt(agent: Agent, example: str) -> dict[str, t.Any]:
    """Give ``agent`` an example in which nothing differs but where things are; returns what stood there."""
    config = json.loads((PROJECT / "examples" / example).read_text(encoding="utf-8"))
    env = agent.stack.env
    here = {
        "address": env["VAULT_ADDR"],
        "ca_cert": env["VAULT_CACERT"],
        "header_value": env["STACK_HEADER_VALUE"],
        "path": str(agent.sink),
    }
    found: dict[str, t.Any] = {}

    def moved(name: str, value: t.Any) -> t.Any:
        if isinstance(value, dict):
            return {key: moved(key, inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [moved(name, inner) for inner in value]
        if name in here:
            found[name] = value
            return here[name]
        return value

    agent.config = moved("", config)
    agent.write()
    return found


def run(agent: Agent) -> dict[str, t.Any]:
    """Check it, run it until it serves, end it; what the server knows of the token."""
    checked = agent.command("check", "--config", str(agent.file))
    assert (checked.returncode, checked.stdout) == (0, "the configuration is fine\n"), checked.stderr
    agent.start()
    token = agent.serves()
    agent.tells("serving")
    assert agent.sink.stat().st_mode & 0o7777 == 0o640
    agent.stop()
    answer = agent.stack.vault.must("GET", "auth/token/lookup-self", None, token)
    return t.cast("dict[str, t.Any]", answer["data"]["meta"])


def test_iam(agents: Agents, stack: Stack) -> None:
    agent = agents.iam()
    found = adopt(agent, "agent-iam.json")
    assert sorted(found) == ["address", "ca_cert", "header_value", "path"]
    meta = run(agent)
    assert meta["role_id"] == stack.root("GET", "auth/aws/role/web")["data"]["role_id"]


def test_ec2(agents: Agents, stack: Stack) -> None:
    agent = agents.ec2(stack.instances[0])
    found = adopt(agent, "agent-ec2.json")
    assert sorted(found) == ["address", "ca_cert", "path"]
    assert run(agent)["role"] == "node"
    entry = stack.root("GET", f"auth/aws/identity-accesslist/{stack.instances[0]}")["data"]
    assert entry["role"] == "node"


def test_sinks(agents: Agents, stack: Stack) -> None:
    """A wrapped and an encrypted one, each read as the guide says."""
    agent = agents.iam()
    adopt(agent, "agent-sinks.json")
    reader = Reader()
    public = agent.folder / "public.json"
    public.write_text(reader.public_file, encoding="ascii")
    wrapped, encrypted = agent.config["auto_auth"]["sink"]
    places = [agent.folder / name for name in ("wrapped", "encrypted")]
    for block, place in zip((wrapped, encrypted), places, strict=True):
        block["config"]["path"] = str(place)
    encrypted["dh_path"] = str(public)
    agent.write()
    agent.start()
    agent.until(lambda: all(place.exists() for place in places))
    agent.tells("serving")
    token = sealed.read(places[1].read_text(encoding="ascii"), reader.private, True, b"app").decode()
    agent.secrets.add(token)
    assert unwrapped(stack, places[0].read_text(encoding="ascii")) == token
    assert [place.stat().st_mode & 0o7777 for place in places] == [0o600, 0o640]
    agent.stop()
