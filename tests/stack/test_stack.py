# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The stack, seen from outside: raw logins against the real server, and every switch.

Runs against the stack in VAULTFLEET_STACK_DIR (default .stack) and needs botocore beside pytest.
"""

from __future__ import annotations

import base64
import configparser
import contextlib
import datetime
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
import typing as t
import uuid
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials, InstanceMetadataFetcher, InstanceMetadataProvider
from botocore.utils import ContainerMetadataFetcher

from .cache import cached
from .errors import StackError
from .handle import Stack
from .layout import layout
from .processes import recorded, running, stop
from .wire import Answer

PROJECT = Path(__file__).parents[2]
BODY = "Action=GetCallerIdentity&Version=2011-06-15"
FORM = "application/x-www-form-urlencoded; charset=utf-8"
TTL_HEADER = "X-aws-ec2-metadata-token-ttl-seconds"
TOKEN_HEADER = "X-aws-ec2-metadata-token"


@pytest.fixture(scope="module")
def stack() -> Stack:
    """The stack that runs."""
    return Stack.load(os.environ.get("VAULTFLEET_STACK_DIR", str(PROJECT / ".stack")))


@pytest.fixture
def instance(stack: Stack) -> t.Iterator[str]:
    """The last running instance, unknown to Vault and with its metadata service as at the start, before and after."""
    name = stack.instances[-1]
    stack.delete_accesslist(name)
    stack.imds_reset(name)
    yield name
    stack.imds_reset(name)
    stack.delete_accesslist(name)


def keys(stack: Stack, profile: str = "default") -> Credentials:
    """A user's keys from the shared credentials file."""
    parser = configparser.ConfigParser(default_section="", interpolation=None)
    parser.read(stack.env["AWS_SHARED_CREDENTIALS_FILE"])
    return Credentials(parser[profile]["aws_access_key_id"], parser[profile]["aws_secret_access_key"])


def iam_body(
    stack: Stack,
    credentials: Credentials,
    role: str = "web",
    url: str = "https://sts.amazonaws.com/",
    region: str = "us-east-1",
    server_id: str | None = "",
    late: datetime.timedelta | None = None,
    **headers: str,
) -> dict[str, t.Any]:
    """A login body of type iam; ``server_id`` "" is the stack's own, None is none; ``late`` moves the signing time."""
    sent = {"Content-Type": FORM, "Host": urlsplit(url).netloc, **headers}
    if server_id is not None:
        sent["X-Vault-AWS-IAM-Server-ID"] = server_id or stack.env["STACK_HEADER_VALUE"]
    request = AWSRequest("POST", url, headers=sent, data=BODY)
    auth = SigV4Auth(credentials, "sts", region)
    if late is None:
        auth.add_auth(request)
    else:
        stamp = (datetime.datetime.now(datetime.UTC) + late).strftime("%Y%m%dT%H%M%SZ")
        request.context["timestamp"] = stamp
        request.headers["X-Amz-Date"] = stamp
        if credentials.token:
            request.headers["X-Amz-Security-Token"] = credentials.token
        text = auth.string_to_sign(request, auth.canonical_request(request))
        auth._inject_signature_to_request(request, auth.signature(text, request))  # type: ignore[attr-defined]
    return {
        "role": role,
        "iam_http_request_method": "POST",
        "iam_request_url": base64.b64encode(url.encode()).decode(),
        "iam_request_body": base64.b64encode(BODY.encode()).decode(),
        "iam_request_headers": {name: [value] for name, value in request.headers.items()},
    }


def login(stack: Stack, body: t.Mapping[str, t.Any], mount: str = "aws", namespace: str | None = None) -> Answer:
    """One login, raw."""
    return stack.vault.call("POST", f"auth/{mount}/login", body, namespace=namespace)


