# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that the role has rendered, on each release: what uses them is reloaded by systemd, not by the agent."""

from __future__ import annotations

import json
import re
import typing as t

import pytest

from tests.fleet.fleet import CA, Fleet
from tests.stack.handle import Stack

from . import looks
from .runs import EXAMPLE, Runner
from .test_install import MOST_EXPOSED

NAME = "rendering"
SECRET = "secret/data/rendering"
PLACE = "/srv/rendering"
FILE, ENV, COMMAND = f"/run/{NAME}/app.conf", f"{PLACE}/app.env", f"/run/{NAME}/command"
# Something to reload: it notes each time, and what it saw.
PROBE = f"""[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/true
ExecReload=/bin/sh -c 'cat {FILE} >> /run/probe'
"""
TEMPLATE = "{% set app = secret('" + SECRET + "').data %}\nword = {{ app.word }}\n"
TEMPLATES: list[dict[str, t.Any]] = [
    {"source": "app.conf.j2", "destination": FILE, "on_change_units": ["probe.service", "no-such-thing.service"]},
    {
        "contents": {"__ansible_unsafe": "WORD={{ secret('" + SECRET + "').data.word | quote }}"},
        "destination": ENV,
        "perms": "0400",
        "user": "games",
        "exec": {"command": ["/bin/sh", "-c", f"grep -E '^Cap(Prm|Eff|Amb)' /proc/self/status > {COMMAND}"]},
    },
]


@pytest.fixture(scope="module")
def wishes(fleet: Fleet, stack: Stack, plain: Runner) -> t.Iterator[dict[str, t.Any]]:
    """The variables; the agents that they made are gone afterwards."""
    stack.root("PUT", SECRET, {"data": {"word": "first"}})
    stack.root("PUT", f"sys/policies/acl/{NAME}", {"policy": f'path "{SECRET}" {{ capabilities = ["read"] }}'})
    role = {"auth_type": "iam", "bound_iam_principal_arn": stack.env["STACK_APP_ROLE_ARN"], "token_policies": NAME}
    stack.root("PUT", f"auth/{stack.env['STACK_MOUNT']}/role/{NAME}", role)
    folder = plain.folder / "templates"
    folder.mkdir()
    (folder / "app.conf.j2").write_text(TEMPLATE, encoding="utf-8")
    for name in fleet.members:
        host = fleet.host(name)
        host.run(["sh", "-c", f"mkdir {PLACE}; cat > /etc/systemd/system/probe.service <<'X'\n{PROBE}X\n"])
        host.run(["systemctl", "daemon-reload"])
        host.run(["systemctl", "start", "probe.service"])
    try:
        yield {
            "name": NAME,
            "role": NAME,
            "sinks": [],
            "templates": TEMPLATES,
            "static_secret_render_interval": "2s",
        }
    finally:
        gone = plain.remove([NAME])
        for name in fleet.members:
            host = fleet.host(name)
            left = host.run(["sh", "-c", f"ls -d /etc/systemd/system/{NAME}* /run/{NAME} {ENV}"], check=False).stdout
            host.run(["sh", "-c", "systemctl stop probe; rm -f /etc/systemd/system/probe.service /run/probe"])
            host.run(["sh", "-c", f"systemctl daemon-reload; rmdir {PLACE}"])
            assert left == "", name
    gone.judge_success()


def test_a_mistake_touches_no_host(fleet: Fleet, plain: Runner, wishes: dict[str, t.Any]) -> None:
    """The syntax of a template is judged on the controller."""
    (plain.folder / "templates" / "broken.j2").write_text("\n{% if %}", encoding="utf-8")
    broken = [
        {"source": "broken.j2", "destination": "/run/x"},
        {"source": "none.j2", "destination": "/run/y"},
    ]
    done = plain.role(**{**wishes, "templates": broken[:1]})
    assert done.rc != 0
    for words in done.failed.values():
        assert "vault_agent_templates[0].source: line 2: " in words, words
    assert not any(done.executed.values())
    done = plain.role(**{**wishes, "templates": broken[1:]})
    assert "vault_agent_templates[0].source: there is no file 'none.j2' on the controller" in done.shown
    for name in fleet.members:
        assert fleet.host(name).run(["ls", f"/etc/vault-agent/{NAME}.json"], check=False).returncode != 0


