# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What templates become: KV of both versions, a certificate, credentials of a database; when, and what it sets off."""

from __future__ import annotations

import itertools
import json
import ssl
import stat
import subprocess
import time
from pathlib import Path

from tests.live.agent.agents import Agents, side_by_side
from tests.live.agent.process import Agent
from tests.live.agent.templates.engines import Engines
from tests.live.playbooks import PROJECT


def test_renderings(agents: Agents, engines: Engines) -> None:
    """Each with an agent of its own."""
    side_by_side(
        lambda: all_kinds(agents, engines),
        lambda: changes(agents, engines),
        lambda: quiet(agents, engines),
        lambda: once(agents, engines),
        lambda: without_sinks(agents, engines),
    )


def all_kinds(agents: Agents, engines: Engines) -> None:
    """One file of all engines, with its mode, in folders that the agent makes."""
    engines.put("kinds", user="old", port=1)
    engines.put("kinds", user="new", port=5432, tags=["a", "b"])
    engines.put("kinds", 1, user="one")
    contents = f"""\
{{% set app = secret('{engines.kv2}/data/kinds') %}}
{{{{ app.data.user }}}}:{{{{ app.data.port }}}} {{{{ app.data.tags | join(',') }}}} v{{{{ app.metadata.version }}}}
{{{{ secret('/v1/{engines.kv2}/data/kinds', version=1).data.user }}}}
{{{{ secret('{engines.kv1}/kinds').data.user }}}}
{{% with db = secret('{engines.db}/creds/app') %}}
{{{{ db.data.username }}}} {{{{ db.lease_duration }}}}
{{% endwith %}}
{{{{ {{'a': 1}} | to_json }}}} {{{{ 'x y' | quote }}}} {{{{ 'x' | b64encode | b64decode }}}}
"""
    agent = engines.agent(agents, "kinds", [])
    file, certificate = agent.folder / "made" / "here" / "app.conf", agent.folder / "web.pem"
    written = (
        f"{{% set made = pki('{engines.pki}/issue/web', common_name='web.example.test', ttl='20m').data %}}"
        "{{ made.certificate }}\n{{ made.private_key }}"
    )
    agent.write(
        jinja_template=[
            {"contents": contents, "destination": str(file), "perms": "0640", "create_dest_dirs": True},
            {"contents": written, "destination": str(certificate)},
        ]
    )
    manager = agent.managed()
    agent.start()
    agent.until(certificate.exists)
    agent.until(lambda: manager.told("READY=1"))
    first, second, third, database, filters = file.read_text(encoding="utf-8").splitlines()
    assert (first, second, third) == ("new:5432 a,b v2", "old", "one")
    user, lease = database.split()
    assert (user in engines.redis.users, lease) == (True, "6")
    assert filters == "{\"a\": 1} 'x y' x"
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert stat.S_IMODE(certificate.stat().st_mode) == 0o600
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(str(certificate))  # key and certificate belong together
    shown = subprocess.run(
        ["openssl", "x509", "-noout", "-subject", "-in", str(certificate)], capture_output=True, text=True, check=True
    )
    assert "web.example.test" in shown.stdout
    assert [one["error"] for one in agent.status()["templates"]] == ["", ""]
    assert "web.pem: rendered" in agent.command("status", "--name", agent.name).stdout
    time.sleep(5)  # static ones are read again, the certificate is not made again
    assert len(agent.uses(f"{engines.pki}/issue/web")) == 1
    agent.secrets.update(["of-admin"])