def metadata(
    address: str, path: str, token: str | None = None, method: str = "GET", ttl: str = "60", timeout: float = 5
) -> tuple[int, str]:
    """One request to a metadata service."""
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.netloc, timeout=timeout)
    headers = {TTL_HEADER: ttl} if method == "PUT" else {TOKEN_HEADER: token} if token is not None else {}
    with contextlib.closing(connection):
        connection.request(method, f"{parts.path}{path}", headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def session_token(address: str, ttl: str = "60") -> str:
    """A session token of the metadata service."""
    status, token = metadata(address, "/latest/api/token", method="PUT", ttl=ttl)
    assert status == 200
    return token


def ec2_body(
    stack: Stack, instance: str, kind: str = "identity", role: str = "node", nonce: str = "n-1"
) -> dict[str, t.Any]:
    """A login body of type ec2 from what the metadata service of ``instance`` says."""
    address = stack.imds_endpoint(instance)
    token = session_token(address)

    def read(name: str) -> str:
        status, text = metadata(address, f"/latest/dynamic/instance-identity/{name}", token)
        assert status == 200
        return text

    if kind != "identity":
        return {"role": role, "nonce": nonce, "pkcs7": read(kind)}
    document = base64.b64encode(read("document").encode()).decode()
    return {"role": role, "nonce": nonce, "identity": document, "signature": read("signature")}


def assume(stack: Stack, instance: str) -> Credentials:
    """Role credentials, as the instance gets them."""
    fetched = InstanceMetadataFetcher(base_url=stack.imds_endpoint(instance), env={}).retrieve_iam_role_credentials()
    return Credentials(fetched["access_key"], fetched["secret_key"], fetched["token"])


# ---- iam


def test_iam_login_reads_the_secret(stack: Stack) -> None:
    """The token of a login reads what its policy allows, and nothing else."""
    before = stack.logins("aws", "")
    answer = login(stack, iam_body(stack, keys(stack)))
    assert answer.status == 200, answer.errors
    assert stack.logins("aws", "") == before + 1
    token = answer.body["auth"]["client_token"]
    secret = stack.vault.call("GET", stack.env["STACK_DEMO_SECRET_PATH"], token=token)
    assert secret.body["data"]["data"]["username"] == "demo"
    assert stack.vault.call("GET", "secret/data/other", token=token).status == 403


def test_audit_log_holds_no_token(stack: Stack) -> None:
    """What a login gives out is in the audit log only as a hash."""
    token = login(stack, iam_body(stack, keys(stack))).body["auth"]["client_token"]
    assert token not in Path(stack.env["STACK_AUDIT_LOG"]).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("url", "region"),
    [
        ("https://sts.amazonaws.com/", "us-east-1"),
        ("https://sts.us-east-1.amazonaws.com/", "us-east-1"),
        ("https://sts.eu-central-1.amazonaws.com/", "eu-central-1"),
        ("https://sts-fips.us-west-2.amazonaws.com/", "us-west-2"),
    ],
)
def test_iam_scope_that_fits_the_host(stack: Stack, url: str, region: str) -> None:
    """STS hosts take requests that are signed for their own region."""
    assert login(stack, iam_body(stack, keys(stack), url=url, region=region)).status == 200


HOUR = datetime.timedelta(hours=1)
REFUSED_IAM: list[tuple[str, dict[str, t.Any], str]] = [
    ("global host, other region", {"region": "eu-central-1"}, "Credential should be scoped to a valid region"),
    (
        "regional host, other region",
        {"url": "https://sts.eu-central-1.amazonaws.com/"},
        "Credential should be scoped to a valid region",
    ),
    ("old signature", {"late": -HOUR}, "Signature expired: "),
    ("signature of the future", {"late": HOUR}, "Signature not yet current: "),
    ("no server id", {"server_id": None}, "missing header"),
    ("other server id", {"server_id": "vault.other.test"}, "expected"),
    ("unknown role", {"role": "nobody"}, "entry for role nobody not found"),
    ("role of the other type", {"role": "node"}, "auth method iam not allowed for role node"),
    ("principal not bound", {"role": "other"}, "does not belong to the role"),
    ("foreign header", {"X-Amz-Foreign": "1"}, "invalid request header"),
    ("asks for JSON", {"Accept": "application/json"}, "body of GetCallerIdentity is invalid"),
]


@pytest.mark.parametrize(("options", "words"), [row[1:] for row in REFUSED_IAM], ids=[row[0] for row in REFUSED_IAM])
def test_iam_refused(stack: Stack, options: dict[str, t.Any], words: str) -> None:
    """Each fault of the request has the answer that users of AWS and Vault know."""
    answer = login(stack, iam_body(stack, keys(stack), **options))
    assert answer.status == 400
    assert words in answer.errors


