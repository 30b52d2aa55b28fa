# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A hostile instance metadata service, or something in its place: for logins of both types."""

from __future__ import annotations

import concurrent.futures
import contextlib
import functools
import http.client
import json
import tempfile
import typing as t
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from ansible_collections.vaultfleet.aws.tests.unit.support.sts import role_keys
from ansible_collections.vaultfleet.aws.tests.unit.support.vaults import LOGIN, LOOKUP
from ansible_collections.vaultfleet.aws.tests.unit.support.web import Reply, Seen, Web, drip
from tests.chaos import front_ends as victims
from tests.chaos.trial import NO_SECRET, NO_WRONG_TOKEN, Finding, Ground, Trial

GROUP = "hostile metadata"
SESSION = "canary0Session0Token0Of0The0Metadata0Service"
NONCE = "0b5a1a63-6b6c-4f3c-9d0a-canary0nonce0"
_OK = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
_DOCUMENT = {"instanceId": "i-0123456789abcdef0", "accountId": "123456789012", "region": "us-east-1"}
# What is asked for, by the end of its path: the session token, then those of an ec2 login and of an iam one.
_TOKEN, _FACTS, _PROOF = "api/token", "instance-identity/document", "instance-identity/signature"
_ROLES, _KEYS = "security-credentials/", "security-credentials/node"
_EC2, _IAM = (_TOKEN, _FACTS, _PROOF), (_TOKEN, _ROLES, _KEYS)
LONGEST = 40.0  # seconds: up to four requests of 4 s, tried twice each, and a busy machine
Answer = Reply | Callable[[Seen], Reply]


def trials() -> list[Trial]:
    """For each lie one trial, told at every place where it can be told; then lies of the right form."""
    everywhere = [
        Trial(GROUP, f"{GROUP}: {name}", functools.partial(_everywhere, make), seconds=20)
        for name, make in _LIES.items()
    ]
    keys = [
        Trial(GROUP, f"{GROUP}: {name}", functools.partial(_keys, wrong), seconds=5)
        for name, wrong in _WRONG_KEYS.items()
    ]
    tokens = [
        Trial(GROUP, f"{GROUP}: {name}", functools.partial(_session, token), seconds=5)
        for name, token in _WRONG_TOKENS.items()
    ]
    return [
        *everywhere,
        *keys,
        *tokens,
        Trial(GROUP, f"{GROUP}: redirects", _redirected, seconds=60),
        Trial(GROUP, f"{GROUP}: identity document of another instance", _another_instance, seconds=8),
    ]


_LIES: Mapping[str, Reply] = {
    "endless body": drip(_OK.encode() + b"\r\n", b"x" * 65536, 0),
    "endless chunks": drip(
        _OK.encode() + b"Transfer-Encoding: chunked\r\n\r\n", b"1000\r\n" + b"x" * 4096 + b"\r\n", 0
    ),
    "endless headers": drip(_OK.encode(), b"X-More: " + b"x" * 1000 + b"\r\n", 0),
    "endless 100 Continue": drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0),
    "a byte now and then": drip(_OK.encode() + b"Content-Length: 60000\r\n\r\n", b"x", 0.3),
    "a byte of a header now and then": drip(_OK.encode(), b"x", 0.3),
    "a page": Reply(200, b"<html>Welcome to\x1b[2J the \r\n portal</html>", {"Content-Type": "text/html"}),
    "JSON a million levels deep": Reply(200, b'{"Code": "Success", "x":' + b"[" * 1_000_000),
    "not even HTTP": Reply(raw=lambda sock: sock.sendall(b"SSH-2.0-OpenSSH_9.9\r\n")),
    "nothing": Reply(200, b""),
    "a gigabyte announced": Reply(200, b"x", {"Content-Length": str(1 << 30)}),
}
_WRONG_KEYS: Mapping[str, dict[str, t.Any]] = {
    "access key with a line break": {"AccessKeyId": "ASIA\r\nX-Vault-Token: x"},
    "secret key with a line break": {"SecretAccessKey": f"{victims.SECRET_KEY}\nx"},
    "session token with a line break": {"Token": f"{victims.SESSION_TOKEN}\r\nHost: other"},
    "session token with escape codes": {"Token": f"{victims.SESSION_TOKEN}\x1b[2J\x00"},
    "session token of a megabyte": {"Token": victims.SESSION_TOKEN + "x" * 1_000_000},
    "session token of 100 kB": {"Token": victims.SESSION_TOKEN + "x" * 100_000},
    "access key that is a list": {"AccessKeyId": ["ASIA"]},
    "secret key that is a number": {"SecretAccessKey": 1},
    "secret key that is nothing": {"SecretAccessKey": None},
    "end that is no time": {"Expiration": "\x1b[2Jsoon"},
    "end in the year one": {"Expiration": "0001-01-01T00:00:00Z"},
    "failure with escape codes": {"AccessKeyId": "", "Code": "\x1b[2J\r\nAll is well", "Message": "\x1b[2J"},
}
_WRONG_TOKENS: Mapping[str, bytes] = {
    "session token that breaks a header": f"{SESSION}\r\nX-Vault-Token: x".encode(),
    "session token of control characters": f"{SESSION}\x00\x1b[2J\x7f".encode(),
    "session token in bytes of no text": SESSION.encode() + b"\xff\xfe",
    "session token of 60 kB": SESSION.encode() + b"x" * 60_000,
}


