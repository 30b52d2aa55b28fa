# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The gates of the ecosystem as sessions of antsibull-nox: those of antsibull-nox.toml, and ansible-test's per core.

"make" runs them, with every package held to a lock of tests/requirements: tests/tools/sessions.py says how.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import antsibull_nox
import nox

ROOT = Path(__file__).parent
sys.path.insert(0, str(ROOT))  # nox does not, and the project's own tools know which Python goes with which core

from tests.tools.checks import MYPY
from tests.tools.pythons import CORES, core_python

# ansible-test's own environments: neither results, nor worth to be copied.
SCRATCH = Path("tests", "output", ".tmp")
INTEGRATION_CONFIG = Path("tests", "integration", "integration_config.yml")

nox.options.default_venv_backend = "uv"
nox.options.reuse_venv = "yes"  # uv is quick enough to look at the environments at each run

antsibull_nox.load_antsibull_nox_toml()


@nox.session(python=False)
def types(session: nox.Session) -> None:
    """Check types strictly, the tests and tools among them; python3 -m tests.tools.venv makes the environment."""
    session.run(*MYPY, external=True)


@nox.session(python=False)
def changelog(session: nox.Session) -> None:
    """Check changelog fragments."""
    session.run("antsibull-changelog", "lint", external=True)


def _configure() -> None:
    """Give the integration tests the running stack's settings, which the suite wrote to a file."""
    settings = os.environ.get("VAULTFLEET_INTEGRATION_CONFIG")
    if settings:
        shutil.copy(settings, INTEGRATION_CONFIG)


def _clean() -> None:
    shutil.rmtree(SCRATCH, ignore_errors=True)


for core in CORES:
    python = core_python(core)
    version = python.version if python else CORES[core][0]
    for kind, parameters in {
        "sanity": ["sanity", "--venv", "--junit"],
        "units": ["units", "--venv", "--python", version],
        "integration": ["integration", "--venv", "--python", version],
        # Only what runs on managed hosts; those of the role's target have Pythons of their own.
        "integration-python3.9": ["integration", "--target", "controller:python=venv/3.9", "aws_vault_login"],
    }.items():
        antsibull_nox.add_ansible_test_session(
            name=f"ansible-test-{kind}-{core}",
            description=f"Run ansible-test {kind} of ansible-core {core}",
            ansible_test_params=parameters,
            default=False,
            ansible_core_version=core,
            ansible_core_source="pypi",
            callback_before=_configure,
            callback_after=_clean,
        )
