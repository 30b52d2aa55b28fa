# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Servers that change their mind or go away: keys rotated, tokens revoked, Vault sealed, restarted, killed, hanging."""

from __future__ import annotations

import configparser
import contextlib
import functools
import json
import os
import resource
import secrets
import signal
import threading
import time
import typing as t
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
from botocore.config import Config

from tests.chaos.kills import SINK, task, tokens_in
from tests.chaos.trial import LOGIN_RATE, NO_WRONG_TOKEN, RECOVERY, Finding, Ground, Trial
from tests.chaos.victims import (
    LONG,
    Reader,
    accepted,
    agents,
    backoff,
    lookups,
    message,
    most_tries,
    next_task,
    rate,
    recovery,
    returns,
    settled,
    told,
    vault_comes_back,
)
from tests.live.agent.agents import imds
from tests.live.agent.process import Agent
from tests.live.lookup.runs import meet, play, see
from tests.stack.handle import Stack
from tests.stack.processes import Process, recorded

GROUP = "servers"
LIFE = {"token_ttl": "5s", "token_max_ttl": "10s"}  # renewed once or twice, then replaced
SHORTEST_LIFE = 5.0  # seconds before the end of which no login is due; what is left at the maximum TTL is spared
ROTATING = 13.0  # seconds
REVOKED = 4  # times


def trials() -> list[Trial]:
    """All of them."""
    return [
        Trial(GROUP, "keys in the shared file rotated every second", functools.partial(rotated_file, torn=False), 15),
        Trial(GROUP, "keys in the shared file rewritten in place", functools.partial(rotated_file, torn=True), 15),
        Trial(GROUP, "credentials of the instance rotated every second", rotated_role, 15),
        Trial(GROUP, "agent's token revoked behind its back, again and again", revoked_of_agent, 14),
        Trial(GROUP, "lookup's shared token revoked behind its back", revoked_of_lookup, 8),
        Trial(GROUP, "module's kept token revoked behind its back", revoked_of_module, 8),
        Trial(GROUP, "Vault stopped, and started", functools.partial(away, fault=_restarted), 18),
        Trial(GROUP, "Vault sealed, and unsealed", functools.partial(away, fault=_sealed), 18),
        Trial(GROUP, "Vault killed with SIGKILL, and started", functools.partial(away, fault=_killed), 18),
        Trial(GROUP, "Vault hangs, and goes on", functools.partial(away, fault=_hanging), 18),
        Trial(GROUP, "Vault's storage takes nothing, and is back", functools.partial(away, fault=_storeless), 18),
    ]


# --- keys


@contextlib.contextmanager
def _again_and_again(work: Callable[[], None], pause: float = 1.0) -> Iterator[list[BaseException]]:
    """Do ``work`` every second for as long as the block lasts; the list gets what it raised."""
    over = threading.Event()
    raised: list[BaseException] = []

    def loop() -> None:
        while not over.wait(pause):
            try:
                work()
            except Exception as e:  # noqa: BLE001 - the trial's own fault, which it tells
                raised.append(e)
                return

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield raised
    finally:
        over.set()
        thread.join()