def test_iam_wrong_keys(stack: Stack) -> None:
    """A wrong secret and keys of a deleted user are told apart."""
    right = keys(stack)
    wrong = login(stack, iam_body(stack, Credentials(right.access_key, "x" * 40)))
    assert "SignatureDoesNotMatch" in wrong.errors
    gone = login(stack, iam_body(stack, keys(stack, "ghost"), role="ghost"))
    assert "InvalidClientTokenId" in gone.errors


def test_iam_other_users(stack: Stack) -> None:
    """Every user gets the role bound to it; the stranger gets none."""
    assert login(stack, iam_body(stack, keys(stack, "other"), role="other")).status == 200
    for role in ("web", "other", "app", "app-wild"):
        assert "does not belong to the role" in login(stack, iam_body(stack, keys(stack, "stranger"), role=role)).errors


def test_iam_role_kinds(stack: Stack) -> None:
    """The roles differ as their names say."""
    tokens = {role: login(stack, iam_body(stack, keys(stack), role=role)).body["auth"] for role in (
        "web", "web-short", "web-batch", "web-nolookup", "web-limited")}  # fmt: skip
    assert tokens["web-short"]["lease_duration"] == 5
    assert tokens["web-batch"]["token_type"] == "batch"
    assert tokens["web-limited"]["num_uses"] == 3

    def looks_up(role: str) -> int:
        return stack.vault.call("GET", "auth/token/lookup-self", token=tokens[role]["client_token"]).status

    assert looks_up("web") == 200
    assert looks_up("web-nolookup") == 403
    assert login(stack, iam_body(stack, keys(stack), role="web-cidr")).status == 403


def test_iam_open_mount(stack: Stack) -> None:
    """The mount without a configured header value asks for none."""
    assert login(stack, iam_body(stack, keys(stack), server_id=None), mount="aws-open").status == 200


def test_iam_namespace(stack: Stack) -> None:
    """The namespace has a mount and roles of its own; a token of one does not read in the other."""
    before = stack.logins("aws", "team"), stack.logins("aws", "")
    answer = login(stack, iam_body(stack, keys(stack)), namespace="team")
    assert (stack.logins("aws", "team"), stack.logins("aws", "")) == (before[0] + 1, before[1])
    token = answer.body["auth"]["client_token"]
    assert stack.vault.call("GET", "secret/data/demo", token=token, namespace="team").status == 200
    assert stack.vault.call("GET", "secret/data/demo", token=token).status == 403


def test_instance_role_login(stack: Stack, instance: str) -> None:
    """Role credentials of an instance log in to the roles bound to it, also by wildcard and inferred."""
    credentials = assume(stack, instance)
    for role in ("app", "app-wild", "inferred"):
        answer = login(stack, iam_body(stack, credentials, role=role))
        assert answer.status == 200, answer.errors
    expired = iam_body(stack, credentials, role="app")
    stack.aws_expire(credentials.access_key)
    assert "ExpiredToken" in login(stack, expired).errors


def test_rotation(stack: Stack, instance: str) -> None:
    """Role credentials stay until they are rotated, and the old ones still work then."""
    old = assume(stack, instance)
    assert assume(stack, instance).access_key == old.access_key
    stack.imds_rotate(instance)
    new = assume(stack, instance)
    assert new.access_key != old.access_key
    assert login(stack, iam_body(stack, old, role="app")).status == 200
    assert login(stack, iam_body(stack, new, role="app")).status == 200


def test_aws_faults(stack: Stack) -> None:
    """A failing, a throttling and a slow AWS reach the client through Vault, and are over after their count."""
    body = iam_body(stack, keys(stack))
    try:
        stack.aws_fault("throttle", service="sts", count=1)
        assert "Throttling" in login(stack, body).errors
        assert login(stack, body).status == 200
        stack.aws_fault("hang", seconds=0.5, count=1)
        start = time.monotonic()
        assert login(stack, body).status == 200
        assert time.monotonic() - start >= 0.5
        stack.aws_fault("error")
        assert login(stack, body).status >= 400
    finally:
        stack.aws_fault()
    assert login(stack, body).status == 200
    with pytest.raises(StackError, match="mode"):
        stack.aws_fault("nonsense")


# ---- ec2