def changes(agents: Agents, engines: Engines) -> None:
    """A changed secret becomes a changed file in time, and the command runs once; an altered file is put back."""
    engines.put("changes", word="first")
    agent = engines.agent(agents, "changes", [])
    file, noted = agent.folder / "changes.conf", agent.folder / "noted"
    script = f"cat '{file}' >> '{noted}'; env >> '{agent.folder}/env'; echo out; echo err >&2"
    agent.write(
        jinja_template={
            "contents": f"{{{{ secret('{engines.kv2}/data/changes').data.word }}}}\n",
            "destination": str(file),
            "exec": {"command": ["/bin/sh", "-c", script], "timeout": "5s"},
        }
    )
    agent.start()
    agent.until(noted.exists)
    engines.put("changes", word="second")
    agent.until(lambda: file.read_text(encoding="utf-8") == "second\n")
    agent.until(lambda: noted.read_text(encoding="utf-8") == "first\nsecond\n")
    number = file.stat().st_ino
    time.sleep(5)
    assert noted.read_text(encoding="utf-8") == "first\nsecond\n", "an unchanged file ran the command"
    assert file.stat().st_ino == number
    file.write_text("altered\n", encoding="utf-8")
    agent.until(lambda: noted.read_text(encoding="utf-8") == "first\nsecond\nsecond\n")
    environment = (agent.folder / "env").read_text(encoding="utf-8")
    assert "VAULT" not in environment
    assert "AWS" not in environment
    assert agent.token() not in environment
    reads = agent.uses(f"{engines.kv2}/data/changes")
    pauses = [after - before for before, after in itertools.pairwise(reads)]
    assert all(1.5 < pause < 4 for pause in pauses), pauses
    assert agent.logins() == 1


def quiet(agents: Agents, engines: Engines) -> None:
    """With ``wait`` a change is rendered when nothing has changed for a while, or when that takes too long."""
    engines.put("quiet", word="0")
    agent = engines.agent(agents, "quiet", [])
    file = agent.folder / "quiet.conf"
    agent.write(
        jinja_template={
            "contents": f"{{{{ secret('{engines.kv2}/data/quiet').data.word }}}}",
            "destination": str(file),
            "wait": {"min": "3s", "max": "5s"},
        }
    )
    agent.start()
    agent.until(file.exists)
    seen = []
    for number in range(1, 5):
        engines.put("quiet", word=str(number))
        time.sleep(2)
        seen.append(file.read_text(encoding="utf-8"))
    assert seen[0] == "0"
    agent.until(lambda: file.read_text(encoding="utf-8") in ("2", "3", "4"))


def once(agents: Agents, engines: Engines) -> None:
    """``--once`` ends when all is rendered, or fails; ``exit_after_auth`` waits till it is mended."""
    engines.put("once", word="here")
    agent = engines.agent(agents, "once", [])
    good, late = agent.folder / "good", agent.folder / "late"
    templates = [
        {"contents": f"{{{{ secret('{engines.kv2}/data/once').data.word }}}}", "destination": str(good)},
        {"contents": f"{{{{ secret('{engines.kv2}/data/late').data.word }}}}", "destination": str(late)},
    ]
    agent.write(jinja_template=templates[:1])
    agent.start("--once")
    assert agent.ended() == 0
    assert (good.read_text(encoding="utf-8"), bool(agent.token())) == ("here", True)
    agent.write(jinja_template=templates)
    agent.start("--once")
    assert agent.ended() == 2
    assert agent.said(f"reading {engines.kv2}/data/late failed: HTTP 404")
    agent.write(exit_after_auth=True)
    agent.start()
    time.sleep(2)
    engines.put("late", word="at last")
    assert agent.ended() == 0
    assert late.read_text(encoding="utf-8") == "at last"


def without_sinks(agents: Agents, engines: Engines) -> None:
    """A template is use enough for a token, which is written nowhere then."""
    engines.put("alone", word="alone")
    agent = engines.agent(agents, "alone", [])
    file, source = agent.folder / "alone.conf", agent.folder / "alone.j2"
    source.write_text(f"{{{{ secret('{engines.kv2}/data/alone').data.word }}}}\n", encoding="utf-8")
    method = agent.config["auto_auth"]["method"]
    agent.write(
        auto_auth={"method": method},
        jinja_template={"source": str(source), "destination": str(file)},
        log_format="json",
    )
    manager = agent.managed()
    agent.start()
    agent.until(file.exists)
    agent.until(lambda: manager.told("READY=1"))
    assert not agent.token()
    assert file.read_text(encoding="utf-8") == "alone\n"
    for line in agent.log().splitlines():
        json.loads(line)
    agent.stop()