class Keys:
    """A user of a trial's own, with access keys that are made and deleted as on AWS: two at most."""

    def __init__(self, stack: Stack) -> None:
        parser = configparser.ConfigParser(default_section="", interpolation=None)
        parser.read(stack.env["STACK_OPERATOR_CREDENTIALS_FILE"])
        operator = parser["default"]
        self._iam = boto3.client(
            "iam",
            aws_access_key_id=operator["aws_access_key_id"],
            aws_secret_access_key=operator["aws_secret_access_key"],
            region_name=stack.env["STACK_REGION"],
            endpoint_url=stack.env["STACK_AWS_ENDPOINT"],
            config=Config(retries={"max_attempts": 0}, proxies={}),
        )
        self._user = f"chaos-{secrets.token_hex(4)}"
        self.arn = self._iam.create_user(UserName=self._user)["User"]["Arn"]
        statement = {"Effect": "Allow", "Action": "sts:GetCallerIdentity", "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self._iam.put_user_policy(UserName=self._user, PolicyName="chaos", PolicyDocument=policy)
        self.made: list[str] = []

    def rotate(self, file: Path, *, torn: bool) -> None:
        """A new key into the file; then the one before is deleted. torn: the file is written in place, slowly."""
        key = self._iam.create_access_key(UserName=self._user)["AccessKey"]
        self.made.append(key["AccessKeyId"])
        lines = [
            "[default]\n",
            f"aws_access_key_id = {key['AccessKeyId']}\n",
            f"aws_secret_access_key = {key['SecretAccessKey']}\n",
        ]
        if torn:
            with file.open("w", encoding="ascii") as stream:
                for line in lines:
                    stream.flush()
                    time.sleep(0.1)
                    stream.write(line)
        else:
            new = file.with_suffix(".new")
            new.write_text("".join(lines), encoding="ascii")
            new.rename(file)
        for old in self.made[:-1]:
            self._delete(old)
        del self.made[:-1]

    def close(self) -> None:
        """Delete what was made."""
        for key in self.made:
            self._delete(key)
        self._iam.delete_user_policy(UserName=self._user, PolicyName="chaos")
        self._iam.delete_user(UserName=self._user)

    def _delete(self, key: str) -> None:
        self._iam.delete_access_key(UserName=self._user, AccessKeyId=key)


def rotated_file(ground: Ground, torn: bool) -> list[Finding]:
    """New keys force no login; each login has those of now; a login between two keys is tried again."""
    file = ground.folder / "credentials"
    keys = Keys(ground.stack)
    try:
        keys.rotate(file, torn=False)
        with agents(ground) as made:
            environ = {"AWS_SHARED_CREDENTIALS_FILE": str(file)}
            role = {**LIFE, "bound_iam_principal_arn": keys.arn}
            agent = made.iam("rotated", environ, role=role, login_options={"credential_poll_interval": 1})
            return _rotated(ground, agent, lambda: keys.rotate(file, torn=torn))
    finally:
        keys.close()


def rotated_role(ground: Ground) -> list[Finding]:
    """The same with the role of an instance; what was handed out before stays valid, as on AWS."""
    stack, instance = ground.stack, ground.stack.instances[1]
    stack.imds_reset(instance)
    with agents(ground) as made:
        role = {**LIFE, "bound_iam_principal_arn": stack.env["STACK_APP_ROLE_ARN"]}
        options = {"credential_poll_interval": 1}
        agent = made.iam("rotated", imds(stack, instance), role=role, login_options=options)
        return _rotated(ground, agent, lambda: stack.imds_rotate(instance))


def _rotated(ground: Ground, agent: Agent, rotate: Callable[[], None]) -> list[Finding]:
    agent.start()
    settled(agent)
    begun = time.monotonic()
    gaps: list[float] = []
    with Reader.of(agent) as reader, _again_and_again(rotate) as raised:
        while time.monotonic() < begun + ROTATING:
            at = time.monotonic()
            if not agent.works():
                gaps.append(returns(agent, at))
            time.sleep(0.1)
    lasted = time.monotonic() - begun
    if raised:
        raise raised[0]
    failed = sum(agent.status()["counters"]["failures"]["logins"].values())
    logins = agent.logins()
    return [
        *reader.findings(),
        # One for each life, and each that met a key of a moment ago once more.
        rate(logins - failed, 1 + int(lasted / SHORTEST_LIFE), lasted),
        Finding(
            LOGIN_RATE, failed <= logins / 2, f"{failed} of {logins} logins refused, {int(lasted)} rotations", failed
        ),
        recovery(max(gaps, default=0.0), backoff(agent)[1]),
        message(agent, "logged in"),
    ]


# --- tokens


def revoked_of_agent(ground: Ground) -> list[Finding]:
    """Noticed within lookup_interval, replaced at once, and with a pause if it goes on."""
    with agents(ground) as made:
        agent = made.iam("revoked", role=LONG, auto_auth={"lookup_interval": 1})
        agent.start()
        settled(agent)
        begun = time.monotonic()
        slowest = 0.0
        with Reader.of(agent) as reader:
            for _time in range(REVOKED):
                time.sleep(ground.random.uniform(0, 2))
                old = accepted(agent, reader)
                ground.stack.root("POST", "auth/token/revoke", {"token": old})
                slowest = max(slowest, returns(agent, time.monotonic(), old))
            time.sleep(0.3)
        lasted = time.monotonic() - begun
        return [
            *reader.findings(),
            rate(agent.logins(), 1 + REVOKED, lasted),
            recovery(slowest, 1.1 + backoff(agent)[1]),
            message(agent, "the token is gone"),
        ]


def revoked_of_lookup(ground: Ground) -> list[Finding]:
    """A look each check_interval finds it gone; one login brings the next one for all hosts."""
    with lookups(ground) as runs:
        names = [f"at{number}" for number in range(3)]
        # While one of them looks, the others take the token as it is; from the next task on nobody does.
        tasks = [one for name in names for one in (see(f"{name}look"), see(name), meet(runs.folder, name))]
        before = ground.stack.logins("aws")
        run = runs.start(play(*tasks), hosts=4, variables={"VAULTFLEET_AWS_CHECK_INTERVAL": "1"})
        for name in names:
            run.reached(name)
            for token in set(tokens_in(runs.memory)):
                ground.stack.root("POST", "auth/token/revoke", {"token": token})
            time.sleep(1.1)
            run.go(name)
        ended = run.end()
        tokens = [set(ended.tokens(name)) for name in names]
        logins = ground.stack.logins("aws") - before
        new = len(set().union(*tokens))
        saw = f"3 times 4 hosts: {[len(one) for one in tokens]} token each after one look, {new} in all"
        return [
            Finding(NO_WRONG_TOKEN, [len(one) for one in tokens] == [1, 1, 1] and new == 3, saw),
            rate(logins, 3, ended.seconds),
            Finding(RECOVERY, ended.rc == 0, f"the play ended with {ended.rc}"),
        ]


def revoked_of_module(ground: Ground) -> list[Finding]:
    """The next task finds it gone, and logs in."""
    with lookups(ground) as runs:
        place = ground.folder / SINK
        book = play(task(ground.stack, place))
        before, begun = ground.stack.logins("aws"), time.monotonic()
        seen = []
        for _time in range(3):
            runs.run(book)
            seen.append(place.read_text(encoding="ascii"))
            ground.stack.root("POST", "auth/token/revoke", {"token": seen[-1]})
        ended = runs.run(book)
        new = place.read_text(encoding="ascii")
        works = ground.stack.vault.call("GET", "secret/data/demo", token=new).status == 200
        logins = ground.stack.logins("aws") - before
        return [
            Finding(
                NO_WRONG_TOKEN, works and new not in seen, "each task after a revocation left a new token that works"
            ),
            rate(logins, 4, time.monotonic() - begun),
            next_task(True, ended.seconds),
        ]


# --- Vault


@contextlib.contextmanager
def _restarted(ground: Ground) -> Iterator[None]:
    ground.stack.stop_vault()
    yield
    _start(ground.stack)


def _start(stack: Stack) -> None:
    """It is back when its AWS method is, which is a process of its own."""
    stack.start_vault()
    stack.root("GET", "auth/aws/config/client")


@contextlib.contextmanager
def _sealed(ground: Ground) -> Iterator[None]:
    ground.stack.seal()
    yield
    ground.stack.unseal()
    ground.stack.root("GET", "auth/aws/config/client")


@contextlib.contextmanager
def _killed(ground: Ground) -> Iterator[None]:
    os.kill(_vault(ground.stack).pid, signal.SIGKILL)
    ground.stack.stop_vault()
    yield
    _start(ground.stack)


@contextlib.contextmanager
def _hanging(ground: Ground) -> Iterator[None]:
    pid = _vault(ground.stack).pid
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@contextlib.contextmanager
def _storeless(ground: Ground) -> Iterator[None]:
    """No file of Vault can be written any more, as with a disk that is full; it may die of that."""
    pid = _vault(ground.stack).pid
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    yield
    with contextlib.suppress(ProcessLookupError):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    ground.stack.stop_vault()
    _start(ground.stack)


def _vault(stack: Stack) -> Process:
    [found] = [one for one in recorded(stack.lay.run) if one.name == "vault"]
    return found


Fault = Callable[[Ground], t.ContextManager[None]]


def away(ground: Ground, fault: Fault) -> list[Finding]:
    """One agent whose token outlives it, one whose token ends meanwhile, and one that has none yet."""
    with agents(ground) as made, vault_comes_back(ground.stack):
        long = made.iam("long", role=LONG, auto_auth={"lookup_interval": 1})
        short, fresh = made.iam("short"), made.iam("fresh")
        # A request that hangs is given up after so long; only then the next one is tried.
        environ = {"VAULT_CLIENT_TIMEOUT": "4"}
        for agent in (long, short):
            agent.start(**environ)
        kept, _lost = settled(long), settled(short)
        with Reader.of(long) as one, Reader.of(short) as two:
            time.sleep(ground.random.uniform(0.2, 1))
            begun = time.monotonic()
            with fault(ground):
                fresh.start(**environ)
                time.sleep(ground.random.uniform(7, 10))
                lasted = time.monotonic() - begun
                failures = {agent: _failed_logins(agent) for agent in (short, fresh)}
                words = fresh.log()
            again = time.monotonic()
            slowest = max(returns(agent, again) for agent in (short, fresh))
            time.sleep(0.5)
        same = long.token() == kept and long.works() and long.logins() <= 1
        worst = max(failures.values())
        return [
            *one.findings(),
            *two.findings(),
            Finding(NO_WRONG_TOKEN, same, "a token that outlived the fault was kept, and works"),
            rate(worst, most_tries(fresh, lasted), lasted),
            recovery(slowest, backoff(fresh)[1] + (4 if fault is _hanging else 0)),
            told(words, r"\[(ERROR|WARN)\].*login"),
        ]


def _failed_logins(agent: Agent) -> int:
    return sum(agent.status().get("counters", {}).get("failures", {}).get("logins", {"none": 0}).values())
