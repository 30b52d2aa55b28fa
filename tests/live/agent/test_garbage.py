# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A server that answers anything but sense: the agent neither crashes nor hammers, and gets over it."""

from __future__ import annotations

import itertools
import threading
import time

from ansible_collections.vaultfleet.aws.tests.unit.support.vaults import AUTH, LOGIN
from ansible_collections.vaultfleet.aws.tests.unit.support.web import Reply, Seen, Web, drip, hang
from tests.live.agent.agents import Agents
from tests.live.agent.audit import hammers

GARBAGE = (
    Reply(200, b"<html><body>Welcome to the hotel's network</body></html>", {"Content-Type": "text/html"}),
    Reply(200, b'{"auth": {"client_token": "hvs.trunca', {"Content-Type": "application/json"}),
    Reply(200, {"auth": {**AUTH, "client_token": "hvs.two\nlines", "lease_duration": 1}}),
    Reply(200, {"auth": {**AUTH, "lease_duration": -5}}),
    Reply(204),
    Reply(302, b"", {"Location": "http://127.0.0.1:9/"}),
    Reply(400, b"[" * 100_000),
    Reply(429, {"errors": ["slow down"]}, {"Retry-After": "1"}),
    drip(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000000\r\n\r\n", b"x" * 65536, 0),
    hang(60),
)


def test_garbage(agents: Agents) -> None:
    """In answer to some logins, then to all that is asked for the token, then sense again."""
    count = 5
    times: dict[str, list[float]] = {"login": [], "lookup-self": [], "renew-self": []}
    rubbish = {purpose: itertools.cycle(GARBAGE) for purpose in times}
    rubbish["lookup-self"] = itertools.cycle(GARBAGE[count:])
    sane = threading.Event()

    def answer(seen: Seen) -> Reply:
        purpose = seen.path.rpartition("/")[2]
        times[purpose].append(time.monotonic())
        if purpose == "login" and len(times["login"]) > count:
            return Reply(
                200, {**LOGIN, "auth": {**AUTH, "client_token": f"hvs.good{len(times['login'])}", "lease_duration": 5}}
            )
        if sane.is_set() and purpose == "renew-self":
            return Reply(200, {**LOGIN, "auth": {**AUTH, "lease_duration": 3600}})
        return next(rubbish[purpose])

    with Web(answer) as web:
        agent = agents.iam(vault={"address": web.url}, method={"max_backoff": "1s"}, auto_auth={"lookup_interval": 1})
        agent.start(VAULT_CLIENT_TIMEOUT="1")
        begun = time.monotonic()
        agent.until(agent.token, "no token after the garbage")
        first = agent.token()
        agent.until(lambda: agent.token() != first, "not replaced, though renewals fail")
        assert agent.said("the renewal failed")
        sane.set()
        agent.until(lambda: (agent.status()["token"] or {}).get("ttl") == 3600)
        for purpose, at in times.items():
            assert not hammers(at), (purpose, at)
        assert not agent.said("bug of the agent"), agent.log()
        assert len(agent.log().splitlines()) < 3 * (time.monotonic() - begun) + 10
        agent.stop()
