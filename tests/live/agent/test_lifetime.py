# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tokens of every kind, through several of their lives: renewed, replaced, never missing, with no login too many."""

from __future__ import annotations

import functools
import itertools
import json
import signal
import time
import urllib.request

from tests.live.agent.agents import Agents, imds, side_by_side
from tests.live.agent.audit import hammers
from tests.live.agent.process import Agent, watched
from tests.stack.handle import Stack

LONG = {"token_ttl": "1h", "token_max_ttl": "2h"}
RENEW, LOOKUP = "auth/token/renew-self", "auth/token/lookup-self"


def test_lives(agents: Agents, stack: Stack) -> None:
    """Tokens that the server renews, all others, and those whose end is no matter of time."""
    side_by_side(
        lambda: renewable(agents, stack),
        lambda: not_renewable(agents),
        lambda: revoked(agents, stack),
        lambda: asked_to_look_now(agents, stack),
        lambda: wrapped(agents, stack),
    )


def role_key(stack: Stack, instance: str) -> str:
    """The id of the access key that an instance's role has now."""
    place = stack.imds_endpoint(instance) + "/latest"
    head = {"X-aws-ec2-metadata-token-ttl-seconds": "60"}
    with urllib.request.urlopen(urllib.request.Request(f"{place}/api/token", headers=head, method="PUT")) as answer:  # noqa: S310
        head = {"X-aws-ec2-metadata-token": answer.read().decode()}
    asked = urllib.request.Request(f"{place}/meta-data/iam/security-credentials/app", headers=head)  # noqa: S310
    with urllib.request.urlopen(asked) as answer:  # noqa: S310
        return str(json.load(answer)["AccessKeyId"])


def replaced_and_renewed(agent: Agent) -> bool:
    """Whether there was a second login, and a renewal of its token."""
    logins = agent.login_times()
    return len(logins) > 1 and agent.uses(RENEW)[-1] > logins[1]


def renewable(agents: Agents, stack: Stack) -> None:
    """Renewed until the maximum TTL, then replaced; whoever uses the sink's token never meets one that does not work.

    Meanwhile the credentials of the instance's role are rotated: that forces no login, and the next one uses them.
    """
    # Renewed twice, the second time for less than 5 s, and replaced: room for a machine that is busy with other things.
    lease = {"token_ttl": "6s", "token_max_ttl": "13s"}
    user, node = agents.iam(role=lease), agents.ec2(stack.instances[0], role=lease)
    app = {**lease, "bound_iam_principal_arn": stack.env["STACK_APP_ROLE_ARN"]}
    other = agents.iam("role", imds(stack, stack.instances[1]), role=app)
    everybody = (user, node, other)
    for agent in everybody:
        agent.start()
    first = {agent.name: agent.serves() for agent in everybody}
    before = role_key(stack, stack.instances[1])
    stack.imds_rotate(stack.instances[1])
    stack.aws_expire(before)  # so that only the new keys can log in
    with watched(user) as users_gaps, watched(node) as nodes_gaps, watched(other) as others_gaps:
        for agent in everybody:
            agent.until(functools.partial(replaced_and_renewed, agent), "no second login with a renewal")
    assert (users_gaps, nodes_gaps, others_gaps) == ([], [], [])
    for agent in everybody:
        logins = agent.login_times()
        assert all(after - before > 7 for before, after in itertools.pairwise(logins)), agent.log()
        assert len(agent.uses(RENEW)) >= 3, agent.log()
        assert not hammers(agent.uses(RENEW))
        assert agent.token() != first[agent.name]
        assert agent.state() == "serving"
        # With a TTL of seconds the server's own rounding may refuse the last renewal.
        assert not agent.said(r"WARN(?!.*(service manager|past the max TTL))|ERROR"), agent.log()
        agent.stop()
        assert agent.works(), "the token was revoked, or the sink removed, at the end"


