# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The same unit on each release: older systemd passes over what it does not know of it, and still keeps the store."""

from __future__ import annotations

import signal

import pytest

from tests.fleet import library
from tests.fleet.host import booted
from tests.fleet.releases import RELEASES
from tests.stack.handle import Stack

from .service import Service


@pytest.mark.parametrize("release", RELEASES)
def test_nonce_and_token_outlive_a_crash_and_a_restart(release: str, stack: Stack) -> None:
    with booted(release, binds=library.binds(release)) as host:
        library.install(host)
        agent = Service(host, stack, "ec2", stack.instances[4])
        try:
            token = agent.start()
            agent.revive()
            agent.systemctl("restart")
            assert (agent.token(), len(agent.logins())) == (token, 1)
            stack.root("POST", "auth/token/revoke", {"token": token})
            agent.until(lambda: "lookup_allowed" in (agent.status()["token"] or {}), "it has no token")
            agent.send(signal.SIGUSR1)
            agent.until(lambda: agent.token() != token, "the revoked token was not replaced")
            assert agent.works()
            assert (len(agent.logins()), agent.refusals()) == (2, [])
            agent.judge_secrecy()
        finally:
            agent.remove()