@pytest.mark.parametrize("kind", ["identity", "pkcs7", "rsa2048"])
def test_ec2_login(stack: Stack, instance: str, kind: str) -> None:
    """Each form of the proof logs in, and again with the same nonce; another nonce is refused."""
    for _attempt in range(2):
        answer = login(stack, ec2_body(stack, instance, kind))
        assert answer.status == 200, answer.errors
    assert "client nonce mismatch" in login(stack, ec2_body(stack, instance, kind, nonce="n-2")).errors
    stack.delete_accesslist(instance)
    assert login(stack, ec2_body(stack, instance, kind, nonce="n-2")).status == 200


REFUSED_EC2 = [
    ("web", "auth method ec2 not allowed for role web"),
    ("nobody", 'entry for role "nobody" not found'),
    ("node-region", 'Region "eu-central-1" does not satisfy the constraint'),
    ("node-ami", "AMI ID"),
]


@pytest.mark.parametrize(("role", "words"), REFUSED_EC2)
def test_ec2_refused(stack: Stack, instance: str, role: str, words: str) -> None:
    """Each role that does not fit the instance says why."""
    answer = login(stack, ec2_body(stack, instance, role=role))
    assert answer.status == 400
    assert words in answer.errors


def test_ec2_profile_and_once(stack: Stack, instance: str) -> None:
    """A role may ask for the instance profile, and may allow one login only."""
    assert login(stack, ec2_body(stack, instance, role="node-profile")).status == 200
    stack.delete_accesslist(instance)
    assert login(stack, ec2_body(stack, instance, role="node-once")).status == 200
    assert "reauthentication is disabled" in login(stack, ec2_body(stack, instance, role="node-once")).errors


def test_ec2_migration(stack: Stack, instance: str) -> None:
    """A later pendingTime lets another nonce pass where the role allows it, an earlier one never passes."""
    assert login(stack, ec2_body(stack, instance, role="node-migrate")).status == 200
    stack.imds(instance, pending_time="2026-02-01T00:00:00Z")
    assert login(stack, ec2_body(stack, instance, role="node-migrate", nonce="n-2")).status == 200
    stack.imds(instance, pending_time="2025-12-01T00:00:00Z")
    assert login(stack, ec2_body(stack, instance, role="node-migrate")).status == 400


@pytest.mark.parametrize("kind", ["identity", "pkcs7"])
@pytest.mark.parametrize("tamper", ["document", "signature"])
def test_ec2_tampered(stack: Stack, instance: str, kind: str, tamper: str) -> None:
    """A document or a signature that was altered is refused."""
    stack.imds(instance, tamper=tamper)
    assert login(stack, ec2_body(stack, instance, kind)).status >= 400


def test_ec2_stopped_instance(stack: Stack) -> None:
    """Good papers do not help an instance that does not run."""
    answer = login(stack, ec2_body(stack, stack.env["STACK_STOPPED_INSTANCE_ID"]))
    assert "instance is not in 'running' state" in answer.errors


# ---- metadata service


def test_imds_tokens(stack: Stack, instance: str) -> None:
    """Version 2 only; a token is checked, belongs to one instance and really ends; version 1 by switch."""
    address = stack.imds_endpoint(instance)
    path = "/latest/meta-data/instance-id"
    assert metadata(address, path)[0] == 401
    assert metadata(address, path, "wrong")[0] == 401
    assert metadata(address, "/latest/api/token", method="PUT", ttl="0")[0] == 400
    short, long = session_token(address, "1"), session_token(address)
    assert metadata(address, path, long) == (200, instance)
    assert metadata(stack.imds_endpoint(stack.instances[0]), path, long)[0] == 401
    time.sleep(1.05)
    assert metadata(address, path, short)[0] == 401
    stack.imds_forget_tokens(instance)
    assert metadata(address, path, long)[0] == 401
    stack.imds(instance, v1=True)
    assert metadata(address, path) == (200, instance)


