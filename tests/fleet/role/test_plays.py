# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ways in which people run playbooks: each rolls out, and has nothing to do the second time.

All other tests here come in by ssh as a user without privileges, and become root.
"""

from __future__ import annotations

import configparser
import json
import os
import re
import shutil
import subprocess
import typing as t
from pathlib import Path

import pytest

from tests.fleet import fleet as fleets
from tests.fleet import library
from tests.fleet.fleet import Fleet, Wish
from tests.fleet.host import Bind
from tests.fleet.playbooks import PROJECT
from tests.stack.handle import Stack
from tests.tools.pythons import newest_core
from tests.tools.venv import ensure_venv, venv_environment

from . import bundles, looks
from .runs import ROLE, Runner, works

PAIR = ("bookworm", "bullseye")  # enough hosts to see an order
NONCE = "nonce-of-the-runner"
NAMESPACE = "team"  # hosts have agents of type ec2 elsewhere
# What of the project a repository holds that has the collection in it.
COLLECTION = ("galaxy.yml", "meta", "plugins", "roles")


@pytest.mark.parametrize(("name", "play"), [("serial", {"serial": 1}), ("free", {"strategy": "free"})])
def test_orders(fleet: Fleet, stack: Stack, runner: Runner, name: str, play: dict[str, t.Any]) -> None:
    """One host after the other, and each at its own speed."""
    limit = ("--limit", ",".join(PAIR))
    first = runner.role(*limit, play=play, name=name)
    first.judge_success()
    for host in PAIR:
        assert works(stack, looks.agent(fleet.host(host), name).token)
    again = runner.role(*limit, play=play, name=name)
    again.judge_success()
    assert again.changed == {host: [] for host in PAIR}


@pytest.mark.usefixtures("rollout")
def test_ansible_runner(fleet: Fleet, stack: Stack, tmp_path: Path) -> None:
    """Nothing that it keeps of a run holds a secret: neither of those that it was given, nor a token."""
    keys = configparser.ConfigParser(default_section="", interpolation=None)
    keys.read(stack.env["AWS_SHARED_CREDENTIALS_FILE"])
    access_key, secret_key = keys["default"].values()
    given = {
        "bookworm": {"role": "web", "access_key": access_key, "secret_key": secret_key},
        "bullseye": {"role": "node", "type": "ec2", "namespace": NAMESPACE, "nonce": NONCE},
    }
    shared = {"name": "runner", "url": "{{ fleet_vault_url }}", "ca_cert": "{{ fleet_vault_ca_cert }}"}
    header = "{{ fleet_header_value if inventory_hostname == 'bookworm' else none }}"
    inventory = tmp_path / "inventory"
    shutil.copytree(fleet.folder, inventory, ignore=lambda _folder, names: {*names} - {"inventory.ini"})
    for host, variables in given.items():
        file = inventory / "host_vars" / f"{host}.json"
        file.parent.mkdir(exist_ok=True)
        named = {**shared, **variables, "header_value": header}
        file.write_text(json.dumps({f"vault_agent_{name}": value for name, value in named.items()}), encoding="utf-8")
    book = [{"hosts": list(given), "become": True, "gather_facts": False, "roles": [ROLE]}]
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "site.json").write_text(json.dumps(book), encoding="utf-8")
    stack.delete_accesslist(fleet.members["bullseye"].instance, namespace=NAMESPACE)
    for ident in ("first", "again"):
        stats = _run_by_runner(tmp_path, ident)
        assert (stats["failures"], stats["dark"]) == ({}, {}), stats
        assert {*stats["ok"]} == {*given}
        assert bool(stats["changed"]) == (ident == "first"), stats
    tokens = [looks.agent(fleet.host(host), "runner").token for host in given]
    assert works(stack, tokens[0])
    assert works(stack, tokens[1], NAMESPACE)
    kept = [path for path in (tmp_path / "artifacts").rglob("*") if path.is_file()]
    assert len(kept) > 100
    for path in kept:
        text = path.read_text(encoding="utf-8")
        for secret in (secret_key, NONCE, *tokens):
            assert secret not in text, path


def test_ansible_pull(stack: Stack, tmp_path: Path) -> None:
    """A host that takes all from a git repository, and has neither pip nor a package index."""
    repository, hosts = tmp_path / "repository", tmp_path / "hosts"
    hosts.mkdir()
    _commit(stack, repository)
    instance = stack.instances[3]
    shown = [library.ansible("trixie"), Bind(repository, "/srv/fleet")]
    with fleets.running(stack, hosts, {"alone": Wish("trixie", instance)}, shown) as fleet:
        host = fleet.host("alone")
        variables = [f"PYTHONPATH={library.ANSIBLE}", f"PATH={library.ANSIBLE}/bin:/usr/sbin:/usr/bin"]
        pull = ["env", *variables, "ANSIBLE_NOCOLOR=1", "ansible-pull", "--url=file:///srv/fleet"]
        shown_first = host.run(pull, timeout=300).stdout
        token = looks.agent(host).token
        assert works(stack, token)
        again = host.run(pull, timeout=300).stdout
        assert re.search(r"^localhost +: ok=\d+ +changed=0 +unreachable=0 +failed=0", again, re.MULTILINE), again
        assert looks.agent(host).token == token
        assert token not in shown_first + again


def _run_by_runner(private: Path, ident: str) -> dict[str, t.Any]:
    """Run the project of a private data folder, telling and keeping all that can be; the statistics of the run."""
    venv = ensure_venv("ansible", newest_core()[1])
    done = subprocess.run(
        ["ansible-runner", "run", str(private), "--playbook=site.json", f"--ident={ident}", "--cmdline=-vvv --diff"],
        env={
            "PATH": venv_environment(venv)["PATH"],
            "HOME": str(private),
            "LANG": "C.UTF-8",
            "XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache"),
            "ANSIBLE_COLLECTIONS_PATH": str(PROJECT / ".dev" / "collections"),
        },
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    events = [json.loads(path.read_text()) for path in (private / "artifacts" / ident / "job_events").glob("*.json")]
    (stats,) = (event["event_data"] for event in events if event["event"] == "playbook_on_stats")
    return dict(stats)


def _commit(stack: Stack, folder: Path) -> None:
    """Make a repository for ansible-pull: a playbook, the collection, and a bundle that was built elsewhere."""
    bundle = bundles.current()["trixie"]
    collection = folder / "collections" / "ansible_collections" / "vaultfleet" / "aws"
    collection.mkdir(parents=True)
    for name in COLLECTION:
        copy = shutil.copytree if (PROJECT / name).is_dir() else shutil.copy
        copy(PROJECT / name, collection / name)
    (folder / ".gitignore").write_text("__pycache__/\n", encoding="utf-8")
    shutil.copy(bundle.path, folder / "agent.tar.gz")
    variables = {
        "vault_agent_url": stack.env["VAULT_ADDR"],
        "vault_agent_ca_cert": fleets.CA,
        "vault_agent_header_value": stack.env["STACK_HEADER_VALUE"],
        "vault_agent_role": "app",
        "vault_agent_bundle_src": "{{ playbook_dir }}/agent.tar.gz",
        "vault_agent_bundle_sha256": bundle.sha256,
    }
    book = [{"hosts": "localhost", "gather_facts": False, "vars": variables, "roles": [ROLE]}]
    (folder / "local.yml").write_text(json.dumps(book), encoding="utf-8")
    author = ["-c", "user.name=fleet", "-c", "user.email=fleet@example.test", "-c", "commit.gpgsign=false"]
    for command in (["init", "--quiet"], ["add", "--all"], [*author, "commit", "--quiet", "--message=Fleet"]):
        subprocess.run(["git", "-C", str(folder), *command], check=True)
