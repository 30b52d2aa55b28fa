# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Leases: renewed, replaced before they end, and had again when their token is gone."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

from tests.live.agent.agents import Agents, side_by_side
from tests.live.agent.process import Agent
from tests.live.agent.templates.engines import Engines
from tests.stack.handle import Stack


def test_leases(agents: Agents, engines: Engines) -> None:
    """Each with an agent of its own."""
    side_by_side(
        lambda: database(agents, engines),
        lambda: short_certificate(agents, engines),
        lambda: tokens_end(agents, engines),
        lambda: revoked(agents, engines),
        lambda: restarted(agents, engines),
    )


def templated(agents: Agents, engines: Engines, name: str, contents: str, **wishes: object) -> tuple[Agent, Path]:
    """An agent that runs, with one template, and its file, which is there."""
    agent = engines.agent(agents, name, [], **wishes)
    file = agent.folder / "file"
    agent.write(jinja_template={"contents": contents, "destination": str(file)})
    agent.start()
    agent.until(file.exists)
    return agent, file


def users_of(file: Path, engines: Engines, count: int, most: float) -> tuple[list[str], int]:
    """Watch the file until it has had so many users, within so many seconds; them, and how often one was dead.

    It ends with a new user, so that what the server has counted by then stays so for some seconds.
    """
    users: list[str] = []
    dead = 0
    give_up = time.monotonic() + most
    while len(users) < count:
        assert time.monotonic() < give_up, f"only {users} in {most:.0f} s"
        user = file.read_text(encoding="utf-8")
        users += [user] if user not in users else []
        dead += user not in engines.redis.users
        time.sleep(0.1)
    return users, dead


def database(agents: Agents, engines: Engines) -> None:
    """Users of a database with leases of 6 s, at most 16 s: renewed, then replaced, and never dead in the file."""
    role = f"{engines.db}/creds/app"
    agent, file = templated(agents, engines, "database", f"{{{{ secret('{role}').data.username }}}}")
    users, dead = users_of(file, engines, 4, 4 * 16)
    made, renewals = agent.uses(role), agent.uses("sys/leases/renew")
    assert dead == 0, f"the file had a dead user\n{agent.log()}"
    assert len(made) == len(users)
    assert all(6 < after - before < 16 for before, after in itertools.pairwise(made)), made
    assert len(users) - 1 <= len(renewals) <= 4 * len(users)
    assert agent.state() == "serving"
    agent.until(lambda: not engines.redis.users & set(users[:-2]))  # the engine took them away


def short_certificate(agents: Agents, engines: Engines) -> None:
    """A certificate of 20 s is made anew before it ends, and not before most of its time is over."""
    path = f"{engines.pki}/issue/web"
    contents = f"{{{{ pki('{path}', common_name='short.example.test', ttl='20s').data.serial_number }}}}"
    agent, file = templated(agents, engines, "short", contents)
    serial = file.read_text(encoding="utf-8")
    agent.until(lambda: file.read_text(encoding="utf-8") != serial)
    first, second = agent.uses(path)
    assert 16 < second - first < 20


def tokens_end(agents: Agents, engines: Engines) -> None:
    """A token of at most 18 s takes its users with it; the files have those of the next one, each time."""
    engines.database_role("long", "1h", "2h")
    role = f"{engines.db}/creds/long"
    contents = f"{{{{ secret('{role}').data.username }}}}"
    agent, file = templated(agents, engines, "ends", contents, role={"token_ttl": "8s", "token_max_ttl": "18s"})
    users, dead = users_of(file, engines, 3, 3 * 18)
    # On a busy machine the login itself may come too late, of which the agent tells.
    late = agent.said("the token has ended, and there is no other one")
    assert dead <= 3 or late, f"the file had a dead user {dead} times\n{agent.log()}"
    assert len(users) == agent.logins() == len(agent.uses(role))


def revoked(agents: Agents, engines: Engines) -> None:
    """When an operator revokes the token, what hung on it is rendered again after the next login."""
    engines.database_role("revoked", "1h", "2h")
    role = f"{engines.db}/creds/revoked"
    contents = f"{{{{ secret('{role}').data.username }}}} {{{{ secret('{engines.kv2}/data/first').data.x }}}}"
    agent, file = templated(agents, engines, "revoked", contents)
    old = agent.serves()
    before = file.read_text(encoding="utf-8")
    agents.stack.root("POST", "auth/token/revoke", {"token": old})
    # The next read of what is static is refused, upon which the agent looks at its token.
    agent.until(lambda: file.read_text(encoding="utf-8") != before)
    assert file.read_text(encoding="utf-8").split()[0] in engines.redis.users
    assert agent.token() != old
    agent.until(lambda: agent.status()["templates"][0]["error"] == "")
    agent.tells("serving")


def restarted(agents: Agents, engines: Engines) -> None:
    """A process that goes on with the token of the last one leaves a file alone whose secrets are the same."""
    engines.put("restarted", word="same")
    agent = engines.agent(agents, "restarted", [])
    file, noted = agent.folder / "file", agent.folder / "noted"
    agent.write(
        jinja_template={
            "contents": f"{{{{ secret('{engines.kv2}/data/restarted').data.word }}}}",
            "destination": str(file),
            "exec": {"command": ["/bin/sh", "-c", f"echo x >> '{noted}'"]},
        }
    )
    manager = agent.managed()
    agent.start()
    agent.until(noted.exists)
    agent.until(agent.looked_up)
    looks, reads = file.stat(), len(agent.uses(f"{engines.kv2}/data/restarted"))
    agent.kill()
    agent.start()
    agent.until(lambda: len(agent.uses(f"{engines.kv2}/data/restarted")) > reads)
    agent.until(lambda: manager.told("READY=1") == 2)
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (looks.st_ino, looks.st_mtime_ns)
    assert noted.read_text(encoding="utf-8") == "x\n"
    assert agent.logins() == 1


def test_a_restart_of_the_server(agents: Agents, engines: Engines, breakable: Stack) -> None:
    """While the server is away or sealed the files stay, and leases that outlive that are renewed afterwards."""
    engines.put("away", word="before")
    engines.database_role("away", "20s", "1h")
    word, user = f"secret('{engines.kv2}/data/away').data.word", f"secret('{engines.db}/creds/away').data.username"
    contents = f"{{{{ {word} }}}} {{{{ {user} }}}}"
    agent, file = templated(agents, engines, "away", contents, method={"max_backoff": "2s"})
    text = file.read_text(encoding="utf-8")
    breakable.seal()
    agent.until(lambda: "sealed" in agent.status()["templates"][0]["error"])
    assert agent.state() == "at risk"
    assert file.read_text(encoding="utf-8") == text
    breakable.unseal()
    engines.put("away", word="after")
    agent.until(lambda: file.read_text(encoding="utf-8") == text.replace("before", "after"))
    agent.until(lambda: agent.status()["templates"][0]["error"] == "")
    agent.until(lambda: len(agent.uses("sys/leases/renew")) >= 1)
    time.sleep(1)
    assert text.split()[1] in engines.redis.users
    assert agent.said("a template that failed works again")