def test_imds_modes(stack: Stack, instance: str) -> None:
    """Hop limit: the connection stands and no answer comes. Disabled: 403 for all. No role: 404."""
    address = stack.imds_endpoint(instance)
    stack.imds(instance, hop_limit=True)
    with pytest.raises((TimeoutError, socket.timeout)):
        metadata(address, "/latest/api/token", method="PUT", timeout=0.5)
    stack.imds(instance, hop_limit=False, disabled=True)
    assert metadata(address, "/latest/api/token", method="PUT")[0] == 403
    assert metadata(address, "/latest/meta-data/instance-id")[0] == 403
    stack.imds(instance, disabled=False, role=False)
    token = session_token(address)
    assert metadata(address, "/latest/meta-data/iam/security-credentials/", token)[0] == 404
    stack.imds(instance, overrides={"/latest/meta-data/instance-id": {"status": 200, "body": "<html>"}})
    assert metadata(address, "/latest/meta-data/instance-id", token) == (200, "<html>")
    with pytest.raises(StackError, match="no such switches"):
        stack.imds(instance, hoplimit=True)


def test_imds_facts(stack: Stack, instance: str) -> None:
    """The selected instance answers at the address without an id, region and profile included."""
    try:
        stack.imds(instance=instance)
        address = stack.imds_endpoint()
        token = session_token(address)
        assert metadata(address, "/latest/meta-data/instance-id", token) == (200, instance)
        assert metadata(address, "/latest/meta-data/placement/region", token) == (200, stack.env["STACK_REGION"])
        info = json.loads(metadata(address, "/latest/meta-data/iam/info", token)[1])
        assert info["InstanceProfileArn"].endswith(":instance-profile/app")
        document = json.loads(metadata(address, "/latest/dynamic/instance-identity/document", token)[1])
        assert (document["instanceId"], document["region"]) == (instance, stack.env["STACK_REGION"])
    finally:
        stack.imds_reset()


def test_imds_port_of_an_instance(stack: Stack, instance: str) -> None:
    """It is that instance's metadata service as on AWS, switches included, and stays where it is."""
    port = stack.imds_port(instance)
    assert stack.imds_port(instance) == port
    assert stack.imds_port(stack.instances[0]) != port
    address = f"http://127.0.0.1:{port}"
    assert metadata(address, "/latest/meta-data/instance-id", session_token(address)) == (200, instance)
    stack.imds(instance, disabled=True)
    assert metadata(address, "/latest/api/token", method="PUT")[0] == 403
    with pytest.raises(StackError, match="no such view: i-0"):
        stack.imds_port("i-0")


def test_botocore_reads_the_services(stack: Stack, instance: str) -> None:
    """botocore's own providers take role credentials from the metadata service and from the container endpoint."""
    fetcher = InstanceMetadataFetcher(base_url=stack.imds_endpoint(instance), env={})
    loaded = InstanceMetadataProvider(fetcher).load()
    assert loaded is not None
    assert loaded.method == "iam-role"
    url = stack.env["STACK_CONTAINER_CREDENTIALS_URL"]
    got = ContainerMetadataFetcher().retrieve_full_uri(url, headers={"Authorization": stack.container_token})
    credentials = Credentials(got["AccessKeyId"], got["SecretAccessKey"], got["Token"])
    assert login(stack, iam_body(stack, credentials, role="app")).status == 200
    assert metadata(url, "")[0] == 401


# ---- the server


def test_seal_and_restart(stack: Stack) -> None:
    """Sealed answers 503, stopped refuses connections, a restart keeps tokens, secrets and roles."""
    token = login(stack, iam_body(stack, keys(stack))).body["auth"]["client_token"]
    stack.seal()
    try:
        assert login(stack, iam_body(stack, keys(stack))).status == 503
    finally:
        stack.unseal()
    stack.stop_vault()
    try:
        with pytest.raises(ConnectionRefusedError):
            login(stack, {})
        assert not stack.healthy()
    finally:
        stack.start_vault()
    assert stack.healthy()
    assert stack.vault.call("GET", "secret/data/demo", token=token).status == 200
    assert login(stack, iam_body(stack, keys(stack))).status == 200


def test_files_are_private(stack: Stack) -> None:
    """Nothing of the stack is for others; what a shell reads from env is what Python reads."""
    assert stack.lay.root.stat().st_mode & 0o077 == 0
    for name in ("STACK_ROOT_TOKEN_FILE", "STACK_UNSEAL_KEY_FILE", "AWS_SHARED_CREDENTIALS_FILE", "STACK_CA_KEY_FILE"):
        assert Path(stack.env[name]).stat().st_mode & 0o077 == 0
    shell = subprocess.run(
        ["sh", "-c", f'set -a; . "{stack.lay.env}"; env'],
        env={"PATH": os.defpath},
        capture_output=True,
        check=True,
        text=True,
    )
    seen = dict(line.split("=", 1) for line in shell.stdout.splitlines())
    assert {name: seen.get(name) for name in stack.env} == stack.env


