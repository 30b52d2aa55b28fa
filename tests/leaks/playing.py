# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plays with everything switched on that Ansible can print and write, and takes all of it as evidence."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import typing as t
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.tools.project import COLLECTIONS
from tests.tools.pythons import newest_core
from tests.tools.venv import ensure_venv

from .evidence import FACTS, JSON, JUNIT, LOG, MINIMAL, RETRY, STDERR, STDOUT, TREE
from .ground import HUNT, Ground, Json

VERBOSE = "-vvvvv"
WRITTEN = {LOG: "log", JUNIT: "junit", TREE: "tree", RETRY: "retry", FACTS: "facts"}
_NUMBERS = itertools.count(1)


def settings(ground: Ground) -> dict[str, str]:
    """The environment of ansible-playbook."""
    written = ground.folder / "written"
    for name in WRITTEN.values():
        (written / name).parent.mkdir(exist_ok=True)
    for place in (TREE, FACTS):  # later tasks and plays replace what is there
        (written / WRITTEN[place]).mkdir(exist_ok=True)
        ground.watch.add(place, written / WRITTEN[place], place)
    (written / "retry").mkdir(exist_ok=True)
    return {
        "ANSIBLE_COLLECTIONS_PATH": f"{COLLECTIONS}:{_peers()}",
        "ANSIBLE_ACTION_PLUGINS": str(HUNT / "plugins" / "action"),
        "ANSIBLE_HOME": str(ground.home / ".ansible"),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_VERBOSITY": "5",
        "ANSIBLE_CALLBACKS_ENABLED": "ansible.builtin.junit,ansible.builtin.tree,vaultfleet.aws.vault_aws_tokens",
        "ANSIBLE_LOG_PATH": str(written / "log"),
        "ANSIBLE_LOG_VERBOSITY": "5",
        "JUNIT_OUTPUT_DIR": str(written / "junit"),
        "ANSIBLE_CALLBACK_TREE_DIR": str(written / "tree"),
        "ANSIBLE_RETRY_FILES_ENABLED": "1",
        "ANSIBLE_RETRY_FILES_SAVE_PATH": str(written / "retry"),
        "ANSIBLE_CACHE_PLUGIN": "ansible.builtin.jsonfile",
        "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(written / "facts"),
        "ANSIBLE_SHOW_TASK_PATH_ON_FAILURE": "1",
        "ANSIBLE_DISPLAY_ARGS_TO_STDOUT": "1",
        "ANSIBLE_DIFF_ALWAYS": "1",
        "ANSIBLE_KEEP_REMOTE_FILES": "0",
    }


def play(
    ground: Ground,
    tasks: Sequence[Json],
    *,
    label: str,
    arguments: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    variables: Json | None = None,
    callback: str = "",
    keep: bool = True,
    codes: t.Container[int] | None = (0,),
    inventory: Path | None = None,
    **keywords: t.Any,
) -> tuple[subprocess.CompletedProcess[str], Json]:
    """Play tasks; what they registered comes back beside what was printed, which is evidence.

    variables: may be secrets; they come from a file. callback: for the screen. keywords: of the play.
    """
    number = next(_NUMBERS)
    names = [task["register"] for task in tasks if "register" in task]
    kept = ground.private / f"kept-{number}"
    every = list(tasks)
    if keep:
        values = "{{ {" + ", ".join(f"'{name}': {name} | default(none)" for name in names) + "} }}"
        every.append({"name": "Keep", "hunt_keep": {"path": str(kept), "values": values}, "no_log": True})
    book: Json = {"hosts": "all", "gather_facts": False, "tasks": every, **keywords}
    playbook = ground.given(f"play-{number}.json", [book])
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    given = ground.given(f"variables-{number}.json", {**({} if inventory else local), **(variables or {})})
    hosts = inventory or ground.given("hosts", "localhost\n")
    done = ansible(
        ground,
        ["-i", str(hosts), "-e", f"@{given}", str(playbook), *arguments],
        label=label,
        environment=environment,
        callback=callback,
        codes=codes,
    )
    found: Json = {}
    if kept.exists():
        found = json.loads(kept.read_text(encoding="utf-8"))
        kept.unlink()
    return done, found


def ansible(
    ground: Ground,
    arguments: Sequence[str],
    *,
    label: str,
    environment: Mapping[str, str] | None = None,
    callback: str = "",
    codes: t.Container[int] | None = (0,),
) -> subprocess.CompletedProcess[str]:
    """Run ansible-playbook at the highest verbosity."""
    screen = {"ansible.posix.json": JSON, "ansible.builtin.minimal": MINIMAL}.get(callback, STDOUT)
    chosen = {"ANSIBLE_STDOUT_CALLBACK": callback} if callback else {}
    return ground.run(
        [sys.executable, "-m", "ansible", "playbook", VERBOSE, *arguments],
        {**settings(ground), **chosen, **(environment or {})},
        label=label,
        places=(screen, STDERR),
        codes=codes,
    )


def collect(ground: Ground) -> None:
    """Take what Ansible wrote as evidence, and all else that was left."""
    for place, name in WRITTEN.items():
        ground.evidence.add_tree(place, ground.folder / "written" / name)
    ground.collect(skip=("written/",))


def _peers() -> Path:
    """Where ansible.posix is, whose callback writes JSON."""
    [packages] = ensure_venv("neighbours", newest_core()[1]).glob("lib/python*/site-packages")
    return packages
