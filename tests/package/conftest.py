# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tarball as a release builds it, and an environment into which only it and what it asks for were installed."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
from pathlib import Path

import ansible
import pytest
import yaml

from tests.stack.handle import Stack
from tests.tools.private_stack import clean_environment

PROJECT = Path(__file__).parents[2]
LOCK = PROJECT / "tests" / "requirements" / f"core-{ansible.__version__.rpartition('.')[0]}.txt"


@dataclasses.dataclass(frozen=True)
class Place:
    """Where the tarball was installed. ``folder`` is a test's own, ``environment`` what its commands see."""

    folder: Path
    environment: dict[str, str]

    @property
    def collection(self) -> Path:
        """The installed collection."""
        return self.folder / "collections" / "ansible_collections" / "vaultfleet" / "aws"

    def run(self, *command: str, good: bool = True) -> str:
        """Run a command, judge whether it succeeds, and return its standard output."""
        done = subprocess.run(
            command, env=self.environment, cwd=self.folder, capture_output=True, check=False, text=True, timeout=300
        )
        assert (done.returncode == 0) is good, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="session")
def version() -> str:
    """The version in galaxy.yml."""
    return str(yaml.safe_load((PROJECT / "galaxy.yml").read_text(encoding="utf-8"))["version"])


@pytest.fixture(scope="session")
def tarball(tmp_path_factory: pytest.TempPathFactory, version: str) -> Path:
    """Built in the work tree as it is, with all that runs leave in it."""
    folder = tmp_path_factory.mktemp("built")
    command = ["ansible-galaxy", "collection", "build", "--output-path", str(folder), str(PROJECT)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return folder / f"vaultfleet-aws-{version}.tar.gz"


@pytest.fixture(scope="session")
def place(tarball: Path, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A new virtual environment with ansible-core, the collection, and what its requirements.txt names."""
    folder = tmp_path_factory.mktemp("user")
    programs = folder / "venv" / "bin"
    environment = {
        **clean_environment(folder / "home"),
        "PATH": os.pathsep.join([str(programs), os.defpath]),
        "ANSIBLE_COLLECTIONS_PATH": str(folder / "collections"),
        "ANSIBLE_LOCALHOST_WARNING": "0",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "0",
    }
    for name in ("PYTHONPATH", "VIRTUAL_ENV"):
        environment.pop(name, None)
    made = Place(folder, environment)
    uv = shutil.which("uv")
    assert uv is not None
    pip = [uv, "pip", "install", "--quiet", "--python", str(programs / "python"), "--constraint", str(LOCK)]
    cache = (
        f"--cache-dir={subprocess.run([uv, 'cache', 'dir'], check=True, capture_output=True, text=True).stdout.strip()}"
    )
    made.run(uv, "venv", "--quiet", "--python", sys.executable, str(folder / "venv"))
    made.run(*pip, cache, "ansible-core")
    made.run("ansible-galaxy", "collection", "install", str(tarball), "--offline")
    assert made.collection.is_dir()
    made.run(*pip, cache, "--requirement", str(made.collection / "requirements.txt"))
    return made


@pytest.fixture
def stack() -> Stack:
    """The stack that runs."""
    return Stack.load(os.environ.get("VAULTFLEET_STACK_DIR", str(PROJECT / ".stack")))