def _right(seen: Seen) -> Reply:
    """What an honest service says."""
    path = seen.path
    if path.endswith(_TOKEN):
        return Reply(200, SESSION.encode())
    if path.endswith(_FACTS):
        return Reply(200, json.dumps(_DOCUMENT).encode())
    if path.endswith(_PROOF):
        return Reply(200, b"c2lnbmF0dXJl")
    if path.endswith(_ROLES):
        return Reply(200, b"node")
    if path.endswith(_KEYS):
        keys = {**role_keys(), "SecretAccessKey": victims.SECRET_KEY, "Token": victims.SESSION_TOKEN}
        return Reply(200, json.dumps(keys).encode())
    return Reply(404)


def _but(place: str, answer: Answer) -> Callable[[Seen], Reply]:
    """An honest service but for what it says at ``place``."""

    def reply(seen: Seen) -> Reply:
        if seen.path.endswith(place):
            return answer(seen) if callable(answer) else answer
        return _right(seen)

    return reply


def _world(ground: Ground, kind: str, metadata: str, vault: str) -> victims.World:
    """Victims of that type on an instance with the service at ``metadata``."""
    environment = {
        "AWS_EC2_METADATA_DISABLED": "false",
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": metadata,
        "AWS_ACCESS_KEY_ID": "",
        "AWS_SECRET_ACCESS_KEY": "",
        **({"VAULTFLEET_AWS_NONCE": NONCE} if kind == "ec2" else {}),
    }
    folder = Path(tempfile.mkdtemp(dir=ground.folder))
    return victims.World(folder, vault, environment, {"type": kind})


def _victims(world: victims.World) -> dict[str, Callable[[], victims.Ran]]:
    """The command and the agent: the module and the lookup have the same core, which both of them go through."""
    return {
        "vault-aws-login": functools.partial(victims.command, world),
        "agent": functools.partial(victims.agent, world),
    }


def _try(ground: Ground, kind: str, metadata: Callable[[Seen], Reply], refused: bool | None) -> list[Finding]:
    """Log in with that service and a Vault that takes everything. refused: None where both is fine."""
    with Web(metadata) as service, Web(_takes) as vault:
        ran = victims.side_by_side(_victims(_world(ground, kind, f"{service.url}/", vault.url)))
        judged = any(one.code for one in ran.values()) if refused is None else refused
        findings = victims.judge(ran, refused=judged, canaries=(SESSION, NONCE), longest=LONGEST)
        told = sum(SESSION in f"{seen.headers} {seen.body!r}" for seen in vault.seen)
        findings.append(Finding(NO_SECRET, told == 0, f"Vault saw the metadata's session token {told} times"))
        if refused:
            asked = sum(seen.path.endswith("/login") for seen in vault.seen)
            findings.append(Finding(NO_WRONG_TOKEN, asked == 0, f"{asked} logins with what the service said"))
    return findings


def _takes(seen: Seen) -> Reply:
    return Reply(200, LOGIN if seen.path.endswith("/login") else LOOKUP)


