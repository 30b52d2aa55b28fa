# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The bundles run on their Pythons, alone, and are the same wherever they are built."""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.version import VERSION
from ansible_collections.vaultfleet.aws.plugins.plugin_utils._bundle import build, pins
from ansible_collections.vaultfleet.aws.tests.unit.support.web import Web
from tests.live.bundle import cases
from tests.live.core import keys
from tests.live.playbooks import Player
from tests.stack.handle import Stack
from tests.tools.project import COLLECTIONS
from tests.tools.pythons import TARGETS, find_python

CACHE = Path(build.cache_folder()).parent  # of the user; each test has another home
LARGEST = 15 * 1024 * 1024  # bytes on disk
MODULE = "vaultfleet.aws.vault_agent_bundle"


def agent(python: str, folder: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the bundle's agent where others have left modules of the names that it imports."""
    return run([python, "-I", str(folder / "bin" / "vaultfleet-agent"), *arguments], folder, environ)


def run(command: list[str], folder: Path, environ: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a program of the bundle in such a place."""
    trap = folder.parent / "trap"
    trap.mkdir(exist_ok=True)
    for name in ("botocore", "hvac", "requests", "json", "argparse", "vaultfleet_agent", "sitecustomize"):
        (trap / f"{name}.py").write_text("raise SystemExit('trapped')\n", encoding="utf-8")
    return subprocess.run(
        command,
        env={"PATH": "/usr/bin:/bin", "HOME": str(trap), "PYTHONPATH": str(trap), **environ},
        cwd=trap,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def config(stack: Stack, folder: Path) -> Path:
    """A configuration for an iam login to the stack."""
    file = folder / "agent.json"
    login = {"type": "iam", "role": "web", "header_value": stack.env["STACK_HEADER_VALUE"]}
    auth = {
        "method": {"type": "aws", "config": login},
        "sink": [{"type": "file", "config": {"path": str(folder / "token")}}],
    }
    server = {"address": stack.env["VAULT_ADDR"], "ca_cert": stack.env["VAULT_CACERT"]}
    file.write_text(json.dumps({"vault": server, "auto_auth": auth}), encoding="utf-8")
    return file


def listing(folder: Path) -> list[tuple[str, int]]:
    """Every file, with its size."""
    return sorted((str(path.relative_to(folder)), path.lstat().st_size) for path in folder.rglob("*"))


def test_logs_in(stack: Stack, tmp_path: Path, python: str, folder: Path) -> None:
    """Version, check, and a login whose token works; the bundle's folder stays as it was."""
    before = listing(folder)
    version = agent(python, folder, "--version")
    assert (version.returncode, version.stdout) == (0, f"vaultfleet-agent {VERSION}\n"), version
    file = str(config(stack, tmp_path))
    checked = agent(python, folder, "check", "--config", file)
    assert checked.returncode == 0, checked
    mine = keys(stack)
    given = {"AWS_ACCESS_KEY_ID": mine.access_key, "AWS_SECRET_ACCESS_KEY": mine.secret_key}
    (tmp_path / "run").mkdir()
    ran = agent(python, folder, "run", "--config", file, "--once", RUNTIME_DIRECTORY=str(tmp_path / "run"), **given)
    assert ran.returncode == 0, ran
    token = (tmp_path / "token").read_text(encoding="ascii")
    assert stack.vault.call("GET", stack.env["STACK_DEMO_SECRET_PATH"], token=token).status == 200
    assert "trapped" not in f"{version}{checked}{ran}"
    assert listing(folder) == before


def test_login_command(stack: Stack, tmp_path: Path, python: str, folder: Path) -> None:
    """As a program where the line's Python is ``python3``, and started by that Python; the folder stays as it was."""
    before = listing(folder)
    program = str(folder / "bin" / "vault-aws-login")
    (tmp_path / "python3").symlink_to(python)
    mine = keys(stack)
    given = {
        "PATH": f"{tmp_path}:/usr/bin:/bin",
        "VAULT_ADDR": stack.env["VAULT_ADDR"],
        "VAULT_CACERT": stack.env["VAULT_CACERT"],
        "VAULTFLEET_AWS_HEADER_VALUE": stack.env["STACK_HEADER_VALUE"],
        "AWS_ACCESS_KEY_ID": mine.access_key,
        "AWS_SECRET_ACCESS_KEY": mine.secret_key,
    }
    version = run([program, "--version"], folder, given)
    assert (version.returncode, version.stdout) == (0, f"vault-aws-login {VERSION}\n"), version
    ran = run([python, "-I", program, "--role", "web"], folder, given)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert stack.vault.call("GET", stack.env["STACK_DEMO_SECRET_PATH"], token=ran.stdout.strip()).status == 200
    assert listing(folder) == before


def test_chain(tmp_path: Path, python: str, folder: Path) -> None:
    """What was left out of botocore is missed by no source of credentials, and nothing of the host takes its place."""
    with Web(cases.aws) as web:
        done = subprocess.run(
            [python, "-I", str(Path(__file__).with_name("chain.py")), str(folder / "lib")],
            input=json.dumps(cases.cases(tmp_path, web.url)),
            env={"HOME": str(tmp_path)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert {name: tuple(found) for name, found in seen["found"].items()} == cases.FOUND
    assert seen["hosts"] == ["sts.amazonaws.com", "sts.eu-central-1.amazonaws.com", "sts.cn-north-1.amazonaws.com.cn"]
    assert seen["foreign"] == []


def test_older_python(line: str, folder: Path) -> None:
    """It says what it needs, and does not break on the way."""
    older = ("3.8", *TARGETS)[TARGETS.index(line)]
    found = find_python(older)
    if found is None:
        pytest.skip(f"this machine has no Python {older}")
    done = agent(str(found.path), folder, "--version")
    assert done.returncode == 1
    assert done.stderr.startswith(
        f"error: this bundle needs Python {line} or newer, and {found.path} is Python {older} -- "
    )


def test_size(folder: Path) -> None:
    """What it takes of a disk."""
    on_disk = sum(path.lstat().st_blocks * 512 for path in (folder, *folder.rglob("*")))
    assert on_disk <= LARGEST


def test_parts(line: str, folder: Path) -> None:
    """Each part of the lock is in the list, and came with its licence."""
    parts = json.loads((folder / "sbom.cdx.json").read_text(encoding="utf-8"))["components"]
    lock = pins.read(line)
    assert [(part["name"], part["version"], part["hashes"][0]["content"]) for part in parts] == [
        (pin.name, pin.version, pin.sha256) for pin in lock.pins
    ]
    assert not [part["name"] for part in parts if "unknown" in str(part["licenses"])]
    for pin in lock.pins:
        about = folder / "lib" / f"{pin.name.replace('-', '_')}-{pin.version}.dist-info"
        assert list(about.rglob("LICENSE*")), about


_BUILD = """
import sys
from ansible_collections.vaultfleet.aws.plugins.plugin_utils._bundle import build
made, _changed = build.bundles(build.Wish(tuple(sys.argv[2:]), sys.argv[1]))
print(*(bundle.sha256 for bundle in made.values()))
"""


@pytest.mark.parametrize("builder", ["3.11", "3.12", "3.13"])
def test_same_from_every_python(tmp_path: Path, bundles: dict[str, build.Bundle], builder: str) -> None:
    """A controller with another Python builds the same bytes."""
    found = find_python(builder)
    if found is None:
        pytest.skip(f"this machine has no Python {builder}")
    lines = ("3.9", "3.13")
    said = subprocess.run(
        [str(found.path), "-c", _BUILD, str(tmp_path / "dest"), *lines],
        env={**os.environ, "PYTHONPATH": str(COLLECTIONS), "XDG_CACHE_HOME": str(CACHE), "TZ": "Asia/Tokyo"},
        umask=0o077,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert said.split() == [bundles[line].sha256 for line in lines]


def test_playbook(player: Player, tmp_path: Path, bundles: dict[str, build.Bundle]) -> None:
    """Changed once; check mode tells what would be; wrong options are refused by name."""
    names = ("would", "first", "second", "still", "wrong")
    options = {name: {"pythons": ["3.9", "3.13"], "dest": "built"} for name in names}
    options["wrong"]["pythons"] = ["3.10", "3.1"]
    tasks = [{"name": name, MODULE: options[name], "register": name, "ignore_errors": True} for name in names]
    tasks[0]["check_mode"] = tasks[3]["check_mode"] = True
    done = player.play(*tasks, environment={"XDG_CACHE_HOME": str(CACHE)})
    results = done.results
    assert [results[name]["changed"] for name in names[:4]] == [True, True, False, False]
    assert results["would"]["bundles"] == results["first"]["bundles"] == results["second"]["bundles"]
    first = results["first"]["bundles"]
    assert {line: one["sha256"] for line, one in first.items()} == {
        line: bundles[line].sha256 for line in ("3.9", "3.13")
    }
    assert all(Path(one["path"]).parent == tmp_path / "built" for one in first.values())
    assert results["wrong"]["msg"].startswith("pythons: '3.1' is no line of Python")


def test_templates(line: str, python: str, stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bundle with Jinja2 renders on each line of Python, and is not much larger; one without says what is missing."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(CACHE))
    wish = build.Wish((line,), str(tmp_path / "bundles"), templates=True)
    with_jinja = build.bundles(wish)[0][line]
    plain = build.bundles(build.Wish((line,), str(tmp_path / "bundles")))[0][line]
    assert with_jinja.unpacked_size - plain.unpacked_size < 1024 * 1024
    folders = []
    for bundle in (with_jinja, plain):
        with tarfile.open(bundle.path) as archive:
            archive.extractall(tmp_path, filter="data")
        folders.append(tmp_path / bundle.version)
    file = config(stack, tmp_path)
    values = json.loads(file.read_text(encoding="utf-8"))
    contents = "{{ secret('secret/data/demo').data.username }}"
    values["jinja_template"] = {"contents": contents, "destination": str(tmp_path / "out")}
    file.write_text(json.dumps(values), encoding="utf-8")
    shared = {"AWS_SHARED_CREDENTIALS_FILE": stack.env["AWS_SHARED_CREDENTIALS_FILE"]}
    done = agent(python, folders[0], "run", "--once", "--config", str(file), **shared)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out").read_text(encoding="utf-8") == "demo"
    done = agent(python, folders[1], "check", "--config", str(file), **shared)
    assert (done.returncode, "the Python package jinja2 is missing" in done.stderr) == (1, True), done.stderr
