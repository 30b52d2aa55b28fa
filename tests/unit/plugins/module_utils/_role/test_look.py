# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host is refused for, and what is seen of an agent that is there."""

from __future__ import annotations

import hashlib
import json
import os
import typing as t
from pathlib import Path

import pytest

from ansible_collections.vaultfleet.aws.plugins.module_utils._role import look, places, service
from ansible_collections.vaultfleet.aws.plugins.module_utils._role.look import Look

LOGIN = {"type": "ec2", "url": "https://vault.example.org:8200", "namespace": "", "mount_path": "aws"}


@pytest.fixture(autouse=True)
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty host."""
    for name in ("CONFIGS", "BUNDLES", "UNITS"):
        folder = tmp_path / name.lower()
        folder.mkdir()
        monkeypatch.setattr(places, name, str(folder))
    return tmp_path


def looked(name: str = "agent", foretold: bool = False, **answers: tuple[int, str, str]) -> Look:
    """A look at a host whose programs give ``answers``, by the program's name; others are not there."""

    def run(command: list[str]) -> tuple[int, str, str]:
        program = Path(command[0]).name
        if program not in answers:
            raise FileNotFoundError(2, "No such file or directory")
        return answers[program]

    return Look(name, run, foretold)


def config(**more: t.Any) -> str:
    aws = {"type": "ec2", "role": "node"}
    method = {"type": "aws", "mount_path": "auth/aws", "config": aws, **more}
    return json.dumps({"vault": {"address": LOGIN["url"]}, "auto_auth": {"method": [method]}})


@pytest.mark.parametrize(
    ("answer", "version", "problem"),
    [
        ("systemd 257 (257.9-1~deb13u1)\n+PAM", 257, ""),
        ("systemd 247 (247)", 247, ""),
        ("systemd 239 (239-78.el8)", 239, "systemd 239 is too old: the agent's service needs 247 or newer"),
        ("busybox", 0, "this host has no systemd"),
    ],
)
def test_systemd(answer: str, version: int, problem: str) -> None:
    seen = looked(systemctl=(0, answer, ""))
    assert seen.systemd()["version"] == version
    assert [text.startswith(problem) for text in seen.problems] == ([True] if problem else [])


def test_no_systemd() -> None:
    seen = looked()
    assert seen.systemd()["version"] == 0
    assert seen.problems


def test_the_python_that_is_asked_for() -> None:
    seen = looked(python=(0, "3.12\n", ""))
    assert seen.python("/opt/py/bin/python") == {
        "path": "/opt/py/bin/python",
        "version": "3.12",
        "line": "3.12",
    }
    assert looked(python3=(0, "3.14\n", "")).python(None)["line"] == "3.13"
    assert not seen.problems


@pytest.mark.parametrize(
    ("path", "answer", "problem"),
    [
        (
            "/usr/bin/python3",
            (0, "3.6\n", ""),
            "/usr/bin/python3 is Python 3.6, which is too old -- install Python 3.9",
        ),
        ("/usr/bin/python3", (1, "", "x\nImportError: no ssl"), "is no whole Python: ImportError: no ssl"),
        ("/usr/bin/python3", (0, "hello", ""), "is no whole Python: no answer"),
        ("/root/own/bin/python3", (0, "3.12\n", ""), "which the service cannot see"),
        ("/usr/bin/python9", (0, "", ""), "there is no Python at /usr/bin/python9 (No such file or directory)"),
    ],
)
def test_a_python_that_will_not_do(path: str, answer: tuple[int, str, str], problem: str) -> None:
    seen = looked(python3=answer)
    assert seen.python(path) == {}
    assert problem in seen.problems[0]
    assert "vault_agent_python" in seen.problems[0]


@pytest.mark.parametrize("code", [0, 1])
@pytest.mark.parametrize("more", [{"wrap_ttl": "300s"}, {"dh_path": "/etc/k"}])
def test_the_library_of_encrypted_sinks(code: int, more: dict[str, str]) -> None:
    """Looked for only where a sink needs it; a host without a Python is refused for that alone."""
    sink = {"path": "/run/a", "more": more}
    seen = looked(python3=(code, "", "ModuleNotFoundError"))
    seen.libraries({"path": "/usr/bin/python3"}, [sink])
    assert bool(seen.problems) == (code != 0 and "dh_path" in more)
    assert all("install the package python3-cryptography" in problem for problem in seen.problems)
    bare = looked()
    bare.libraries({}, [sink])
    assert not bare.problems