def test_second_stack_beside(stack: Stack, tmp_path: Path) -> None:
    """A second stack runs beside the first; a half-dead one is replaced; a stop leaves no process."""
    directory = tmp_path / "second"

    def run(command: str) -> subprocess.CompletedProcess[str]:
        arguments = [sys.executable, "-m", "tests.stack", command, "--dir", str(directory)]
        return subprocess.run(arguments, cwd=PROJECT, capture_output=True, check=False, text=True, timeout=300)

    try:
        assert run("up").returncode == 0
        second = Stack.load(directory)
        assert login(second, iam_body(second, keys(second))).status == 200
        assert "already up" in run("up").stdout
        # One server gone: it is not taken for healthy, and a new start replaces all of it.
        second.stop_vault()
        assert run("status").returncode == 3
        processes = recorded(second.lay.run)
        assert run("up").returncode == 0
        assert not any(running(one) for one in processes)
        processes = recorded(second.lay.run)
        assert len(processes) == 3
    finally:
        assert run("down").returncode == 0
    assert not any(running(one) for one in processes)
    assert stack.healthy()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_start(tmp_path: Path, number: signal.Signals) -> None:
    """A start that is interrupted half-way leaves no process and no stack."""
    directory = tmp_path / "third"
    command = [sys.executable, "-m", "tests.stack", "up", "--dir", str(directory)]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as up:
        lay = layout(str(directory))
        deadline = time.monotonic() + 90
        while len(started := recorded(lay.run)) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert len(started) >= 2
        up.send_signal(number)
        _stdout, said = up.communicate(timeout=90)
    assert (up.returncode, said) == (130, "stack: interrupted\n")
    assert not any(running(one) for one in started)
    assert recorded(lay.run) == []
    with pytest.raises(StackError, match="no stack"):
        Stack.load(directory)


def test_cache_keeps_only_what_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A build that fails, or that was killed half-way, is not found again; one that is whole is not built again."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    built: list[Path] = []

    def failing(folder: Path) -> None:
        (folder / "half").touch()
        raise StackError("no")

    def fine(folder: Path) -> None:
        (folder / "whole").touch()
        built.append(folder)

    for movable in (True, False):
        name = f"thing-{movable}"
        with pytest.raises(StackError, match="no"):
            cached(name, failing, movable)
        killed = tmp_path / "vaultfleet-aws" / f".{name}.killed"
        killed.mkdir()
        for _attempt in range(2):
            assert [path.name for path in cached(name, fine, movable).iterdir()] == ["whole"]
        assert not killed.exists()
    assert len(built) == 2


def test_foreign_directory_is_left_alone(tmp_path: Path) -> None:
    """A directory that holds somebody's files is not taken for a stack's, neither to start in nor to clear."""
    precious = tmp_path / "vault"
    precious.mkdir()
    for command in ("up", "down"):
        done = subprocess.run(
            [sys.executable, "-m", "tests.stack", command, "--dir", str(tmp_path)],
            cwd=PROJECT,
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 1
        assert "choose another --dir" in done.stderr
    assert precious.is_dir()


def test_recycled_process_id_is_left_alone(tmp_path: Path) -> None:
    """A record whose process id belongs to another process by now ends nothing."""
    with subprocess.Popen(["sleep", "60"]) as stranger:
        try:
            record = {"name": "aws", "pid": stranger.pid, "start": 1, "command": ["sleep"]}
            (tmp_path / "aws.json").write_text(json.dumps(record), encoding="utf-8")
            [process] = recorded(tmp_path)
            assert not running(process)
            stop(tmp_path, process)
            assert recorded(tmp_path) == []
            assert stranger.poll() is None
        finally:
            stranger.kill()


def test_nonces_are_not_shared_between_mounts(stack: Stack, instance: str) -> None:
    """Every mount has an access list of its own."""
    assert login(stack, ec2_body(stack, instance, nonce=str(uuid.uuid4()))).status == 200
    other = ec2_body(stack, instance, nonce=str(uuid.uuid4()))
    assert login(stack, other, mount="aws-open").status == 200
    stack.delete_accesslist(instance, mount="aws-open")
