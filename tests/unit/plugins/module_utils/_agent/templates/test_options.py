# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The keys of templates: what is accepted, and what is told of what is not."""

from __future__ import annotations

import json
import os
import pwd
import typing as t
from pathlib import Path

import pytest

from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.config import (
    AgentConfig,
    ConfigErrors,
    foretell,
    load,
)

LOGIN = {"method": {"type": "aws", "config": {"type": "iam", "role": "web"}}}


def loaded(folder: Path, *templates: t.Any, some: bool = False, **top: t.Any) -> AgentConfig:
    """The configuration with these templates; PLACE is the folder."""
    file = folder / "agent.json"
    values = {"auto_auth": LOGIN, "jinja_template": templates[0] if len(templates) == 1 else list(templates), **top}
    file.write_text(json.dumps(values).replace("PLACE", str(folder)), encoding="utf-8")
    file.chmod(0o600)
    return load([str(file)], {}, some=some)


def template(**values: t.Any) -> dict[str, t.Any]:
    given = {"contents": "x", "destination": "PLACE/out", **values}
    return {name: value for name, value in given.items() if value is not None}


def test_everything(tmp_path: Path) -> None:
    (tmp_path / "in.j2").write_text("{{ secret('kv/app').data.x }}", encoding="utf-8")
    user = pwd.getpwuid(os.geteuid()).pw_name
    found = loaded(
        tmp_path,
        template(
            contents=None,
            source="PLACE/in.j2",
            destination="PLACE/new/../new/out",
            perms="0640",
            user=user,
            group=0,
            create_dest_dirs=True,
            error_on_missing_key=False,
            wait={"min": "2s", "max": 9},
            exec=[{"command": ["/bin/true", "a b"], "timeout": "5s"}],
            on_change_units=["nginx.service", "app@1.socket"],
        ),
        template(wait=[{"min": "2s"}]),
        template_config={"static_secret_render_interval": "1m"},
    )
    first, second = found.templates
    assert (first.text, first.place.path, first.place.mode) == (
        "{{ secret('kv/app').data.x }}",
        str(tmp_path / "new" / "out"),
        0o640,
    )
    assert (first.place.uid, first.place.gid) == (os.geteuid(), 0)
    assert (first.create_dirs, first.strict, first.wait) == (True, False, (2, 9))
    assert (first.command, first.timeout) == (("/bin/true", "a b"), 5)
    assert first.units == ("nginx.service", "app@1.socket")
    assert (second.wait, second.strict, second.place.mode, second.command) == ((2, 8), True, 0o600, ())
    assert (found.render_interval, found.sinks) == (60, ())
    assert "secret(" not in repr(first)


def test_files_add_up(tmp_path: Path) -> None:
    """Each file of a directory may have templates of its own, as in Vault Agent."""
    folder = tmp_path / "conf.d"
    folder.mkdir()
    for number, values in enumerate(({"auto_auth": LOGIN}, {}, {})):
        one = {**values, "jinja_template": {"contents": "x", "destination": f"{tmp_path}/{number}"}}
        (folder / f"{number}.json").write_text(json.dumps(one), encoding="utf-8")
    found = load([str(folder)], {})
    assert [one.place.path[-1] for one in found.templates] == ["0", "1", "2"]
    assert found.notices == ()


WRONG: list[tuple[dict[str, t.Any], str, str]] = [
    (template(contents=None), "contents", "is missing"),
    (template(source="PLACE/x"), "contents", "together with source"),
    (template(contents=7), "contents", "an integer"),
    (template(contents=None, source="x.j2"), "source", "absolute path"),
    (template(contents=None, source="PLACE/none.j2"), "source", "none.j2 cannot be read: No such file"),
    (template(contents=None, source="PLACE"), "source", "cannot be read"),
    (template(contents=None, source="PLACE/latin1"), "source", "is not UTF-8"),
    (template(contents=None, source="PLACE/broken.j2"), "source", "broken.j2: line 2: "),
    (template(contents="\n{% if %}"), "contents", "line 2: "),
    (template(contents="{{ password }}"), "contents", "there is no password"),
    (template(destination=None), "destination", "is missing"),
    (template(destination="out"), "destination", "absolute path"),
    (template(destination="PLACE/none/out"), "destination", "create it first"),
    (template(destination="PLACE"), "destination", "is a directory"),
    (template(perms=640), "perms", "numbers in JSON are decimal"),
    (template(perms="u=rw"), "perms", "not an octal mode"),
    (template(user="no-such-user-here"), "user", "there is no user"),
    (template(group="no-such-group-here"), "group", "there is no group"),
    (template(create_dest_dirs="yes"), "create_dest_dirs", "without quotes"),
    (template(wait={"min": "5s", "max": "2s"}), "wait.max", "less than min"),
    (template(wait={"min": "soon"}), "wait.min", "not a duration"),
    (template(wait="5s"), "wait", "a string"),
    (template(exec={"command": "systemctl reload nginx"}), "exec.command", "a string"),
    (template(exec={"command": []}), "exec.command", "not a list of words"),
    (template(exec={"command": ["a", 1]}), "exec.command", "not a list of words"),
    (template(exec={}), "exec.command", "is missing"),
    (template(exec={"command": ["/no/such/program"]}), "exec.command", "there is no program"),
    (template(exec={"command": ["true"], "timeout": 0}), "exec.timeout", "outside 1"),
    (template(on_change_units="nginx"), "on_change_units", "give a list"),
    (template(on_change_units=["nginx"]), "on_change_units", "not the name of a unit"),
    (template(on_change_units=["a b.service"]), "on_change_units", "not the name of a unit"),
    (template(command="x"), "command", "exec.command"),
    (template(mode="0600"), "mode", "perms"),
    (template(left_delimiter="<<"), "left_delimiter", "stay"),
    (template(destinatoin="x"), "destinatoin", "did you mean destination?"),
]


