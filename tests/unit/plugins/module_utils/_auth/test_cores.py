# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A crash leaves no core dump, where the system would have written one."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.vaultfleet.aws.plugins.module_utils._auth import cores

CRASH = """
import importlib.util, os, resource, signal, sys
hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
spec = importlib.util.spec_from_file_location("cores", sys.argv[1])
cores = importlib.util.module_from_spec(spec)
spec.loader.exec_module(cores)
cores.forbid()
print(resource.getrlimit(resource.RLIMIT_CORE), flush=True)
os.kill(os.getpid(), signal.SIGSEGV)
"""


def test_a_crash_leaves_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CRASH, str(cores.__file__)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("(0, 0)\n", -signal.SIGSEGV), done.stderr
    assert list(tmp_path.glob("core*")) == []


def test_a_system_without_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "resource", None)
    cores.forbid()