def test_kills_leave_no_torn_file(agents: Agents, engines: Engines) -> None:
    """Killed again and again while it writes, it leaves the old file or the new one, whole."""
    sizes = {"a": 400_000, "b": 700_000}
    engines.put("torn", letter="a")
    agent = engines.agent(agents, "torn", [])
    file = agent.folder / "torn.conf"
    body = f"{{% set one = secret('{engines.kv2}/data/torn').data.letter %}}"
    body += "{{ one * (400000 if one == 'a' else 700000) }}"
    agent.write(jinja_template={"contents": body, "destination": str(file)})
    kept: set[str] = set()
    for number in range(12):
        letter = "ab"[number % 2]  # 0, 3, 6, 9 are written to the end: a, b, a, b
        engines.put("torn", letter=letter)
        agent.start()
        _until_writing(agent, file, "" if number % 3 else letter)
        agent.kill()
        if file.exists():
            text = file.read_text(encoding="utf-8")
            assert text == text[0] * sizes[text[0]]
            kept.add(text[0])
    assert kept == {"a", "b"}
    agent.start()
    agent.until(lambda: file.read_text(encoding="utf-8")[0] == "b")


def _until_writing(agent: Agent, file: Path, letter: str) -> None:
    """Wait until something happens beside the file, or until it has this letter."""
    if letter:
        agent.until(lambda: file.exists() and file.read_text(encoding="utf-8")[0] == letter)
        return
    before = file.stat().st_ino if file.exists() else 0
    agent.until(lambda: list(agent.folder.glob(".torn*")) or (file.exists() and file.stat().st_ino != before))


def test_check_reads_nothing(agents: Agents, engines: Engines) -> None:
    """``check`` takes what ``run`` takes, and reads nothing."""
    agent = engines.agent(agents, "check", [])
    agent.write(
        jinja_template={
            "contents": f"{{{{ secret('{engines.kv2}/data/first').data.x }}}}",
            "destination": str(agent.folder / "x"),
            "on_change_units": ["nginx.service"],
        }
    )
    done = agent.command("check", "--config", str(agent.file))
    assert (done.returncode, done.stdout) == (0, "the configuration is fine\n"), done.stderr
    done = agent.command("check", "--connect", "--config", str(agent.file))
    assert "template: " in done.stdout
    assert not (agent.folder / "x").exists()
    assert agent.uses(f"{engines.kv2}/data/first") == []


def test_the_example(agents: Agents, engines: Engines) -> None:
    """What examples/agent-templates.json says is rendered, with other mounts and places alone."""
    engines.put("app", password="of-app")
    agent = engines.agent(agents, "example", [])
    text = (PROJECT / "examples" / "agent-templates.json").read_text(encoding="utf-8")
    places = {
        "kv/data": f"{engines.kv2}/data",
        "database/creds": f"{engines.db}/creds",
        "pki/issue": f"{engines.pki}/issue",
    }
    for name, place in {**places, "/run/vault-agent": str(agent.folder), "'24h'": "'20m'"}.items():
        assert name in text
        text = text.replace(name, place)
    example = json.loads(text)
    agent.write(jinja_template=example["jinja_template"], template_config=example["template_config"])
    agent.start("--once")
    assert agent.ended() == 0
    assert (agent.folder / "app.ini").read_text(encoding="utf-8") == "[app]\npassword = of-app\n"
    lines = (agent.folder / "db.env").read_text(encoding="utf-8").splitlines()
    assert [line.partition("=")[0] for line in lines] == ["PGUSER", "PGPASSWORD"]
    assert lines[0].partition("=")[2] in engines.redis.users
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(str(agent.folder / "web.pem"))
