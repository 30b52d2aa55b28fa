# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the agent tells of itself, to people and to programs, and what it tells nobody."""

from __future__ import annotations

import json
import re
import stat
import time
from pathlib import Path

from tests.live.agent.agents import Agents
from tests.live.agent.process import Agent
from tests.live.core import keys
from tests.stack.handle import Stack

LONG = {"token_ttl": "1h", "token_max_ttl": "2h"}


def test_status_and_metrics(agents: Agents) -> None:
    """``status`` for people and for programs, Prometheus' file, the service manager's line."""
    agent = agents.iam(role=LONG)
    metrics = agent.folder / "agent.prom"
    agent.write(auto_auth={**agent.config["auto_auth"], "metrics_file": str(metrics)}, log_format="json")
    manager = agent.managed()
    assert agent.command("status", "--name", agent.name).returncode == 3
    agent.start()
    agent.serves()
    agent.until(agent.looked_up)

    told = agent.command("status", "--name", agent.name)
    assert (told.returncode, told.stderr) == (0, "")
    lines = dict(line.split(maxsplit=1) for line in told.stdout.splitlines())
    assert lines["state:"] == "serving"
    assert lines["login:"] == f"iam, role {agent.name}, auth/aws at {agent.stack.env['VAULT_ADDR']}"
    assert re.fullmatch(r"ends at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC \(in 3[56]\d\d s\)", lines["token:"])
    assert lines["next:"].startswith("look the token up at ")
    assert lines["sink:"] == f"{agent.sink}: holds the token"

    seen = json.loads(agent.command("status", "--name", agent.name, "--json").stdout)
    assert (seen["state"], seen["running"], seen["pid"]) == ("serving", True, agent.process and agent.process.pid)
    assert 3500 < seen["token"]["expires_in"] <= 3600
    assert abs(seen["token"]["expires_at"] - time.time() - 3600) < 60
    assert (seen["counters"]["logins"], seen["counters"]["sink_writes"]) == (1, 1)
    assert seen["sinks"] == [{"path": str(agent.sink), "holds_token": True, "error": ""}]
    assert stat.S_IMODE((agent.runtime / "status.json").stat().st_mode) == 0o640

    samples = parsed(metrics.read_text(encoding="utf-8"))
    labels = f'type="iam",role="{agent.name}",mount_path="aws"'
    assert 3500 < samples[f"vaultfleet_agent_token_expires_seconds{{{labels}}}"] <= 3600
    assert samples[f"vaultfleet_agent_logins_total{{{labels}}}"] == 1
    assert samples[f"vaultfleet_agent_sinks_failing{{{labels}}}"] == 0
    assert samples[f'vaultfleet_agent_failures_total{{{labels},request="logins",class="permanent"}}'] == 0
    assert stat.S_IMODE(metrics.stat().st_mode) == 0o644

    events = [json.loads(line) for line in agent.log().splitlines()]
    assert [event["@message"] for event in events if event["@message"].startswith("logged in")] == ["logged in"]
    manager.wait(
        lambda: any(re.match("STATUS=serving; the token ends at ", message[0]) for message in manager.messages)
    )
    agent.stop()
    manager.wait(lambda: ["STOPPING=1"] in manager.messages)
    told = agent.command("status", "--name", agent.name)
    assert told.returncode == 3
    assert "not running" in told.stdout


def parsed(text: str) -> dict[str, float]:
    """The samples of Prometheus' text format; everything that is not of it is an error."""
    found: dict[str, float] = {}
    typed: dict[str, str] = {}
    assert text.endswith("\n")
    for line in text.splitlines():
        if line.startswith("# "):
            _mark, what, name, rest = line.split(maxsplit=3)
            assert what in ("HELP", "TYPE")
            if what == "TYPE":
                assert name not in typed, "a metric comes in one piece"
                typed[name] = rest
            continue
        match = re.fullmatch(r'([a-z_]+)(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\}) (\S+)', line)
        assert match, line
        assert typed[match[1]] == ("counter" if match[1].endswith("_total") else "gauge")
        assert match[1] + match[2] not in found
        found[match[1] + match[2]] = float(match[4])
    return found


def test_no_secret_anywhere(agents: Agents, stack: Stack) -> None:
    """At the most talkative level, with keys in the file: neither keys, nonce nor token, in any place others can look.

    Every test's log, status and messages are looked through for the same at its end.
    """
    secrets = keys(stack)._asdict()
    static = agents.iam("static", {}, role=LONG, login_options=secrets)
    refused = agents.iam("refused", {}, login_options={**secrets, "secret_key": "SecretCanary" * 3})
    nonce = "canary-of-a-nonce"
    node = agents.ec2(stack.instances[1], role=LONG, login_options={"nonce": nonce})
    everybody = (static, refused, node)
    for agent in everybody:
        agent.secrets |= {secrets["secret_key"], nonce, "SecretCanary" * 3}
        agent.managed()
        agent.start()
    static.serves()
    node.serves()
    refused.until(lambda: refused.state() in ("waiting", "blocked"))
    assert static.said("holds secret_key, and others can read the file .* chmod 0600")
    for agent in everybody:
        agent.token()
        for name, text in shown(agent).items():
            for secret in agent.secrets:
                assert secret not in text, f"{agent.name}: in {name}"
    assert stack.root("GET", f"auth/aws/identity-accesslist/{stack.instances[1]}")["data"]["client_nonce"] == nonce


def shown(agent: Agent) -> dict[str, str]:
    """What others on the machine can see of the process, and what its own commands tell; name -> text."""
    assert agent.process
    process = Path("/proc") / str(agent.process.pid)
    found = {name: (process / name).read_text(errors="replace") for name in ("cmdline", "environ")}
    for arguments in (("status", "--name", agent.name, "--json"), ("check", "--config", str(agent.file))):
        done = agent.command(*arguments)
        found[arguments[0]] = done.stdout + done.stderr
    return {**found, "log": agent.log(), "status file": json.dumps(agent.status())}
