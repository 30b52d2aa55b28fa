# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The hint table against the real server: each row that the stack can provoke is provoked, and judged by its answer."""

from __future__ import annotations

import base64
import configparser
import contextlib
import dataclasses
import datetime
import json
import time
import typing as t
from collections.abc import Callable, Iterator

import botocore.session
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from ansible_collections.vaultfleet.aws.plugins.module_utils._auth import ec2 as ec2_proof
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth import hints
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth import iam as iam_proof
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.credentials import Credentials, find_credentials
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.endpoints import StsTarget
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.errors import Retry, VaultError
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.imds import identity_document
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.request import LoginRequest
from tests.live.core import client, ec2, iam, keys, log, send, static, token_of
from tests.stack.handle import Stack

GLOBAL = StsTarget("https://sts.amazonaws.com/", "sts.amazonaws.com", "us-east-1")


@dataclasses.dataclass(frozen=True)
class Scene:
    """What a provocation works with."""

    stack: Stack
    instance: str
    monkeypatch: pytest.MonkeyPatch
    cleanup: contextlib.ExitStack

    def role(self, name: str, **parameters: t.Any) -> str:
        """Write a Vault role for the time of the test."""
        self.stack.root("PUT", f"auth/aws/role/{name}", {"token_policies": "demo-read", **parameters})
        self.cleanup.callback(self.stack.root, "DELETE", f"auth/aws/role/{name}")
        return name

    def mount(self, client_settings: t.Mapping[str, t.Any] | None) -> str:
        """Enable the method at a mount of the test's own, with the roles ``web`` and ``node``."""
        stack, name = self.stack, "aws-of-a-test"
        stack.root("PUT", f"sys/auth/{name}", {"type": "aws"})
        self.cleanup.callback(stack.root, "DELETE", f"sys/auth/{name}")
        if client_settings is not None:
            stack.root("PUT", f"auth/{name}/config/client", client_settings)
        account = stack.env["STACK_ACCOUNT_ID"]
        principal = f"arn:aws:iam::{account}:user/client"
        bound = {"auth_type": "iam", "bound_iam_principal_arn": principal, "resolve_aws_unique_ids": False}
        stack.root("PUT", f"auth/{name}/role/web", bound)
        stack.root("PUT", f"auth/{name}/role/node", {"auth_type": "ec2", "bound_account_id": account})
        pem = base64.b64encode((stack.lay.pki / "identity.pem").read_bytes()).decode()
        stack.root("PUT", f"auth/{name}/config/certificate/stack", {"aws_public_cert": pem, "type": "identity"})
        return name

    def operator_keys(self) -> dict[str, str]:
        """The keys of the stack's operator, who may do everything."""
        parser = configparser.ConfigParser(interpolation=None)
        parser.read(self.stack.env["STACK_OPERATOR_CREDENTIALS_FILE"])
        mine = parser["default"]
        return {"access_key": mine["aws_access_key_id"], "secret_key": mine["aws_secret_access_key"]}

    def operator(self) -> t.Any:
        """An IAM client with the operator's keys."""
        mine = self.operator_keys()
        return botocore.session.Session().create_client(
            "iam",
            region_name="us-east-1",
            endpoint_url=self.stack.env["STACK_AWS_ENDPOINT"],
            aws_access_key_id=mine["access_key"],
            aws_secret_access_key=mine["secret_key"],
        )

    def user(self, name: str) -> dict[str, str]:
        """Create an IAM user for the time of the test; its keys as options."""
        iam_client = self.operator()
        iam_client.create_user(UserName=name)
        key = iam_client.create_access_key(UserName=name)["AccessKey"]
        self.cleanup.callback(iam_client.delete_user, UserName=name)
        self.cleanup.callback(iam_client.delete_access_key, UserName=name, AccessKeyId=key["AccessKeyId"])
        return {"access_key": key["AccessKeyId"], "secret_key": key["SecretAccessKey"]}


