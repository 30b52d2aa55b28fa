# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A server that answers logins, STS and the metadata service, for front ends whose options are fuzzed."""

from __future__ import annotations

import functools

from ansible_collections.vaultfleet.aws.tests.unit.support.sts import sts
from ansible_collections.vaultfleet.aws.tests.unit.support.vaults import LOGIN, LOOKUP
from ansible_collections.vaultfleet.aws.tests.unit.support.web import Reply, Seen, Web

_DOCUMENT = {"instanceId": "i-0123456789abcdef0", "accountId": "123456789012", "region": "us-east-1"}


def _answer(seen: Seen) -> Reply:
    call = seen.path.partition("?")[0].rpartition("/")[2]
    if seen.path.startswith("/latest/"):
        if call == "token":
            return Reply(body=b"session-token")
        return Reply(body=_DOCUMENT if call == "document" else b"us-east-1" if call == "region" else b"MIIB")
    if seen.path == "/":
        return sts(seen)
    if call == "login":
        return Reply(200, LOGIN)
    if call == "lookup-self":
        return Reply(200, LOOKUP)
    return Reply(204) if call == "revoke-self" else Reply(404, {"errors": []})


@functools.cache
def everything() -> str:
    """Where it is; there is one in a process, and it ends with that."""
    return Web(_answer).__enter__().url