def test_rendered_and_reloaded(fleet: Fleet, stack: Stack, plain: Runner, wishes: dict[str, t.Any]) -> None:
    """Rendered on all; a second run changes nothing; a changed secret reloads a unit."""
    plain.role(**wishes).judge_success()
    for name in fleet.members:
        host = fleet.host(name)
        assert host.read(FILE) == "word = first\n", name
        assert host.read(ENV) == "WORD=first", name
        capabilities = [int(word, 16) for word in host.read(COMMAND).split()[1::2]]
        assert capabilities == [0, 0, 0], "the agent has some, to give its file away"
        assert host.run(["stat", "--format=%a %U", FILE, ENV]).stdout.split() == ["640", NAME, "400", "games"], name
        rated = host.run(["systemd-analyze", "security", f"{NAME}.service"]).stdout
        (exposure,) = re.findall(rf"Overall exposure level for {NAME}\.service: ([\d.]+)", rated)
        assert float(exposure) <= MOST_EXPOSED, (name, rated)
        status = looks.status(host, NAME)
        assert status["state"] == "serving", (name, status)
    again = plain.role(**wishes)
    again.judge_success()
    assert not any(again.changed.values()), again.shown
    stack.root("PUT", SECRET, {"data": {"word": "second"}})
    for name in fleet.members:
        host = fleet.host(name)

        def reloaded(host: t.Any = host) -> bool:
            return "word = second\n" in str(host.run(["cat", "/run/probe"], check=False).stdout)

        def rendered(host: t.Any = host) -> bool:
            return bool(host.read(ENV) == "WORD=second")

        looks.until(reloaded, f"{name}: the unit was not reloaded")
        looks.until(rendered, f"{name}: the other file was not rendered")  # each has a turn of its own
        assert host.run(["ps", "-o", "user=", "-C", "vaultfleet-agent"], check=False).stdout.strip() != "root"


def test_fewer_reloads(fleet: Fleet, plain: Runner, wishes: dict[str, t.Any]) -> None:
    """What is not wished for any more is taken away, and the agent goes on."""
    templates = [{name: value for name, value in TEMPLATES[0].items() if name != "on_change_units"}, TEMPLATES[1]]
    plain.role(**{**wishes, "templates": templates}).judge_success()
    for name in fleet.members:
        host = fleet.host(name)
        assert host.run(["ls", "/etc/systemd/system"]).stdout.count(f"{NAME}.changed-") == 0, name
        shown = host.run(["systemctl", "list-units", "--all", "--plain", "--no-legend", f"{NAME}.changed-*"]).stdout
        assert "active" not in shown, shown
        assert looks.status(host, NAME)["state"] == "serving"


def test_the_example(fleet: Fleet, stack: Stack, plain: Runner, wishes: dict[str, t.Any]) -> None:
    """examples/rendered.yml, whose secret has another path here."""
    name = "bookworm"
    host = fleet.host(name)
    host.run(["useradd", "--system", "--user-group", "app"])
    folder = plain.folder / "example"
    (folder / "templates").mkdir(parents=True)
    for file in ("rendered.yml", "templates/app.conf.j2"):
        text = (EXAMPLE.parent / file).read_text(encoding="utf-8")
        assert "kv/data/app" in text
        (folder / file).write_text(text.replace("kv/data/app", SECRET), encoding="utf-8")
    stack.root("PUT", SECRET, {"data": {"password": "of the app"}})
    given = {
        "vault_url": stack.env["VAULT_ADDR"],
        "vault_ca_cert": CA,
        "vault_server_id": stack.env["STACK_HEADER_VALUE"],
        "vault_role": NAME,
    }
    try:
        plain.book(folder / "rendered.yml", "--limit", name, "-e", json.dumps(given)).judge_success()
        read = ["runuser", "-u", "app", "--", "cat", "/run/app-secrets/app.conf"]
        assert re.fullmatch(r"# version \d+\npassword = of the app\n", host.run(read).stdout)
        assert host.read("/run/app-secrets/app.env") == "APP_PASSWORD='of the app'\n"
    finally:
        gone = plain.remove(["app-secrets"], "--limit", name)
        host.run(["userdel", "app"], check=False)
    gone.judge_success()