def test_owners_are_numbers_in_the_configuration() -> None:
    seen = looked()
    sinks = [
        {"path": "/run/a", "mode": 0o640, "owner": None, "group": None, "more": {}},
        {"path": "/run/b", "mode": 0o600, "owner": "root", "group": "12", "more": {"wrap_ttl": "60s"}},
    ]
    assert [{**sink, "config": {}} for sink in seen.sinks(sinks)] == [
        {"type": "file", "config": {}},
        {"type": "file", "config": {}, "wrap_ttl": "60s"},
    ]
    assert [sink["config"] for sink in seen.sinks(sinks)] == [
        {"path": "/run/a", "mode": 416},
        {"path": "/run/b", "mode": 384, "owner": 0, "group": 12},
    ]
    assert not seen.problems
    seen.sinks([{"path": "/run/b", "mode": 0o600, "owner": "nobody-has-this", "group": "nor-this", "more": {}}])
    assert [text.split(",")[0] for text in seen.problems] == [
        "vault_agent_sinks: there is no user nobody-has-this",
        "vault_agent_sinks: there is no group nor-this",
    ]


def test_readers_must_exist() -> None:
    seen = looked()
    assert not seen.readers(["root", "nobody-has-this"])
    assert len(seen.problems) == 1
    assert "there is no user nobody-has-this" in seen.problems[0]


def test_folders_must_be_there(tmp_path: Path) -> None:
    for foretold in (False, True):
        seen = looked(foretold=foretold)
        seen.folders([str(tmp_path), str(tmp_path / "none")])
        (said,) = seen.warnings if foretold else seen.problems
        assert f"there is no folder {tmp_path}/none" in said
        assert not (seen.problems if foretold else seen.warnings)


@pytest.mark.parametrize(
    ("runs", "config", "expected"),
    [
        (False, None, False),
        (False, "# of SELinux\nSELINUX=enforcing\nSELINUXTYPE=targeted\n", True),
        (False, "SELINUX=disabled\nSELINUXTYPE=targeted\n", False),
        (True, "SELINUX=enforcing\n", False),
    ],
)
def test_selinux(monkeypatch: pytest.MonkeyPatch, runs: bool, config: str | None, expected: bool) -> None:
    """What runs is asked itself, and here it is off; an image is told by its configuration."""
    monkeypatch.setattr(look, "_runs", lambda: runs)
    monkeypatch.setattr(service, "read", lambda path: config)
    monkeypatch.setattr("os.path.exists", lambda path: False)
    assert look.selinux() == expected


def test_a_type_of_selinux_without_effect_is_a_warning() -> None:
    for given, selinux, warned in (("x_t", False, 1), ("x_t", True, 0), (None, False, 0)):
        seen = looked()
        seen.setype(given, selinux)
        assert len(seen.warnings) == warned
        assert not seen.problems
    assert not looked().warnings


def test_what_is_missing_is_foretold_in_check_mode() -> None:
    seen = looked(foretold=True)
    (sink,) = seen.sinks([{"path": "/run/b", "mode": 0o600, "owner": "nobody-has-this", "group": "root", "more": {}}])
    assert sink["config"] == {"path": "/run/b", "mode": 384, "owner": "nobody-has-this", "group": 0}
    assert not seen.readers(["nobody-has-this", "root"])
    assert not seen.problems
    assert [text.partition(",")[0].partition(" on ")[0] for text in seen.warnings] == [
        "vault_agent_sinks: there is no user nobody-has-this",
        "vault_agent_readers: there is no user nobody-has-this",
    ]
    assert all("outside check mode" in text for text in seen.warnings)


@pytest.mark.parametrize(
    ("text", "clash"),
    [
        (config(), True),
        (config(mount_path="aws"), True),
        (config(mount_path="auth/other"), False),
        (config(namespace="team"), False),
        (config(config={"type": "iam"}), False),
        ("{", False),
        ("[]", False),
        ('{"auto_auth": {"method": []}}', False),
        ('{"auto_auth": {"method": [{"config": 1}]}}', False),
    ],
)
def test_a_second_agent_for_one_nonce(host: Path, text: str, clash: bool) -> None:
    (host / "configs" / "other.json").write_text(text, encoding="utf-8")
    seen = looked()
    seen.others(LOGIN)
    assert bool(seen.problems) == clash
    for same in (looked("other"), looked()):
        same.others(LOGIN if same.name == "other" else {**LOGIN, "type": "iam"})
        assert not same.problems


def test_what_is_not_of_the_role_is_left_alone(host: Path) -> None:
    seen = looked("root")
    seen.foreign()
    assert "the user root of this host is not of this role" in seen.problems[0]
    (host / "units" / "agent.service").write_text("[Service]\n", encoding="utf-8")
    seen = looked()
    seen.foreign()
    assert "agent.service is not of this role" in seen.problems[0]
    (host / "units" / "agent.service").write_text(f"# {places.MARK}\n", encoding="utf-8")
    seen = looked()
    seen.foreign()
    assert not seen.problems


