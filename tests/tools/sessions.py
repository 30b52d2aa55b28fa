# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs sessions of noxfile.py, with every package that they install held to a lock."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from . import commands
from .counts import Counts
from .project import REQUIREMENTS, ROOT


def run_sessions(sessions: Sequence[str], lock: str, environment: Mapping[str, str]) -> tuple[bool, Counts]:
    """Run sessions by name, each whatever became of the others; a session counts as one test.

    lock: of tests/requirements, without .txt. environment: of a virtual environment that has antsibull-nox and uv.
    """
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = ["python", "-m", "nox", "--noxfile", "noxfile.py", "--report", str(report)]
        variables = {
            "UV_CONSTRAINT": str(REQUIREMENTS / f"{lock}.txt"),
            "UV_PYTHON_DOWNLOADS": "never",
            "UV_QUIET": "1",
        }
        # What the user's own environment says about packages has no place here.
        kept = {name: value for name, value in environment.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
        code = commands.run([*command, "--sessions", *sessions], ROOT, {**kept, **variables})
        results = json.loads(report.read_text(encoding="utf-8"))["sessions"] if report.exists() else []
    failed = sum(one["result"] != "success" for one in results)
    return code == 0 and len(results) >= len(sessions), Counts(passed=len(results) - failed, failed=failed)