def _everywhere(lie: Reply, ground: Ground) -> list[Finding]:
    """Without a session token the old way may work; a signature is Vault's to judge."""
    cases = [("ec2", place) for place in _EC2] + [("iam", place) for place in _IAM]
    # They mostly wait.
    with concurrent.futures.ThreadPoolExecutor(len(cases)) as pool:
        done = [
            pool.submit(_try, ground, kind, _but(place, lie), None if place in (_TOKEN, _PROOF) else True)
            for kind, place in cases
        ]
    return [finding for one in done for finding in one.result()]


def _keys(wrong: Mapping[str, t.Any], ground: Ground) -> list[Finding]:
    keys = {**role_keys(), "SecretAccessKey": victims.SECRET_KEY, "Token": victims.SESSION_TOKEN, **wrong}
    return _try(ground, "iam", _but(_KEYS, Reply(200, json.dumps(keys).encode())), True)


def _session(token: bytes, ground: Ground) -> list[Finding]:
    """botocore or urllib3 may refuse it too; what counts is that it goes no further."""
    answer = _but(_TOKEN, Reply(200, token))
    return [*_try(ground, "ec2", answer, None), *_try(ground, "iam", answer, None)]


def _redirected(ground: Ground) -> list[Finding]:
    """Each place leads elsewhere: to another service, to Vault, to a file, to the real service."""
    with Web(_right) as other:
        targets = (
            f"{other.url}/latest/meta-data/iam/security-credentials/node",
            f"http://localhost:{other.port}/v1/auth/aws/login",
            "file:///etc/passwd",
            "http://169.254.169.254/latest/meta-data/",
            "http://169.254.170.2/v2/credentials/",
        )
        findings = []
        for kind, places in (("ec2", _EC2), ("iam", _IAM)):
            for place in places:
                location = ground.random.choice(targets[2:])
                for target in (*targets[:2], location):
                    lie = Reply(307, b"", {"Location": target})
                    # Without a session token, botocore tries the old way.
                    findings += _try(ground, kind, _but(place, lie), None if (kind, place) == ("iam", _TOKEN) else True)
        seen = len(other.seen)
    return [*findings, Finding(NO_SECRET, seen == 0, f"the other host saw {seen} requests")]


def _another_instance(ground: Ground) -> list[Finding]:
    """The document of one instance with the proof of another, and one that was altered, at the real Vault."""
    first, second = ground.stack.instances[:2]
    findings = []
    cases = {
        "swapped proof": lambda facts: facts,
        "altered account": lambda facts: facts.replace(ground.stack.env["STACK_ACCOUNT_ID"].encode(), b"210987654321"),
    }
    for name, alter in cases.items():
        proof_of = second if name == "swapped proof" else first

        def reply(seen: Seen, alter: Callable[[bytes], bytes] = alter, proof_of: str = proof_of) -> Reply:
            if seen.path.endswith(_FACTS):
                return Reply(200, alter(_real(ground, first, "document")))
            if seen.path.endswith(_PROOF):
                return Reply(200, _real(ground, proof_of, "signature"))
            return _right(seen)

        with Web(reply) as service:
            world = _world(ground, "ec2", service.url, ground.stack.env["VAULT_ADDR"])
            environment = {**world.environment, "VAULT_CACERT": ground.stack.env["VAULT_CACERT"]}
            world = victims.World(world.folder, world.url, environment, {**world.options, "role": "node"})
            findings += victims.judge(
                victims.side_by_side(_victims(world)), refused=True, canaries=(SESSION, NONCE), longest=LONGEST
            )
    return findings


def _real(ground: Ground, instance: str, what: str) -> bytes:
    """A part of the real identity of an instance of the stack."""
    service = urlsplit(ground.stack.imds_endpoint(instance))
    connection = http.client.HTTPConnection(service.hostname or "", service.port, timeout=5)
    with contextlib.closing(connection):
        wish = {"X-aws-ec2-metadata-token-ttl-seconds": "60"}
        connection.request("PUT", f"{service.path}/latest/api/token", headers=wish)
        token = connection.getresponse().read().decode()
        path = f"{service.path}/latest/dynamic/instance-identity/{what}"
        connection.request("GET", path, headers={"X-aws-ec2-metadata-token": token})
        return connection.getresponse().read()
