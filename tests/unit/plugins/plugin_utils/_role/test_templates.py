# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role's templates: what they become, and how a mistake in one is told."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.vaultfleet.aws.plugins.module_utils._agent import config
from ansible_collections.vaultfleet.aws.plugins.plugin_utils._role import templates
from ansible_collections.vaultfleet.aws.plugins.plugin_utils._role.plan import PREFIX, Plan, PlanError, plan, problem

SMALLEST = {
    "name": "agent",
    "state": "present",
    "service_state": "started",
    "type": "iam",
    "sinks": [],
    "url": "https://vault.example.org:8200",
    "role": "web",
}
FILE = {"contents": "{{ secret('kv/data/app').data.x }}", "destination": "/run/agent/app.conf"}


def planned(*given: t.Any, **more: t.Any) -> Plan:
    values = {**SMALLEST, "templates": list(given), **more}
    return plan({f"{PREFIX}{name}": value for name, value in values.items()})


def refused(*given: t.Any, **more: t.Any) -> list[str]:
    with pytest.raises(PlanError) as caught:
        planned(*given, **more)
    return list(caught.value.problems)


def test_the_smallest_use() -> None:
    made = planned(FILE)
    assert made.config["jinja_template"] == [{**FILE, "perms": "0640"}]
    assert made.rendered == [{"path": "/run/agent/app.conf", "owner": None, "group": None}]
    assert (made.reloads, made.write, made.sinks) == ([], [], [])


def test_everything() -> None:
    full = {
        **FILE,
        "destination": "/srv/app/../app/app.conf",
        "perms": 0o600,
        "user": "app",
        "group": None,
        "wait": {"min": "2s"},
        "exec": {"command": ["/usr/bin/app", "reload"]},
        "error_on_missing_key": False,
        "on_change_units": ["app.service", "nginx.service"],
    }
    made = planned(FILE, full, static_secret_render_interval="1m")
    second = made.config["jinja_template"][1]
    assert (second["destination"], second["perms"], second["user"]) == ("/srv/app/app.conf", "0600", "app")
    assert not {"on_change_units", "group", "source"} & set(second)
    assert made.config["template_config"] == {"static_secret_render_interval": "60s"}
    assert made.write == ["/srv/app"]
    assert made.reloads == [{"number": 1, "path": "/srv/app/app.conf", "units": ["app.service", "nginx.service"]}]
    assert made.rendered[1] == {"path": "/srv/app/app.conf", "owner": "app", "group": None}


def test_the_agent_takes_it() -> None:
    """What the role writes is what was judged."""
    import json

    made = planned(FILE, {**FILE, "destination": "/run/agent/2", "user": 7, "exec": {"command": ["a"], "timeout": 9}})
    text = json.dumps({**made.config, "auto_auth": {**made.config["auto_auth"], "sink": []}})
    first, second = config.foretell(text).templates
    assert (first.place.mode, second.place.uid, second.command, second.timeout) == (0o640, 7, ("a",), 9)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({**FILE, "contents": "\n{% if %}"}, "templates.contents: line 2: "),
        ({**FILE, "source": "app.j2", "contents": "{{ x }}"}, "templates.source: there is no x"),
        ({"destination": "/run/agent/x"}, "templates.contents: is missing"),
        ({"contents": "x"}, "templates.destination: is missing"),
        ({**FILE, "destination": "app.conf"}, "templates.destination: 'app.conf' is not an absolute path"),
        ({**FILE, "perms": "rw"}, "templates.perms: 'rw' is not an octal mode"),
        ({**FILE, "exec": {"command": "reload"}}, "templates.exec.command: is a string"),
        ({**FILE, "on_change_units": ["nginx"]}, "templates.on_change_units: 'nginx' is not the name of a unit"),
        ({**FILE, "path": "/x"}, "templates.path: is not served by this agent"),
        ({**FILE, "group": "a\nExecStart=/bin/x"}, "templates.group: 'a\\nExecStart=/bin/x' is neither name nor id"),
        ({**FILE, "user": "no body"}, "templates.user: 'no body' is neither name nor id"),
        ("x", "templates: is not a list of mappings"),
    ],
)
def test_a_mistake_is_named(given: t.Any, told: str) -> None:
    (line,) = [one for one in refused(given) if "sinks" not in one]
    assert line.startswith(f"{PREFIX}{told}".replace("templates.", "templates[0]." if "." in told else "templates."))
    assert " -- " in line


def test_other_mistakes() -> None:
    (line,) = refused(FILE, FILE)
    assert line.startswith(f"{PREFIX}templates[1].destination: /run/agent/app.conf is written for another purpose")
    (line,) = refused(FILE, wrap_ttl="5m")
    assert line.startswith(f"{PREFIX}wrap_ttl: is given together with jinja_template")
    (line,) = refused(FILE, static_secret_render_interval="soon")
    assert line.startswith(f"{PREFIX}static_secret_render_interval: 'soon' is not a duration")
    (line,) = refused(templates=[])
    assert line.startswith(f"{PREFIX}sinks: is not a list with a sink in it")


def test_sources() -> None:
    files = {"app.j2": "{{ 1 }}"}
    found, problems = templates.with_contents([{"source": "app.j2", "destination": "/x"}, FILE, 7], files.get, problem)
    assert found == [{"source": "app.j2", "destination": "/x", "contents": "{{ 1 }}"}, FILE, 7]
    assert problems == []
    given = [{"source": "none.j2"}, {"source": 7}, {"source": "app.j2", "contents": "x"}]
    _found, problems = templates.with_contents(given, files.get, problem)
    assert [line.partition(" -- ")[0] for line in problems] == [
        f"{PREFIX}templates[0].source: there is no file 'none.j2' on the controller",
        f"{PREFIX}templates[1].source: there is no file 7 on the controller",
        f"{PREFIX}templates[2].contents: is given together with source",
    ]
    assert templates.with_contents("x", files.get, problem) == ("x", [])
