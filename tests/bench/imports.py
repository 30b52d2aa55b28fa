# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Import time and memory of the auth core, beside the bare imports of the libraries that a login needs."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.stack.handle import Stack
from tests.tools.private_stack import clean_environment
from tests.tools.project import COLLECTIONS

from .numbers import Bound, Comparison, Spread, ratio
from .tables import Table

IMPORT = 1.1  # the core's import over that of its libraries
RESIDENT = 45.0  # MiB, with the core and its libraries loaded
ROUNDS = 9
QUICK = 2

AUTH = "ansible_collections.vaultfleet.aws.plugins.module_utils._auth"
# What a login needs of them, the credential chain included.
LIBRARIES = "import botocore.auth, botocore.awsrequest, botocore.credentials, botocore.session, hvac, hvac.adapters"
# The core and then the same libraries, so that it gains nothing by loading one of them later.
CORE = f"import {AUTH}.login; {LIBRARIES}"

_TIMED = """
import time
start = time.perf_counter()
{statement}
print(time.perf_counter() - start)
"""
_RESIDENT = """
def resident():
    line = next(line for line in open("/proc/self/status") if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024
"""
_LOGIN = f"""
import os
{CORE}
from {AUTH}.config import LoginConfig, VaultConnection
from {AUTH}.login import log_in
from {AUTH}.vault import Vault
{_RESIDENT}
print(resident())
connection = VaultConnection.from_options({{"url": os.environ["BENCH_URL"], "ca_cert": os.environ["BENCH_CA"]}})
wish = {{"type": "iam", "role": "web", "header_value": os.environ["BENCH_SERVER_ID"]}}
assert log_in(LoginConfig.from_options(wish), Vault(connection, "bench")).login.token
print(resident())
"""


@dataclass(frozen=True)
class Imports:
    """One value for each round: seconds of both imports, MiB resident after the core's import and after a login."""

    core: list[float]
    libraries: list[float]
    resident: list[float]
    resident_after_login: list[float]


def measure(stack: Stack, folder: Path, quick: bool) -> Imports:
    """Measure, each time in a process of its own; the first round, which fills the bytecode cache, does not count."""
    environment = {
        **clean_environment(folder / "home"),
        "PYTHONPATH": str(COLLECTIONS),
        "PYTHONPYCACHEPREFIX": str(folder / "bytecode"),
        "AWS_SHARED_CREDENTIALS_FILE": stack.env["AWS_SHARED_CREDENTIALS_FILE"],
        "PYTHONDONTWRITEBYTECODE": "",
        "BENCH_URL": stack.env["VAULT_ADDR"],
        "BENCH_CA": stack.env["VAULT_CACERT"],
        "BENCH_SERVER_ID": stack.env["STACK_HEADER_VALUE"],
    }
    measured = Imports([], [], [], [])
    for number in range((QUICK if quick else ROUNDS) + 1):
        core = _numbers(_TIMED.format(statement=CORE), environment)
        libraries = _numbers(_TIMED.format(statement=LIBRARIES), environment)
        resident = _numbers(_LOGIN, environment)
        if number:
            measured.core.extend(core)
            measured.libraries.extend(libraries)
            measured.resident.append(resident[0])
            measured.resident_after_login.append(resident[1])
    return measured


def bounds(rows: Imports) -> list[Bound]:
    """What they have to keep."""
    return [
        Bound("import: core / its libraries", ratio(rows.core, rows.libraries), IMPORT),
        Bound("MiB resident after import", Spread.of(rows.resident), RESIDENT),
    ]


def comparisons(rows: Imports) -> list[Comparison]:
    """The core beside its libraries."""
    return [Comparison.of("import of the auth core, s", rows.core, "its libraries", rows.libraries)]


def tables(rows: Imports) -> list[Table]:
    """What was measured."""
    lines = [
        ("import of the core, ms", Spread.of([one * 1000 for one in rows.core]).text(0)),
        ("import of its libraries, ms", Spread.of([one * 1000 for one in rows.libraries]).text(0)),
        ("resident after import, MiB", Spread.of(rows.resident).text(1)),
        ("resident after a login, MiB", Spread.of(rows.resident_after_login).text(1)),
    ]
    return [Table("the auth core as a library", ("", "median (lowest .. highest; how many)"), lines)]


def _numbers(code: str, environment: dict[str, str]) -> list[float]:
    command = [sys.executable, "-c", code]
    output = subprocess.check_output(command, env=environment, cwd=os.sep, text=True)
    return [float(line) for line in output.splitlines()]
