# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Logins that fail: what a person is told, how slowly they are tried again, and what ends the wait."""

from __future__ import annotations

import os
import shutil
import time
import uuid
from pathlib import Path
from unittest import mock

from tests.live.agent.agents import Agents, imds, side_by_side
from tests.live.agent.audit import hammers
from tests.live.agent.process import COLLECTIONS
from tests.live.core import ec2, log
from tests.stack.handle import Stack

SLOW = {"max_backoff": 300}
# Stands in the way of Python's start: the agent signs with a clock that is wrong.
_WRONG_CLOCK = """
import datetime
import botocore.auth
now = datetime.datetime.now
botocore.auth.get_current_datetime = lambda **_: now(datetime.timezone.utc) - datetime.timedelta(hours=2)
"""


def test_failures(agents: Agents, stack: Stack, tmp_path: Path) -> None:
    """Each with agents of its own."""
    side_by_side(lambda: refused(agents, stack, tmp_path), lambda: credentials_that_come_late(agents, stack, tmp_path))


def refused(agents: Agents, stack: Stack, tmp_path: Path) -> None:
    """What only a person can mend is explained, and asked again after minutes."""
    late = tmp_path / "late"
    late.mkdir()
    (late / "sitecustomize.py").write_text(_WRONG_CLOCK, encoding="utf-8")
    clock = agents.iam("clock", method=SLOW)
    header = agents.iam("header", method=SLOW, login_options={"header_value": "another.example.test"})
    role = agents.iam("role", method=SLOW)
    region = agents.iam("region", method=SLOW, login_options={"region": "cn-north-1"})
    nonce = agents.ec2(stack.instances[0], "nonce", method=SLOW)
    theirs = {
        clock: "set this host's clock",
        header: "header_value differs from iam_server_id_header_value",
        role: f"there is no role {role.name} at auth/aws",
        region: "are of the same AWS partition",
        nonce: f"auth/aws/identity-accesslist/{stack.instances[0]}",
    }
    stack.root("DELETE", f"auth/aws/role/{role.name}")
    somebody(stack, stack.instances[0], nonce.name)
    for agent in theirs:
        agent.start(**({"PYTHONPATH": f"{late}:{COLLECTIONS}"} if agent is clock else {}))
    for agent, text in theirs.items():
        agent.tells("blocked")
        assert agent.said(text), agent.log()
        status = agent.status()
        assert status["token"] is None
        assert text in status["errors"]["login"]
        assert status["next"]["action"] == "log in"
        # Half of max_backoff at least.
        assert status["next"]["at"] - time.time() > 130, agent.log()
        # The first refused signature is made anew; and somebody else has used the role of ``nonce``.
        assert agent.logins() == (2 if agent in (clock, nonce) else 1), agent.log()
    told = nonce.command("status", "--name", nonce.name)
    assert told.returncode == 2
    assert theirs[nonce] in told.stdout


def somebody(stack: Stack, instance: str, role: str) -> None:
    """Somebody else logs in on the instance, with a nonce that nobody knows."""
    with mock.patch.dict(os.environ, imds(stack, instance)):
        log(stack, ec2(role=role, nonce=str(uuid.uuid4())))


def credentials_that_come_late(agents: Agents, stack: Stack, tmp_path: Path) -> None:
    """AWS keys that are not there yet at boot are looked for, and end the wait; wrong ones that are mended, too."""
    patient = {"min_backoff": "60s", "max_backoff": "300s"}
    poll = {"credential_poll_interval": 1}
    missing, wrong = tmp_path / "missing", tmp_path / "wrong"
    good = Path(stack.env["AWS_SHARED_CREDENTIALS_FILE"])
    wrong.write_text("[default]\naws_access_key_id = AKIAWRONGWRONGWRONG1\naws_secret_access_key = x\n")
    absent = agents.iam("absent", {"AWS_SHARED_CREDENTIALS_FILE": str(missing)}, method=patient, login_options=poll)
    unknown = agents.iam("unknown", {"AWS_SHARED_CREDENTIALS_FILE": str(wrong)}, method=patient, login_options=poll)
    for agent in (absent, unknown):
        agent.start()
    absent.tells("waiting")
    unknown.tells("blocked")
    assert absent.said("credentials"), absent.log()
    assert absent.logins() == 0
    time.sleep(2.5)  # nothing is new, so nothing is tried
    assert absent.status()["counters"]["failures"]["logins"]["transient"] == 1
    assert unknown.logins() == 1
    for place in (missing, wrong):
        shutil.copy(good, place)
    for agent in (absent, unknown):
        agent.serves()
        assert agent.said("there are new AWS credentials")
    assert (absent.logins(), unknown.logins()) == (1, 2)


def test_sealed_and_restarted(agents: Agents, breakable: Stack) -> None:
    """A token outlives its server's sleep if it can; who lost it is back soon after; nobody hammers."""
    long = agents.iam("long", role={"token_ttl": "1h", "token_max_ttl": "2h"}, auto_auth={"lookup_interval": 1})
    short = agents.iam("short")
    fresh = agents.iam("fresh")
    long.start()
    short.start()
    kept, lost = long.serves(), short.serves()
    breakable.seal()
    sealed = time.monotonic()
    fresh.start()
    short.tells("waiting")
    fresh.tells("waiting")
    assert "sealed" in fresh.status()["errors"]["login"]
    for agent in (long, short, fresh):
        for purpose, kinds in agent.status()["counters"]["failures"].items():
            assert sum(kinds.values()) <= time.monotonic() - sealed + 2, (purpose, agent.log())
    assert not long.said("logged in.*logged in")
    breakable.unseal()
    for agent in (short, fresh):
        agent.serves()  # max_backoff is 4 s
    assert short.token() != lost
    failed = fresh.failed()
    breakable.stop_vault()
    fresh.until(lambda: fresh.failed() > failed, "it has not noticed")
    breakable.start_vault()
    for agent in (short, fresh):
        agent.serves()
    for agent in (short, fresh):
        assert not hammers(agent.login_times()), agent.log()
    long.tells("serving")
    assert long.token() == kept
    assert long.logins() == 1
    assert long.works()


def test_another_kind_of_proof(agents: Agents, stack: Stack) -> None:
    """Where the server has no certificate for one kind of proof, the next login brings another kind."""
    place = "auth/aws/config/certificate/stack-identity"
    certificate = stack.root("GET", place)["data"]
    agent = agents.ec2(stack.instances[0], "proof")
    stack.root("DELETE", place)
    try:
        agent.start()
        agent.serves()
    finally:
        stack.root("POST", place, {name: certificate[name] for name in ("aws_public_cert", "type")})
    assert agent.said("the next login brings rsa2048 instead of identity")
    assert agent.logins() == 2
