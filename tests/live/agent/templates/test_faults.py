# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is in a template's way: told once, naming template and secret, tried again, and no danger to the token."""

from __future__ import annotations

import time

from tests.live.agent.agents import Agents, side_by_side
from tests.live.agent.audit import hammers
from tests.live.agent.process import Agent
from tests.live.agent.templates.engines import Engines
from tests.live.agent.test_reload import reload

CANARY = "xyzzy-canary-value"


def test_faults(agents: Agents, engines: Engines) -> None:
    """Each with an agent of its own."""
    side_by_side(
        lambda: denied_and_missing(agents, engines),
        lambda: undefined(agents, engines),
        lambda: places(agents, engines),
        lambda: commands(agents, engines),
        lambda: reloads(agents, engines),
    )


def error(agent: Agent, number: int = 0) -> str:
    """What the status says of a template."""
    return str(agent.status()["templates"][number]["error"])


def denied_and_missing(agents: Agents, engines: Engines) -> None:
    """A denied path and a secret that is not there: the others are rendered, and the token is kept fresh."""
    engines.put("good", word="good")
    agent = engines.agent(agents, "denied", [], role={"token_ttl": "8s", "token_max_ttl": "1h"})
    files = [agent.folder / name for name in ("denied", "missing", "good")]
    agent.write(
        jinja_template=[
            {"contents": f"{{{{ secret('{engines.kv2}/data/{file.name}').data.word }}}}", "destination": str(file)}
            for file in files
        ]
    )
    manager = agent.managed()
    agent.start()
    agent.until(files[2].exists)
    agent.until(lambda: "HTTP 404" in error(agent, 1))
    assert f"reading {engines.kv2}/data/denied failed: HTTP 403" in error(agent)
    assert f"must allow read on {engines.kv2}/data/denied" in error(agent)
    assert "KV version 2 has data/" in error(agent, 1)
    assert error(agent, 2) == ""
    assert agent.said(f"a template failed: reading {engines.kv2}/data/denied failed.* template={files[0]}")
    time.sleep(6)
    assert agent.log().count("HTTP 404") == 1, "the same is said again and again"
    for file in files[:2]:
        assert not hammers(agent.uses(f"{engines.kv2}/data/{file.name}"))
    assert agent.works()
    assert agent.logins() == 1
    assert agent.state() == "at risk"
    assert manager.told("READY=1") == 0
    engines.put("missing", word="here")
    agent.until(files[1].exists)
    assert not files[0].exists()


def undefined(agents: Agents, engines: Engines) -> None:
    """A key that is not there is told by its name and line, what goes wrong with a value without the value."""
    engines.put("canary", word=CANARY)
    agent = engines.agent(agents, "undefined", [])
    files = [agent.folder / name for name in ("name", "value", "lenient")]
    secret = f"secret('{engines.kv2}/data/canary').data"
    contents = [f"\n{{{{ {secret}.passwort }}}}", f"{{{{ {secret}.word + 1 }}}}", f"{{{{ {secret}.passwort.x }}}}-"]
    agent.write(
        jinja_template=[
            {"contents": text, "destination": str(file), "error_on_missing_key": file.name != "lenient"}
            for file, text in zip(files, contents, strict=True)
        ]
    )
    agent.secrets.add(CANARY)
    agent.start()
    agent.until(files[2].exists)
    assert files[2].read_text(encoding="utf-8") == "-"
    agent.until(lambda: "TypeError" in error(agent, 1))
    assert error(agent) == "jinja_template[0]: line 2: 'passwort' is not defined"
    engines.put("canary", word=CANARY, passwort="there")
    agent.until(files[0].exists)
    assert not files[1].exists()


def places(agents: Agents, engines: Engines) -> None:
    """A place that cannot be written to keeps nothing else from being written, and is used when it can."""
    agent = engines.agent(agents, "places", [])
    folder = agent.folder / "later"
    agent.write(
        jinja_template=[
            {"contents": f"{{{{ secret('{engines.kv2}/data/first').data.x }}}}", "destination": str(folder / "file")},
            {"contents": "plain", "destination": str(agent.folder / "plain")},
        ]
    )
    agent.start()
    agent.until((agent.folder / "plain").exists)
    agent.until(lambda: "create it first" in error(agent))
    folder.mkdir()
    agent.until((folder / "file").exists)
    # Now it is taken away, and something is in its place.
    (folder / "file").unlink()
    (folder / "file").mkdir()
    agent.until(lambda: "is a directory" in error(agent))
    assert agent.works()


def commands(agents: Agents, engines: Engines) -> None:
    """A command that fails, or does not end, is tried again; the file is there, and the service ready."""
    agent = engines.agent(agents, "commands", [])
    mended, count = agent.folder / "mended", agent.folder / "count"
    agent.write(
        jinja_template=[
            {
                "contents": "a",
                "destination": str(agent.folder / "fails"),
                "exec": {"command": ["/bin/sh", "-c", f"echo x >> '{count}'; test -e '{mended}'"]},
            },
            {
                "contents": "b",
                "destination": str(agent.folder / "hangs"),
                "exec": {"command": ["/bin/sh", "-c", f"test -e '{mended}' || sleep 3600"], "timeout": "1s"},
            },
        ]
    )
    manager = agent.managed()
    agent.start()
    agent.until(lambda: manager.told("READY=1"))
    agent.until(lambda: error(agent) == "its command failed: /bin/sh ended with code 1")
    agent.until(lambda: error(agent, 1) == "its command failed: /bin/sh took longer than 1 s, and was killed")
    mended.touch()
    agent.until(lambda: not error(agent) and not error(agent, 1))
    ran = len(count.read_text(encoding="utf-8"))
    time.sleep(3)
    assert len(count.read_text(encoding="utf-8")) == ran, "it ran again after it had worked"


def reloads(agents: Agents, engines: Engines) -> None:
    """Templates come and go with a reload, without a login and without asking anew; a mistake changes nothing."""
    engines.put("reload", word="one")
    role = f"{engines.db}/creds/app"
    agent = engines.agent(agents, "reload", [])
    first, second = agent.folder / "first", agent.folder / "second"
    engines.database_role("reload", "1h", "2h")
    role = f"{engines.db}/creds/reload"
    old = {"contents": f"{{{{ secret('{role}').data.username }}}}", "destination": str(first)}
    agent.write(jinja_template=[])
    agent.start()
    agent.serves()
    agent.write(jinja_template=old)
    reload(agent)
    agent.until(first.exists)
    user = first.read_text(encoding="utf-8")
    agent.write(jinja_template={**old, "contents": "{{ secret( }}"})
    reload(agent, "was not reloaded")
    assert agent.said(r"jinja_template.contents: line 1: unexpected")
    new = {"contents": f"{{{{ secret('{role}').data.username }}}}2", "destination": str(second)}
    agent.write(jinja_template=[old, new])
    reload(agent)
    agent.until(second.exists)
    assert second.read_text(encoding="utf-8") == f"{user}2"
    assert len(agent.uses(role)) == 1
    agent.write(jinja_template=[])
    reload(agent)
    agent.until(lambda: agent.status()["templates"] == [])
    assert first.exists()
    assert agent.logins() == 1
    agent.tells("serving")
