# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All that is fuzzed, and the world in which it is."""

from __future__ import annotations

import contextlib
import os
import tempfile
import typing as t
from unittest import mock

from ansible_collections.vaultfleet.aws.plugins.module_utils._auth import retry
from ansible_collections.vaultfleet.aws.tests.unit.support.fuzz import (
    agent_config,
    answers,
    command_line,
    fd_store,
    metadata,
    options,
    redirects,
    sink_records,
    template_plan,
)
from ansible_collections.vaultfleet.aws.tests.unit.support.fuzz.target import Target
from tests.fuzz import cache_records, lookup_options, module_options, role_variables

_ALL = (
    options,
    agent_config,
    role_variables,
    module_options,
    lookup_options,
    command_line,
    answers,
    redirects,
    metadata,
    cache_records,
    sink_records,
    fd_store,
    template_plan,
)
TARGETS: dict[str, Target] = {target.name: target for module in _ALL for target in module.TARGETS}
_FOREIGN = ("AWS_", "VAULT_", "BAO_", "VAULTFLEET_AWS_", "ANSIBLE_", "SSL_CERT_", "XDG_")


def shares(names: t.Sequence[str], examples: int) -> dict[str, int]:
    """How many of ``examples`` each target gets; together they are no fewer."""
    whole = sum(TARGETS[name].share for name in names)
    return {name: -(-examples * TARGETS[name].share // whole) for name in names}


@contextlib.contextmanager
def empty_world() -> t.Iterator[None]:
    """Nothing of the machine reaches what is tried: no variables, no home, no metadata service; no pauses either."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_FOREIGN) and not name.lower().endswith("_proxy")
    }
    with tempfile.TemporaryDirectory(prefix="vaultfleet-fuzz-") as home:
        given = {
            **kept,
            "HOME": home,
            "SSL_CERT_FILE": f"{home}/none.pem",
            "SSL_CERT_DIR": f"{home}/none",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        with (
            mock.patch.dict(os.environ, given, clear=True),
            mock.patch.object(retry, "_FIRST_PAUSE", 0.0),
            mock.patch.object(retry, "_LEAST_PAUSE", 0.0),
        ):
            yield
