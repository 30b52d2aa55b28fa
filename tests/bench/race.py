# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many processes of one run that want the first token at the same moment."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass

from tests.tools.project import COLLECTIONS

from .lookups import Fleet

PROCESSES = 50
_UTILS = "ansible_collections.vaultfleet.aws.plugins.plugin_utils"
_AUTH = "ansible_collections.vaultfleet.aws.plugins.module_utils._auth"
_RACE = f"""
import multiprocessing, os, sys, time
from {_AUTH}.config import LoginConfig, VaultConnection
from {_UTILS}._shared import Wish, shared_login
from {_UTILS}._store import destroy, open_store

header = os.environ["VAULTFLEET_AWS_HEADER_VALUE"]
wish = Wish(
    LoginConfig.from_options({{"type": "iam", "role": "web", "header_value": header}}),
    VaultConnection.from_options({{"url": os.environ["VAULT_ADDR"], "ca_cert": os.environ["VAULT_CACERT"]}}),
)

def want(barrier, tokens):
    barrier.wait()
    tokens.put(shared_login(wish, open_store())["auth"]["client_token"])

context = multiprocessing.get_context("fork")
count = int(sys.argv[1])
barrier, tokens = context.Barrier(count + 1), context.Queue()
workers = [context.Process(target=want, args=(barrier, tokens)) for _number in range(count)]
for worker in workers:
    worker.start()
barrier.wait()
start = time.monotonic()
found = {{tokens.get(timeout=120) for _worker in workers}}
print(len(found), time.monotonic() - start)
for worker in workers:
    worker.join()
destroy(open_store())
"""


@dataclass(frozen=True)
class Race:
    """Logins that Vault saw, different tokens that the processes got, seconds until the last one had its token."""

    logins: int
    tokens: int
    seconds: float


def measure(fleet: Fleet) -> Race:
    """Let them race once."""
    before = fleet.stack.logins()
    output = subprocess.check_output(
        [sys.executable, "-c", _RACE, str(PROCESSES)],
        env={**fleet.environment(), "PYTHONPATH": str(COLLECTIONS)},
        cwd=fleet.folder,
        text=True,
    )
    tokens, seconds = output.split()
    return Race(fleet.stack.logins() - before, int(tokens), float(seconds))