@pytest.mark.parametrize(("values", "key", "word"), WRONG, ids=[f"{key}-{word}" for _values, key, word in WRONG])
def test_a_mistake_is_named(tmp_path: Path, values: dict[str, t.Any], key: str, word: str) -> None:
    (tmp_path / "latin1").write_bytes(b"\xe4")
    (tmp_path / "broken.j2").write_text("\n{% if %}", encoding="utf-8")
    with pytest.raises(ConfigErrors) as caught:
        loaded(tmp_path, values)
    (problem,) = caught.value.problems
    assert problem.key == f"jinja_template.{key}"
    assert word in f"{problem.text} -- {problem.hint}"
    assert problem.hint


def test_a_folder_that_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, _mode: path != str(tmp_path))
    with pytest.raises(ConfigErrors, match=r"cannot be written to -- .* ReadWritePaths="):
        loaded(tmp_path, template())


def test_mistakes_of_several(tmp_path: Path) -> None:
    with pytest.raises(ConfigErrors) as caught:
        loaded(
            tmp_path,
            template(),
            template(),
            template(contents="{% x %}"),
            "x",
            auto_auth={**LOGIN, "metrics_file": "PLACE/metrics"},
            pid_file="PLACE/out2",
        )
    assert [problem.key for problem in caught.value.problems] == [
        "jinja_template[3]",
        "jinja_template[1].destination",
        "jinja_template[2].contents",
    ]


def test_a_sink_and_a_template_want_files_of_their_own(tmp_path: Path) -> None:
    sink = {"type": "file", "config": {"path": "PLACE/out"}}
    with pytest.raises(ConfigErrors, match=r"jinja_template.destination: .* written for another purpose"):
        loaded(tmp_path, template(), auto_auth={**LOGIN, "sink": sink})


def test_a_wrapped_login_has_no_token_for_templates(tmp_path: Path) -> None:
    method = {**LOGIN["method"], "wrap_ttl": "5m"}
    with pytest.raises(ConfigErrors, match=r"auto_auth.method.wrap_ttl: is given together with jinja_template"):
        loaded(tmp_path, template(), auto_auth={"method": method})


def test_a_running_agent_waits_for_places(tmp_path: Path) -> None:
    """One place that is there is enough to start."""
    with pytest.raises(ConfigErrors):
        loaded(tmp_path, template(), template(destination="PLACE/none/x"))
    assert len(loaded(tmp_path, template(), template(destination="PLACE/none/x"), some=True).templates) == 2
    with pytest.raises(ConfigErrors):
        loaded(tmp_path, template(destination="PLACE/none/x"), some=True)


def test_neither_sink_nor_template(tmp_path: Path) -> None:
    with pytest.raises(ConfigErrors, match=r"auto_auth.sink: is missing -- give at least one, .* jinja_template"):
        loaded(tmp_path, [])  # an empty list
    file = tmp_path / "agent.json"
    file.write_text(json.dumps({"auto_auth": LOGIN}), encoding="utf-8")
    with pytest.raises(ConfigErrors, match=r"auto_auth.sink: is missing"):
        load([str(file)], {})


def test_of_another_host() -> None:
    """Its users, files and programs are not looked for; the syntax is judged all the same."""

    def foretold(**values: t.Any) -> AgentConfig:
        given = {"destination": "/srv/none/out", "user": "nobody-here", **values}
        return foretell(json.dumps({"auto_auth": LOGIN, "jinja_template": given}))

    found = foretold(contents="x", exec={"command": ["/no/such/program"]}, group="17")
    assert (found.templates[0].place.uid, found.templates[0].place.gid) == (None, 17)
    assert foretold(source="/no/such/file").templates[0].text == ""
    with pytest.raises(ConfigErrors, match="line 1"):
        foretold(contents="{% if %}")
