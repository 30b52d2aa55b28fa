# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What systemd, an operator and readers see of the agent: when it is ready, what it tells, who reads its sinks."""

from __future__ import annotations

import json
import re
import typing as t
from pathlib import Path

import pytest

from tests.fleet import library
from tests.stack.handle import Stack

from .conftest import Serve
from .service import Service
from .unit import OTHER_GROUPS, OTHER_OWNERS


def test_ready_with_the_first_token(serve: Serve) -> None:
    """``systemctl start`` returns once the token is there; the store then has nonce and token, and nothing else."""
    for agent in (serve("ec2", 0), serve("iam", 1)):
        agent.start()
        assert agent.works()
        assert len(agent.logins()) == 1
        agent.settle()
        (token,) = (record["token"] for record in agent.records().values() if "token" in record)
        assert token == agent.token()
        if agent.kind == "ec2":
            assert agent.nonce() == agent.entry()["client_nonce"]
            judge_disk(agent)


def judge_disk(agent: Service) -> None:
    """Neither nonce nor token is in a file, but the sink."""
    for secret, places in ((agent.nonce(), ""), (agent.token(), f"/run/{agent.name}/token\n")):
        grep = "grep --recursive --files-with-matches --fixed-strings --file=-"
        search = f"{grep} /etc /run /tmp /var /home /root {library.CODE} 2>/dev/null"
        found = agent.host.run(["sh", "-c", search], check=False, input=secret).stdout
        assert found == places


def test_waits_for_vault(serve: Serve, stack: Stack) -> None:
    """With Vault sealed the start goes on, for as long as it takes; what it waits for is told."""
    agent = serve("iam", 1, method={"max_backoff": "2s"})
    stack.seal()
    try:
        agent.systemctl("start", "--no-block")
        agent.tells("sealed")
        assert agent.show("ActiveState") == "activating"
        assert agent.show("StatusText").startswith("waiting; login: ")
        assert not agent.file("token").exists()
        told = json.loads(agent.command("status", "--name", agent.name, "--json", check=False))
        assert (told["running"], told["state"], told["token"]) == (True, "waiting", None)
    finally:
        stack.unseal()
    agent.active()
    assert agent.works()
    assert agent.show("NRestarts") == "0"
    agent.tells("serving; the token ends at ")
    agent.until(lambda: agent.status()["state"] == "serving", "the status does not tell")
    told = json.loads(agent.command("status", "--name", agent.name, "--json"))
    assert (told["running"], told["state"]) == (True, "serving")
    assert 3500 < told["token"]["expires_in"] <= 3600
    priorities = {
        entry["MESSAGE"].split(":")[1].split()[0]: entry["PRIORITY"]
        for entry in agent.journal()
        if "agent: " in entry["MESSAGE"]
    }
    assert priorities == {"vaultfleet": "6", "the": "3", "logged": "6"}


def test_readers(serve: Serve) -> None:
    """Members of the group read the sink; nobody else does, another agent neither. It outlives the agent."""
    agent, other = serve("iam", 1), serve("iam", 2)
    token = agent.start()
    run = agent.host.run
    run(["useradd", "--system", f"--groups={agent.name}", "reader"])
    as_user = ["setpriv", "--reuid={0}", "--regid={0}", "--init-groups", "--", "cat", f"/run/{agent.name}/token"]
    for user, reads in (("reader", True), (agent.name, True), ("daemon", False), (other.name, False)):
        done = run([part.format(user) for part in as_user], check=False)
        assert (done.returncode == 0, done.stdout) == (reads, token if reads else ""), (user, done)
    file = agent.file("token")
    status = file.stat()
    agent.systemctl("stop")
    assert agent.show("ActiveState") == "inactive"
    assert agent.token() == token
    assert agent.works()
    assert (file.stat().st_ino, file.stat().st_mode) == (status.st_ino, status.st_mode)


def test_a_sink_that_fails(serve: Serve) -> None:
    """It holds up neither the start nor the other sink, and is named."""
    agent = serve("iam", 1, sinks=[{"path": "/var/lib/token"}])  # where ProtectSystem=strict lets nobody write
    agent.start()
    assert agent.works()
    fine = {"path": f"/run/{agent.name}/token", "holds_token": True, "error": ""}

    def told() -> bool:
        own, other = agent.status()["sinks"]
        return bool(other["error"]) and own == fine

    # The two sinks are looked at side by side: what is told of them comes in any order.
    agent.until(told, "the status does not tell")
    agent.tells("sink /var/lib/token: ")
    assert agent.show("StatusText").startswith("at risk; ")


@pytest.mark.parametrize(
    ("settings", "wish", "owner"),
    [
        (("SupplementaryGroups=users", *OTHER_GROUPS), {"group": "users"}, "{0}:users"),
        (OTHER_OWNERS, {"owner": "daemon"}, "daemon:{0}"),
    ],
    ids=["group", "owner"],
)
def test_sinks_of_others(serve: Serve, settings: t.Sequence[str], wish: dict[str, str], owner: str) -> None:
    """They take a unit that is less closed, and still closed enough."""
    agent = serve("iam", 1, more=settings, sinks=[{"path": "/run/others/token", "mode": "0440", **wish}])
    agent.host.run(["install", "-d", "-o", agent.name, "/run/others"])
    agent.install("ReadWritePaths=/run/others")
    agent.start()
    seen = ["stat", "--format=%U:%G %a", "/run/others/token"]
    expected = f"{owner.format(agent.name)} 440\n"
    agent.until(lambda: agent.host.run(seen, check=False).stdout == expected, "the sink is not as it should be")
    agent.until(lambda: agent.status()["sinks"][1]["holds_token"], "it does not see that the sink is fine")
    agent.host.run(["systemd-analyze", "security", "--no-pager", "--threshold=20", agent.name])
    agent.host.run(["rm", "-r", "/run/others"])


def test_put_back(serve: Serve) -> None:
    """A sink that was removed or altered is put back, and costs no login."""
    agent = serve("iam", 1)
    agent.sinks = [{"path": f"/run/{agent.name}/second"}]
    agent.configure()
    token = agent.start()
    agent.holds("second", token)
    agent.file("token").unlink()
    agent.file("second").write_text("of somebody else", encoding="ascii")
    agent.holds("token", token)
    agent.holds("second", token)
    assert len(agent.logins()) == 1


def test_hardening(serve: Serve) -> None:
    """What the unit forbids is forbidden, and systemd has no complaint about it."""
    agent = serve("ec2", 0)
    agent.start()
    agent.host.run(["systemd-analyze", "security", "--no-pager", "--threshold=20", agent.name])
    agent.host.run(["systemd-analyze", "verify", f"{agent.name}.service"])
    lines = Path(f"/proc/{agent.main()}/status").read_text(encoding="ascii").splitlines()
    status = dict(line.split(":\t", 1) for line in lines)
    assert {status[f"Cap{name}"] for name in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {"0" * 16}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    limits = Path(f"/proc/{agent.main()}/limits").read_text(encoding="ascii")
    assert re.search(r"Max core file size +0 +0 ", limits)
    assert not [entry for entry in agent.journal() if int(entry["PRIORITY"]) < 6]
