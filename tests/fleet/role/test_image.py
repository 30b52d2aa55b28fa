# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An image with an agent in it: made where nothing runs, equal for all, and at work once it boots."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import subprocess
import typing as t
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.fleet.fleet import Fleet, Wish, running
from tests.fleet.image import ensure_image
from tests.fleet.network import LOOPBACK, METADATA, network
from tests.fleet.relay import relays
from tests.stack.handle import Stack

from . import looks
from .counter import counter
from .runs import Runner, works

RELEASE = "trixie"
STOPPED = {"vault_agent_service_state": "stopped"}
TYPE = {"vault_agent_sink_setype": "var_run_t"}
UNIT = "/etc/systemd/system/vault-agent.service"
# What useradd and groupadd write, and the example itself; all else has to be of the agent.
ELSEWHERE = (
    "/etc/passwd",
    "/etc/group",
    "/etc/shadow",
    "/etc/gshadow",
    "/etc/sub",
    "/etc/.pwd",
    "/home/app",
    "/root/.ans",
)
OURS = ("/etc/vault-agent", "/etc/systemd/system", "/opt", "/etc/ssl/vault-ca.pem")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Path]:
    """A tree of a Debian that has never been booted, with what is there on one that has SELinux."""
    folder = tmp_path_factory.mktemp("image")
    place = folder / "tree"
    subprocess.run(["cp", "-a", "--reflink=auto", str(ensure_image(RELEASE)), str(place)], check=True)
    (place / "etc" / "selinux").mkdir(exist_ok=True)
    (place / "etc" / "selinux" / "config").write_text("SELINUX=permissive\n", encoding="ascii")
    yield place
    shutil.rmtree(place)


def test_an_image(tree: Path, fleet: Fleet, plain: Runner, stack: Stack, tmp_path: Path) -> None:
    """Nobody is asked when it is made, nothing in it is of a single host; booted, it logs in unaided."""
    vault = int(urlsplit(stack.env["VAULT_ADDR"]).port or 0)
    before = _files(tree)
    with counter() as visits, relays() as relay, network("10.0.0.77", relay) as net:
        for there in ((LOOPBACK, vault), (METADATA, 80)):
            net.reach(visits.port, there)
        inventory = tmp_path / "image.ini"
        namespace = f"/proc/{os.getpid()}/fd/{net.namespace}"
        inventory.write_text(
            f"image ansible_connection=tree ansible_host={tree} tree_network={namespace}"
            " ansible_python_interpreter=/usr/bin/python3\n",
            encoding="utf-8",
        )
        into = ("-i", str(inventory), "--limit", "image")
        made = plain.example(*into, **STOPPED, **TYPE)
        made.judge_success()
        after = _files(tree)
        again = plain.example(*into, **STOPPED, **TYPE)
        again.judge_success()
        assert again.changed == {"image": []}
    assert _files(tree) == after
    assert visits.visitors == 0
    _judge(tree, before, after, stack)
    folder = tmp_path / "booted"
    folder.mkdir()
    with running(stack, folder, {"image": Wish(RELEASE, fleet.members[RELEASE].instance, tree)}) as booted:
        host = booted.host("image")
        assert works(stack, looks.next_token(host, ""))
        token = looks.agent(host).token
        assert host.run(["runuser", "-u", "app", "--", "cat", "/run/vault-agent/token"]).stdout == token
        assert "chcon" in host.read(UNIT), "it does no harm where SELinux turns out to be off"


def test_stopped_on_a_host_that_runs(fleet: Fleet, plain: Runner, stack: Stack) -> None:
    """Installed and enabled, and no more than that, until the role is to start it."""
    host, here = fleet.host("bookworm"), ("--limit", "bookworm")
    try:
        plain.role(*here, name="idle", service_state="stopped").judge_success()
        assert _states(host) == ["enabled", "inactive"]
        again = plain.role(*here, name="idle", service_state="stopped")
        again.judge_success()
        assert again.changed == {"bookworm": []}
        begun = ["systemctl", "show", "--property=ExecMainStartTimestamp", "--value", "idle"]
        assert host.run(begun).stdout == "\n", "it was never started"
        started = plain.role(*here, name="idle")
        started.judge_success()
        assert started.changed == {"bookworm": ["Enable the service, and bring into force what changed"]}
        assert _states(host) == ["enabled", "active"]
        assert works(stack, looks.agent(host, "idle").token)
    finally:
        plain.remove(["idle"], *here).judge_success()


def _judge(tree: Path, before: t.Mapping[str, str], after: t.Mapping[str, str], stack: Stack) -> None:
    """What is new in the tree is the agent, and is the same for whatever boots from it."""
    assert not {*before} - {*after}
    changed = {path for path, seen in after.items() if before.get(path) != seen}
    strange = [
        path
        for path in changed
        if not path.startswith((*ELSEWHERE, *OURS)) and path not in ("/etc", "/etc/ssl", "/home", "/root")
    ]
    assert not strange
    wanted = tree / "etc/systemd/system/multi-user.target.wants/vault-agent.service"
    assert str(wanted.readlink()) == UNIT
    users = dict(line.split(":", 1) for line in (tree / "etc/passwd").read_text(encoding="utf-8").splitlines())
    uid, gid = (int(field) for field in users["vault-agent"].split(":")[1:3])
    assert 100 <= uid < 1000, "a user of the system, from the image's own range"
    for path in changed & {path for path in after if path.startswith(OURS)}:
        seen = (tree / path.lstrip("/")).lstat()
        config = path == "/etc/vault-agent/vault-agent.json"
        assert (seen.st_uid, seen.st_gid) == (0, gid if config else 0), path
    for name in ("machine-id", "hostname"):
        assert after.get(f"/etc/{name}") == before.get(f"/etc/{name}")
    secrets = [*stack.instances, Path("/etc/machine-id").read_text(encoding="ascii").strip(), "nonce"]
    for path in ("/etc/vault-agent/vault-agent.json", UNIT):
        text = (tree / path.lstrip("/")).read_text(encoding="utf-8")
        assert not [secret for secret in secrets if secret and secret in text], path
    assert not (tree / "run/vault-agent").exists()
    assert not (tree / "etc/vault-agent/vault-agent.credentials").exists()


def _files(tree: Path) -> dict[str, str]:
    """What is in a tree, by path: kind, mode, owners, and what a file holds."""
    found = {}
    for folder, _folders, names in os.walk(tree):
        for path in (Path(folder), *(Path(folder) / name for name in names)):
            seen = path.lstat()
            held = hashlib.sha256(path.read_bytes()).hexdigest() if stat.S_ISREG(seen.st_mode) else ""
            found[f"/{path.relative_to(tree)}"] = f"{seen.st_mode} {seen.st_uid} {seen.st_gid} {held}"
    return found


def _states(host: t.Any) -> list[str]:
    return [host.run(["systemctl", word, "idle"], check=False).stdout.strip() for word in ("is-enabled", "is-active")]