def not_renewable(agents: Agents) -> None:
    """Batch tokens, tokens at their end, of limited use, or that may not look themselves up: replaced in time."""
    batch = agents.iam("batch", role={"token_type": "batch"})
    short = agents.iam("short", role={"token_ttl": "10s", "token_max_ttl": "10s"})
    blind = agents.iam("blind", role={"token_no_default_policy": True}, auto_auth={"lookup_interval": 2})
    limited = agents.iam("limited", role={"token_num_uses": 2})
    endless = agents.iam("periodic", role={"token_period": "4s", "token_max_ttl": 0})
    everybody = (batch, short, blind, limited, endless)
    begun = time.monotonic()
    for agent in everybody:
        agent.start()
    first = {agent.name: "" for agent in everybody}
    for agent in everybody:
        agent.until(agent.token)
        first[agent.name] = agent.token()
    with watched(short) as gaps, watched(endless) as endless_gaps:
        second = {agent.name: agent.replaced(first[agent.name]) for agent in (batch, blind, limited)}
        for agent in (batch, blind, limited):
            agent.replaced(second[agent.name])
        short.replaced(first[short.name])
    assert (gaps, endless_gaps) == ([], [])
    most = 1 + (time.monotonic() - begun) / (4 * 0.65)
    for agent in (batch, blind, limited):
        assert 3 <= agent.logins() <= most, agent.log()
        assert not hammers(agent.login_times()), agent.log()
    assert short.logins() == 2, short.log()
    assert batch.uses(RENEW) == []
    assert limited.uses(RENEW) == limited.uses(LOOKUP) == [], "a use of the token was spent"
    assert limited.works()
    assert blind.said("may not look itself up")
    assert len(blind.uses(LOOKUP)) <= 2 * blind.logins(), "it goes on asking what it may not know"
    assert endless.token() == first[endless.name]
    assert endless.logins() == 1
    assert len(endless.uses(RENEW)) >= 2


def revoked(agents: Agents, stack: Stack) -> None:
    """A revoked token is noticed within lookup_interval, long before its renewal."""
    agent = agents.iam(role=LONG, auto_auth={"lookup_interval": 1})
    agent.start()
    token = agent.serves()
    agent.until(lambda: len(agent.uses(LOOKUP)) >= 3)
    assert not hammers(agent.uses(LOOKUP))
    stack.root("POST", "auth/token/revoke", {"token": token})
    new = agent.replaced(token)
    assert agent.works()
    assert agent.said("the token is gone")
    agent.until(agent.looked_up)
    assert agent.status()["next"]["action"] == "look the token up"
    assert agent.logins() == 2
    assert new == agent.token()


def asked_to_look_now(agents: Agents, stack: Stack) -> None:
    """SIGUSR1 has a revoked token noticed at once, though nobody would have looked for minutes."""
    agent = agents.iam(role=LONG).start()
    token = agent.serves()
    agent.until(agent.looked_up)
    time.sleep(1)  # no two requests of a kind within a second
    stack.root("POST", "auth/token/revoke", {"token": token})
    agent.send(signal.SIGUSR1)
    agent.replaced(token)
    assert agent.works()


def wrapped(agents: Agents, stack: Stack) -> None:
    """The sink gets what Vault Agent writes: the wrapping token and what belongs to it; inside is a token that works.

    While nobody takes it, it is replaced before it ends; once it was taken, nothing more is done.
    """
    agent = agents.iam(method={"wrap_ttl": "8s"}, role=LONG).start()
    agent.until(agent.sink.exists)
    text = agent.sink.read_text(encoding="ascii")
    assert text.endswith("}\n")
    first = json.loads(text)
    agent.secrets.add(first["token"])
    names = ["token", "accessor", "ttl", "creation_time", "creation_path", "wrapped_accessor"]
    assert list(first) == names
    assert (first["ttl"], first["creation_path"]) == (8, "auth/aws/login")
    agent.until(lambda: agent.sink.read_text(encoding="ascii") != text, "the wrapped token was not replaced")
    second = json.loads(agent.sink.read_text(encoding="ascii"))
    inside = stack.vault.must("POST", "sys/wrapping/unwrap", token=second["token"])["auth"]
    agent.secrets.update([second["token"], inside["client_token"]])
    assert inside["accessor"] == second["wrapped_accessor"]
    assert stack.vault.call("GET", "secret/data/demo", token=inside["client_token"]).status == 200
    agent.until(lambda: agent.said("the wrapped token was used"))
    time.sleep(2)
    assert agent.logins() == 2
    assert json.loads(agent.sink.read_text(encoding="ascii")) == second
    assert "used up" in agent.command("status", "--name", agent.name).stdout
    agent.stop()
