# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The core is a plain library: no ansible, small, and each module for itself."""

from __future__ import annotations

import pkgutil
import subprocess
import sys

import pytest

from ansible_collections.vaultfleet.aws.plugins.module_utils import _auth

MODULES = sorted(module.name for module in pkgutil.iter_modules(_auth.__path__))
SCRIPT = """
import importlib, importlib.abc, sys
class Refuse(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in sys.argv[1].split(","):
            raise ImportError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Refuse())
sys.path[:0] = [sys.argv[2]]
import core
for name in sys.argv[3:]:
    importlib.import_module(f"core.{name}")
print(*sorted(name for name in sys.modules if name.partition(".")[0] in ("ansible", "ansible_collections")))
"""


def run(tmp_path_name: str, blocked: str, *names: str) -> subprocess.CompletedProcess[str]:
    """Import modules of the core, under another name of the package, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", SCRIPT, blocked, tmp_path_name, *names],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.fixture
def package(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder in which the core is a package called ``core``."""
    folder = tmp_path_factory.mktemp("library")
    (folder / "core").symlink_to(next(iter(_auth.__path__)))
    return str(folder)


def test_no_ansible(package: str) -> None:
    """All of it imports where ansible cannot be imported, under any package name."""
    done = run(package, "ansible,ansible_collections", *MODULES)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr
    assert len(MODULES) > 15


def test_a_missing_library_is_told_by_the_front_end(package: str) -> None:
    """Without botocore or hvac the modules import all the same, so that the front end can say what is missing."""
    done = run(
        package, "botocore,boto3,hvac,requests,urllib3", "config", "login", "kept", "vault", "lib_botocore", "lib_hvac"
    )
    assert done.returncode == 0, done.stderr


def test_blocking_works(package: str) -> None:
    """This test's own tool: what is blocked cannot be imported."""
    done = run(package, "json", "config", "login", "kept")
    assert done.returncode != 0
    assert "No module named 'json'" in done.stderr