@pytest.fixture
def scene(stack: Stack, instance: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    """A scene that is cleaned up."""
    with contextlib.ExitStack() as cleanup:
        yield Scene(stack, instance, monkeypatch, cleanup)


def signed(scene: Scene, target: StsTarget = GLOBAL, **changes: str | None) -> LoginRequest:
    """A signed iam request; ``changes`` set or (None) remove headers after signing, with ``_`` for ``-`` in names."""
    mine = keys(scene.stack)
    request = iam_proof.login_request(static(scene.stack), Credentials(*mine, None, "static"), target)
    headers = json.loads(base64.b64decode(request.body["iam_request_headers"]))
    for name, value in changes.items():
        headers.pop(name.replace("_", "-"), None)
        if value is not None:
            headers[name.replace("_", "-")] = [value]
    body = {**request.body, "iam_request_headers": base64.b64encode(json.dumps(headers).encode()).decode()}
    return dataclasses.replace(request, body=body)


def sent(scene: Scene, request: LoginRequest, mount: str = "aws") -> None:
    """Send a request made by hand."""
    send(scene.stack, lambda _fresh: request, mount)


def document_request(scene: Scene, changes: t.Mapping[str, t.Any], **fields: str) -> LoginRequest:
    """An ec2 request with a document that is altered before it is signed; ``fields`` replace those of the request."""
    document = identity_document("identity")
    content = json.dumps({**json.loads(document.document), **changes}).encode()
    key = serialization.load_pem_private_key((scene.stack.lay.pki / "identity-key.pem").read_bytes(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    proof = base64.b64encode(key.sign(content, padding.PKCS1v15(), hashes.SHA256())).decode()
    altered = dataclasses.replace(document, document=content, proof=proof)
    request = ec2_proof.login_request(ec2(), altered, "a-nonce-of-the-tests")
    return dataclasses.replace(request, body={**request.body, **fields})


def shift_clock(scene: Scene, hours: int) -> None:
    """Sign with a clock that is wrong."""

    def wrong(**_options: t.Any) -> datetime.datetime:
        return datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=hours)

    scene.monkeypatch.setattr("botocore.auth.get_current_datetime", wrong)


# ---- one function for each row: what provokes it


def sts_region(scene: Scene) -> None:
    sent(scene, signed(scene, dataclasses.replace(GLOBAL, region="eu-central-1")))


def sts_signature_expired(scene: Scene) -> None:
    shift_clock(scene, -1)
    log(scene.stack, static(scene.stack))


def sts_expired_token(scene: Scene) -> None:
    scene.monkeypatch.setenv("AWS_ENDPOINT_URL_STS", scene.stack.env["STACK_AWS_ENDPOINT"])
    mine = keys(scene.stack)
    sts: t.Any = botocore.session.Session().create_client(
        "sts", "us-east-1", aws_access_key_id=mine.access_key, aws_secret_access_key=mine.secret_key
    )
    role = scene.stack.env["STACK_APP_ROLE_ARN"]
    made = sts.assume_role(RoleArn=role, RoleSessionName="expired")["Credentials"]
    scene.stack.aws_expire(made["AccessKeyId"])
    old = {"access_key": made["AccessKeyId"], "secret_key": made["SecretAccessKey"]}
    log(scene.stack, iam(scene.stack, role="app", session_token=made["SessionToken"], **old))


def sts_unknown_key(scene: Scene) -> None:
    log(scene.stack, static(scene.stack, "ghost", role="ghost"))


def sts_signature(scene: Scene) -> None:
    log(scene.stack, iam(scene.stack, access_key=keys(scene.stack).access_key, secret_key="x" * 40))


def sts_throttled(scene: Scene) -> None:
    scene.stack.aws_fault("throttle", service="sts")
    log(scene.stack, static(scene.stack))


def sts_content_type(scene: Scene) -> None:
    # The metadata service stands for a proxy's login page: it answers, but not as STS does.
    mount = scene.mount({"sts_endpoint": scene.stack.imds_endpoint(), "sts_region": "us-east-1"})
    log(scene.stack, static(scene.stack, mount_path=mount))


def sts_refused(scene: Scene) -> None:
    sent(scene, signed(scene, X_Amz_Date="yesterday"))


def sts_unreachable(scene: Scene) -> None:
    mount = scene.mount({"sts_endpoint": "http://127.0.0.1:9", "sts_region": "us-east-1", "max_retries": 0})
    log(scene.stack, static(scene.stack, mount_path=mount))


def header_missing(scene: Scene) -> None:
    log(scene.stack, static(scene.stack, header_value=None))


def header_wrong(scene: Scene) -> None:
    log(scene.stack, static(scene.stack, header_value="vault.elsewhere.test"))


def header_unsigned(scene: Scene) -> None:
    authorization = json.loads(base64.b64decode(signed(scene).body["iam_request_headers"]))["Authorization"][0]
    sent(scene, signed(scene, Authorization=authorization.replace(";x-vault-aws-iam-server-id", "")))


def header_not_allowed(scene: Scene) -> None:
    sent(scene, signed(scene, X_Amz_Foreign="1"))


def unknown_role(scene: Scene) -> None:
    log(scene.stack, static(scene.stack, role="nobody"))


def wrong_type(scene: Scene) -> None:
    log(scene.stack, static(scene.stack, role="node"))


def principal_not_bound(scene: Scene) -> None:
    log(scene.stack, static(scene.stack, role="other"))


def renewal_not_bound(scene: Scene) -> None:
    principal = f"arn:aws:iam::{scene.stack.env['STACK_ACCOUNT_ID']}:user/client"
    role = scene.role("fleeting", auth_type="iam", bound_iam_principal_arn=principal)
    token = token_of(log(scene.stack, static(scene.stack, role=role)))
    scene.role(role, auth_type="iam", bound_iam_principal_arn=principal.replace("client", "other"))
    with client(scene.stack) as vault:
        vault.renew_self(token.client_token)


def principal_lookup(scene: Scene) -> None:
    # A user of its own, as Vault remembers for a week what it has looked up.
    account = scene.stack.env["STACK_ACCOUNT_ID"]
    role = scene.role("wild", auth_type="iam", bound_iam_principal_arn=f"arn:aws:iam::{account}:user/wild*")
    mine = scene.user(f"wild-{time.time_ns()}")
    scene.cleanup.callback(scene.stack.aws_fault)
    scene.stack.aws_fault("error", service="iam")
    log(scene.stack, iam(scene.stack, role=role, **mine))


def nonce_mismatch(scene: Scene) -> None:
    log(scene.stack, ec2())
    log(scene.stack, ec2())


def reauthentication_disabled(scene: Scene) -> None:
    nonce = log(scene.stack, ec2(role="node-once")).nonce
    log(scene.stack, ec2(role="node-once", nonce=nonce))


def document_outdated(scene: Scene) -> None:
    nonce = log(scene.stack, ec2()).nonce
    scene.stack.imds(scene.instance, pending_time="2020-01-01T00:00:00Z")
    log(scene.stack, ec2(nonce=nonce))


def instance_not_running(scene: Scene) -> None:
    stopped = scene.stack.env["STACK_STOPPED_INSTANCE_ID"]
    scene.monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", scene.stack.imds_endpoint(stopped))
    log(scene.stack, ec2())


def config_client(scene: Scene) -> None:
    scene.monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", scene.stack.imds_endpoint(scene.instance))
    mount = scene.mount({"endpoint": scene.stack.env["STACK_AWS_ENDPOINT"], "sts_region": "us-east-1"})
    log(scene.stack, ec2(mount_path=mount), timeout=60)


def instance_client(scene: Scene) -> None:
    # On a mount of its own: Vault asks whose its keys are only for a region's first login.
    endpoint = scene.stack.env["STACK_AWS_ENDPOINT"]
    places = {"endpoint": endpoint, "sts_endpoint": endpoint, "sts_region": "us-east-1"}
    mount = scene.mount({**places, **scene.operator_keys()})
    scene.stack.root("PUT", f"auth/{mount}/role/node", {"auth_type": "ec2", "bound_account_id": "210987654321"})
    sent(scene, document_request(scene, {"accountId": "210987654321"}), mount)


def instance_unknown(scene: Scene) -> None:
    sent(scene, document_request(scene, {"instanceId": "i-00000000000000000"}))


def instance_not_bound(scene: Scene) -> None:
    log(scene.stack, ec2(role="node-ami"))


def role_tag(scene: Scene) -> None:
    account = scene.stack.env["STACK_ACCOUNT_ID"]
    log(scene.stack, ec2(role=scene.role("node-tag", auth_type="ec2", bound_account_id=account, role_tag="VaultRole")))


def document_signature(scene: Scene) -> None:
    scene.stack.imds(scene.instance, tamper="signature")
    log(scene.stack, ec2())


def document_garbled(scene: Scene) -> None:
    sent(scene, document_request(scene, {}, identity="%%% no base64 %%%"))


def sealed(scene: Scene) -> None:
    scene.cleanup.callback(scene.stack.unseal)
    scene.stack.seal()
    log(scene.stack, static(scene.stack))


def rate_limit(scene: Scene) -> None:
    quota = {"rate": 1, "interval": "60s", "path": "auth/aws-open/login"}  # however long one login takes
    scene.stack.root("PUT", "sys/quotas/rate-limit/live", quota)
    scene.cleanup.callback(scene.stack.root, "DELETE", "sys/quotas/rate-limit/live")
    for _turn in range(5):
        log(scene.stack, static(scene.stack, mount_path="aws-open"))


def no_namespace(scene: Scene) -> None:
    log(scene.stack, static(scene.stack), namespace="nowhere")


def missing_values(scene: Scene) -> None:
    request = signed(scene)
    body = {name: value for name, value in request.body.items() if name != "iam_request_body"}
    sent(scene, dataclasses.replace(request, body=body))


def forbidden(scene: Scene) -> None:
    log(scene.stack, static(scene.stack, role="web-cidr"))


def token_refused(scene: Scene) -> None:
    with client(scene.stack) as vault:
        vault.lookup_self("s.NoSuchToken")


def not_found(scene: Scene) -> None:
    log(scene.stack, static(scene.stack), url=f"{scene.stack.env['VAULT_ADDR']}/prefix")


PERMANENT, RESIGN, TRANSIENT = Retry.PERMANENT, Retry.RESIGN, Retry.TRANSIENT
# What provokes the row of that name, the class of the error, and what its hint must tell of this very login.
PROVOKED: list[tuple[Callable[[Scene], None], Retry, tuple[str, ...]]] = [
    (sts_region, PERMANENT, ("eu-central-1", "sts.amazonaws.com", "auth/aws/config/client", "sts_endpoint")),
    (sts_signature_expired, RESIGN, ("clock", "15 minutes")),
    (sts_expired_token, RESIGN, ("static", "renew")),
    (sts_unknown_key, PERMANENT, ("static", "partition")),
    (sts_signature, RESIGN, ("secret key", "static", "sts.amazonaws.com")),
    (sts_throttled, TRANSIENT, ("limiting", "wait")),
    (sts_content_type, PERMANENT, ("sts_endpoint", "auth/aws-of-a-test/config/client")),
    (sts_refused, PERMANENT, ("static", "us-east-1")),
    (sts_unreachable, TRANSIENT, ("network", "auth/aws-of-a-test/config/client")),
    (header_missing, PERMANENT, ("set header_value", "iam_server_id_header_value")),
    (header_wrong, PERMANENT, ("header_value differs", "auth/aws/config/client")),
    (header_unsigned, PERMANENT, ("proxies",)),
    (header_not_allowed, PERMANENT, ("allowed_sts_header_values",)),
    (unknown_role, PERMANENT, ("no role nobody at auth/aws", "namespace")),
    (wrong_type, PERMANENT, ("role node", "set type")),
    (principal_not_bound, PERMANENT, ("bound_iam_principal_arn of role other", "created again")),
    (renewal_not_bound, PERMANENT, ("log in again",)),
    (principal_lookup, TRANSIENT, ("iam:GetUser", "role wild")),
    (nonce_mismatch, PERMANENT, ("auth/aws/identity-accesslist/i-", "agent")),
    (reauthentication_disabled, PERMANENT, ("role node-once", "auth/aws/identity-accesslist/i-")),
    (document_outdated, PERMANENT, ("older", "copy")),
    (instance_not_running, TRANSIENT, ("running", "wait")),
    (config_client, PERMANENT, ("auth/aws-of-a-test/config/client", "credentials of its own")),
    (instance_client, PERMANENT, ("auth/aws-of-a-test/config/sts/<account>",)),
    (instance_unknown, TRANSIENT, ("ec2:DescribeInstances",)),
    (instance_not_bound, PERMANENT, ("role node-ami", "bound_")),
    (role_tag, PERMANENT, ("role node-tag", "auth/aws/role/node-tag/tag")),
    (document_signature, PERMANENT, ("auth/aws/config/certificate", "signature_type")),
    (document_garbled, PERMANENT, ("metadata",)),
    (sealed, TRANSIENT, ("unseal",)),
    (rate_limit, TRANSIENT, ("quota",)),
    (no_namespace, PERMANENT, ("namespace",)),
    (missing_values, PERMANENT, ("gateway",)),
    (forbidden, PERMANENT, ("token_bound_cidrs of role web-cidr", "mount_path")),
    (token_refused, PERMANENT, ("revoked, expired",)),
    (not_found, PERMANENT, ("url", "mount_path")),
]
NOT_PROVOKED = {
    "standby": "the stack has one node, which is active whenever it is unsealed",
    "not-initialized": "a server that was never initialised says that it is sealed, to a login",
    "no-mount": "this server answers 403 for a mount that is not there; only Vault's older answers have this text",
}


def test_every_row_is_provoked_or_excused() -> None:
    """A row that somebody adds needs a provocation, or a reason here."""
    provoked = {function.__name__.replace("_", "-") for function, _retry, _words in PROVOKED}
    assert {row.name for row in hints.ROWS} == provoked | set(NOT_PROVOKED)
    assert not provoked & set(NOT_PROVOKED)


@pytest.mark.parametrize(
    ("provoke", "retry", "words"), PROVOKED, ids=[function.__name__.replace("_", "-") for function, _r, _w in PROVOKED]
)
def test_row(scene: Scene, provoke: Callable[[Scene], None], retry: Retry, words: tuple[str, ...]) -> None:
    """The server's own answer is met by the row of that name; the message has that answer, and a hint that fits."""
    met: list[str] = []
    find = hints.find

    def watched(status: int, text: str, *, of_login: bool) -> hints.Hint | None:
        row = find(status, text, of_login=of_login)
        met.append(row.name if row else "none")
        return row

    scene.monkeypatch.setattr(hints, "find", watched)
    with pytest.raises(VaultError) as caught:
        provoke(scene)
    error = caught.value
    assert met[-1] == provoke.__name__.replace("_", "-"), str(error)
    assert error.retry is retry
    assert error.server.startswith(f"HTTP {error.status}")
    for word in words:
        assert word in error.hint
    assert "<" not in error.hint.replace("<account>", "")  # every fact that the hint speaks of is known
    assert str(error) == f"{error.what}: {error.server} -- {error.hint}"
    mine = keys(scene.stack)
    assert mine.secret_key not in str(error)


# ---- answers that a row must not take for another


def test_bound_instance(scene: Scene) -> None:
    """An instance that a role is not bound to is no matter of IAM principals, though the server's words are alike."""
    role = scene.role("node-one", auth_type="ec2", bound_ec2_instance_id=scene.stack.instances[1])
    with pytest.raises(VaultError, match=r"instance ID .* does not belong to the role.*bound_\* parameters"):
        log(scene.stack, ec2(role=role))


def test_bound_account(scene: Scene) -> None:
    """The same for an account."""
    role = scene.role("node-account", auth_type="ec2", bound_account_id="210987654321")
    with pytest.raises(VaultError, match=r"account ID .* does not belong to role.*bound_\* parameters"):
        log(scene.stack, ec2(role=role))


def test_recreated_user(scene: Scene) -> None:
    """A user that was deleted and created again has its old name, and still does not get in: the hint says why."""
    account = scene.stack.env["STACK_ACCOUNT_ID"]
    with contextlib.ExitStack() as first_life:
        old = dataclasses.replace(scene, cleanup=first_life).user("phoenix")
        scene.role("phoenix", auth_type="iam", bound_iam_principal_arn=f"arn:aws:iam::{account}:user/phoenix")
        assert log(scene.stack, iam(scene.stack, role="phoenix", **old)).login.token
    new = scene.user("phoenix")
    with pytest.raises(VaultError, match="deleted and created again since: write role phoenix again"):
        log(scene.stack, iam(scene.stack, role="phoenix", **new))


def test_inferred_session_that_is_no_instance(scene: Scene) -> None:
    """A role session whose name is no instance id does not pass for an instance."""
    env = scene.stack.env
    scene.monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", env["STACK_CONTAINER_CREDENTIALS_URL"])
    token_file = env["STACK_CONTAINER_AUTHORIZATION_TOKEN_FILE"]
    scene.monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", token_file)
    with pytest.raises(VaultError, match=r"failed to verify container as a valid EC2 instance.*ec2:DescribeInstances"):
        log(scene.stack, iam(scene.stack, role="inferred"))


@pytest.mark.parametrize("region", ["cn-north-1", "us-gov-west-1"])
def test_keys_of_another_partition(stack: Stack, region: str) -> None:
    """A region of a partition that the keys are not of: STS does not know them, and the hint says partition."""
    with pytest.raises(VaultError, match=r"InvalidClientTokenId.*same AWS partition"):
        log(stack, static(stack, region=region))


@pytest.mark.parametrize("kind", ["identity", "pkcs7", "rsa2048"])
def test_unregistered_certificate(scene: Scene, kind: str) -> None:
    """A document of a region whose certificate Vault does not have."""
    mount = scene.mount({"endpoint": scene.stack.env["STACK_AWS_ENDPOINT"]})
    scene.stack.root("DELETE", f"auth/{mount}/config/certificate/stack")
    with pytest.raises(VaultError, match=f"auth/{mount}/config/certificate") as caught:
        log(scene.stack, ec2(signature_type=kind, mount_path=mount))
    assert caught.value.retry is Retry.PERMANENT


# ---- clocks


@pytest.mark.parametrize("hours", [-1, 1])
def test_signing_clock(scene: Scene, hours: int) -> None:
    """A signature of another time, while this host's clock is right: no skew is told, because there is none."""
    shift_clock(scene, hours)
    with pytest.raises(VaultError, match="chrony") as caught:
        log(scene.stack, static(scene.stack))
    assert "Vault's" not in caught.value.hint


@pytest.mark.parametrize(("hours", "direction"), [(-1, "behind"), (1, "ahead of")])
def test_host_clock(scene: Scene, hours: int, direction: str) -> None:
    """A host whose clock is wrong learns by how much, and in which direction, from the server's Date."""
    shift_clock(scene, hours)
    right = time.time
    scene.monkeypatch.setattr(time, "time", lambda: right() + hours * 3600)
    with pytest.raises(VaultError, match=rf"this host's clock is (3[56]\d\d) s {direction} Vault's"):
        log(scene.stack, static(scene.stack))


def test_resign_is_tried_once(stack: Stack) -> None:
    """A refused signature is made once more, with credentials read anew, and not again."""
    before = stack.logins("aws", "")
    with pytest.raises(VaultError, match=r"\(2 attempts in \d s\)"):
        log(stack, iam(stack, access_key=keys(stack).access_key, secret_key="x" * 40), retries=5)
    assert stack.logins("aws", "") == before + 2


def test_resign_takes_new_credentials(scene: Scene) -> None:
    """Role credentials that ended early are read anew for the second attempt, which works."""
    fetched: list[str] = []
    stack = scene.stack
    config = iam(stack, role="app")

    def expire_first(fresh: bool) -> LoginRequest:
        found = find_credentials(config, "us-east-1")
        fetched.append(found.access_key)
        request = iam_proof.login_request(config, found, GLOBAL)
        if not fresh:
            stack.aws_expire(found.access_key)
            stack.imds_rotate(scene.instance)
        return request

    assert send(stack, expire_first, retries=1).token
    assert len(set(fetched)) == 2