def test_what_is_in_the_way_is_named(host: Path) -> None:
    """All of it at once, and by its path; what is as the role has it is not."""
    outside = host / "outside"
    outside.mkdir()
    units = host / "units"
    (units / "multi-user.target.wants").mkdir()
    os.mkfifo(units / "agent.changed-0.path")
    os.link(_touched(outside / "file"), units / "agent.changed-0.service")  # replaced, not written through
    (units / "multi-user.target.wants" / "agent.changed-0.path").symlink_to("../agent.changed-0.path")
    (units / "multi-user.target.wants" / "agent.service").mkdir()
    (host / "configs" / "agent.json").symlink_to(outside)
    (host / "configs" / "agent.credentials").symlink_to(outside)
    _touched(host / "bundles" / "agent")
    (outside / "nonce").mkdir()  # as the link to its folder has it
    (host / "bundles" / ".archive-0.tar.gz").symlink_to(outside)
    (host / "units" / "agent.service").write_text("# vaultfleet.aws\n")
    (host / "configs" / "other.json").symlink_to(outside)
    seen = looked()
    seen.occupied()
    assert sorted(text.replace(str(host), "") for text in seen.problems) == [
        "/bundles/.archive-0.tar.gz is a symbolic link, where the role has a file -- move it away",
        "/bundles/agent is a file, where the role has a symbolic link -- move it away",
        "/configs/agent.credentials is a symbolic link, where the role has a folder -- move it away",
        "/configs/agent.credentials/nonce is a folder, where the role has a file -- move it away",
        "/configs/agent.json is a symbolic link, where the role has a file -- move it away",
        "/units/agent.changed-0.path is a pipe, where the role has a file -- move it away",
        "/units/multi-user.target.wants/agent.service is a folder, where the role has a symbolic link -- move it away",
    ]


def test_an_agent_of_the_role_is_not_in_the_way(host: Path) -> None:
    """Nor is an empty host."""
    seen = looked()
    seen.occupied()
    (host / "bundles" / "agent").symlink_to("1.0.0")
    (host / "configs" / "agent.credentials").mkdir()
    for path in ("configs/agent.json", "units/agent.service"):
        _touched(host / path)
    seen.occupied()
    assert seen.problems == []


def _touched(path: Path) -> Path:
    path.touch()
    return path


def test_what_was_broken_off_is_due(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(look, "_runs", lambda: True)
    status: dict[str, t.Any] = {}
    monkeypatch.setattr(service, "status", lambda name, pid: status)
    path = host / "configs" / "agent.json"
    path.write_text(config(), encoding="utf-8")
    Path(places.link("agent")).symlink_to("2.0")

    def due() -> tuple[bool, bool]:
        there = looked(systemctl=(0, "ActiveState=active\nMainPID=7\n", "")).there()
        return there["restart_due"], there["reload_due"]

    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    status.update(program=f"{places.BUNDLES}/2.0/bin/vaultfleet-agent", config_sha256=digest)
    assert due() == (False, False)
    status["config_sha256"] = "0" * 64
    assert due() == (False, True)
    status["program"] = f"{places.BUNDLES}/1.0/bin/vaultfleet-agent"
    assert due() == (True, True)
    status.update(program=f"{places.BUNDLES}/2.0/bin/vaultfleet-agent", config_sha256=digest)
    (host / "configs" / "agent.credentials").mkdir()
    (host / "configs" / "agent.credentials" / "nonce").write_text("new", encoding="utf-8")
    unit = host / "units" / "agent.service"
    unit.write_text("[Service]\nUser=agent\n", encoding="utf-8")
    assert due() == (False, False), "a secret that the unit does not load is still to be removed"
    unit.write_text("[Service]\nLoadCredential=nonce:/etc/x\n", encoding="utf-8")
    assert due() == (True, False)


def test_rendered_files_and_what_reloads(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of this agent alone, though another has a name that begins alike."""
    monkeypatch.setattr(look, "_runs", lambda: False)
    text = json.dumps(
        {**json.loads(config()), "jinja_template": [{"destination": "/srv/a"}, {"destination": "/srv/b"}]}
    )
    (host / "configs" / "agent.json").write_text(text, encoding="utf-8")
    for name in ("agent.service", "agent-2.changed-0.path"):
        (host / "units" / name).touch()
    for number in (0, 10):
        for kind in ("path", "service"):
            (host / "units" / f"agent.changed-{number}.{kind}").touch()
    there = looked().there()
    assert there["rendered"] == ["/srv/a", "/srv/b"]
    assert there["reloads"] == ["agent.changed-0", "agent.changed-10"]
