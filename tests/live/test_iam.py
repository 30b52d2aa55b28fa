# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""iam logins from every source of credentials, and the forms of the request that the server takes."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.config import LoginConfig
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.errors import ConfigError, CredentialsError, Retry
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.login import LoggedIn
from tests.live.core import client, iam, keys, log, static, token_of
from tests.stack.handle import Stack

MODULE_UTILS = Path(__file__).parents[2] / "plugins" / "module_utils"
Prepare = Callable[[Stack, pytest.MonkeyPatch, Path], LoginConfig]


def arn(done: LoggedIn) -> str:
    """Who the server says it was."""
    return done.identity.arn or ""


def from_static(stack: Stack, monkeypatch: pytest.MonkeyPatch, _folder: Path) -> LoginConfig:
    """Static keys win over all others."""
    stranger = keys(stack, "stranger")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", stranger.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", stranger.secret_key)
    return static(stack)


def from_environment(stack: Stack, monkeypatch: pytest.MonkeyPatch, _folder: Path) -> LoginConfig:
    """The environment's keys win over the file's."""
    mine = keys(stack)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", mine.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", mine.secret_key)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    return iam(stack)


def from_file(stack: Stack, monkeypatch: pytest.MonkeyPatch, _folder: Path) -> LoginConfig:
    """The shared file's default profile."""
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", stack.env["AWS_SHARED_CREDENTIALS_FILE"])
    return iam(stack)


def from_sdk_profile(stack: Stack, monkeypatch: pytest.MonkeyPatch, _folder: Path) -> LoginConfig:
    """AWS_PROFILE is the SDK's to read."""
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", stack.env["AWS_SHARED_CREDENTIALS_FILE"])
    monkeypatch.setenv("AWS_PROFILE", "other")
    return iam(stack, role="other")


def from_profile_option(stack: Stack, monkeypatch: pytest.MonkeyPatch, folder: Path) -> LoginConfig:
    """The option beats keys in the environment, and AWS_PROFILE."""
    from_environment(stack, monkeypatch, folder)
    monkeypatch.setenv("AWS_PROFILE", "stranger")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", stack.env["AWS_SHARED_CREDENTIALS_FILE"])
    return iam(stack, profile="other", role="other")


def from_process(stack: Stack, monkeypatch: pytest.MonkeyPatch, folder: Path) -> LoginConfig:
    """A program that prints keys."""
    mine = keys(stack)
    program = folder / "keys.sh"
    program.write_text(
        "#!/bin/sh\n"
        f'echo \'{{"Version": 1, "AccessKeyId": "{mine.access_key}", "SecretAccessKey": "{mine.secret_key}"}}\'\n',
        encoding="utf-8",
    )
    program.chmod(0o700)
    (folder / "config").write_text(f"[default]\ncredential_process = {program}\n", encoding="utf-8")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(folder / "config"))
    return iam(stack)


def from_container(stack: Stack, monkeypatch: pytest.MonkeyPatch, _folder: Path) -> LoginConfig:
    """The container's endpoint, by its full URI, with a token."""
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", stack.env["STACK_CONTAINER_CREDENTIALS_URL"])
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", stack.env["STACK_CONTAINER_AUTHORIZATION_TOKEN_FILE"])
    return iam(stack, role="app")


def from_config_file_role(stack: Stack, monkeypatch: pytest.MonkeyPatch, folder: Path) -> LoginConfig:
    """A role that the AWS configuration names, assumed by botocore itself."""
    from_file(stack, monkeypatch, folder)
    role = stack.env["STACK_APP_ROLE_ARN"]
    (folder / "config").write_text(f"[profile deploy]\nrole_arn = {role}\nsource_profile = client\n", encoding="utf-8")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(folder / "config"))
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", stack.env["STACK_AWS_ENDPOINT"])
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    return iam(stack, profile="deploy", role="app")


SOURCES: list[tuple[Prepare, str, str]] = [
    (from_static, "static", "user/client"),
    (from_environment, "env", "user/client"),
    (from_file, "shared-credentials-file", "user/client"),
    (from_sdk_profile, "shared-credentials-file", "user/other"),
    (from_profile_option, "shared-credentials-file", "user/other"),
    (from_process, "custom-process", "user/client"),
    (from_container, "container-role", "assumed-role/app/container"),
    (from_config_file_role, "assume-role", "assumed-role/app/"),
]


@pytest.mark.parametrize(("prepare", "provider", "who"), SOURCES, ids=[row[0].__name__ for row in SOURCES])
def test_source(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, prepare: Prepare, provider: str, who: str
) -> None:
    """Each source logs in as its own identity, and is named; its token reads the secret."""
    done = log(stack, prepare(stack, monkeypatch, tmp_path))
    assert done.identity.provider == provider
    assert who in arn(done)
    assert done.identity.account_id == stack.env["STACK_ACCOUNT_ID"]
    secret = stack.vault.call("GET", stack.env["STACK_DEMO_SECRET_PATH"], token=token_of(done).client_token)
    assert secret.status == 200


def test_instance_role(stack: Stack, instance: str) -> None:
    """The instance's role, from its metadata service; one whose entity is inferred says which instance it is."""
    done = log(stack, iam(stack, role="app"))
    assert done.identity.provider == "iam-role"
    assert f"assumed-role/app/{instance}" in arn(done)
    assert log(stack, iam(stack, role="inferred")).identity.instance_id == instance


@pytest.mark.parametrize(("role", "external"), [("APP", None), ("EXTERNAL", "STACK_EXTERNAL_ID")])
def test_assume_role(stack: Stack, monkeypatch: pytest.MonkeyPatch, role: str, external: str | None) -> None:
    """The role is assumed at the SDK's own endpoint, which does not change the Host of the identity request."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", stack.env["STACK_AWS_ENDPOINT"])
    options = {"assume_role_external_id": stack.env[external]} if external else {}
    done = log(
        stack,
        static(
            stack,
            role="app" if role == "APP" else "app-external",
            assume_role_arn=stack.env[f"STACK_{role}_ROLE_ARN"],
            assume_role_session_name="me-of-the-tests",
            **options,
        ),
    )
    assert done.identity.provider == "static, assume-role"
    assert arn(done).endswith("/me-of-the-tests")


def test_assume_role_refused(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the external id STS refuses; the error names option, role and cure, and the id given stays hidden."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", stack.env["STACK_AWS_ENDPOINT"])
    before = stack.logins()
    for given in ({}, {"assume_role_external_id": "a-wrong-one"}):
        with pytest.raises(CredentialsError, match="trust policy") as caught:
            log(
                stack, static(stack, role="app-external", assume_role_arn=stack.env["STACK_EXTERNAL_ROLE_ARN"], **given)
            )
        assert stack.env["STACK_EXTERNAL_ROLE_ARN"] in str(caught.value)
        assert "AccessDenied" in caught.value.server
        assert "a-wrong-one" not in str(caught.value)
        assert caught.value.retry is Retry.PERMANENT
    assert stack.logins() == before


def test_no_credentials(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing anywhere is an error of its own, and no login; so is a profile that does not exist."""
    before = stack.logins()
    with pytest.raises(CredentialsError, match=r"no AWS credentials found.*access_key"):
        log(stack, iam(stack))
    with pytest.raises(CredentialsError, match="profile 'nobody' does not exist"):
        log(stack, iam(stack, profile="nobody"))
    monkeypatch.setenv("AWS_PROFILE", "no-one")
    with pytest.raises(CredentialsError, match="profile 'no-one' does not exist"):
        log(stack, iam(stack))
    assert stack.logins() == before


def test_container_token_wrong(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal by the container's endpoint is not a missing source."""
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", stack.env["STACK_CONTAINER_CREDENTIALS_URL"])
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "not-the-token-of-this-container")
    monkeypatch.setattr("botocore.utils.ContainerMetadataFetcher.SLEEP_TIME", 0)
    with pytest.raises(CredentialsError, match="credentials could not be had") as caught:
        log(stack, iam(stack, role="app"))
    assert "not-the-token-of-this-container" not in str(caught.value)


def test_rotated_role_credentials(stack: Stack, instance: str) -> None:
    """Each login reads the credentials anew: after a rotation it is made with the new ones."""
    config = iam(stack, role="app")
    log(stack, config)
    stack.imds_rotate(instance)
    done = log(stack, config)
    assert done.identity.provider == "iam-role"


SCOPES = [
    ({}, "us-east-1"),
    ({"region": "us-east-1"}, "us-east-1"),
    ({"region": "us-east-1", "sts_endpoint": "regional"}, "us-east-1"),
    ({"region": "eu-central-1"}, "eu-central-1"),
    ({"region": "eu-central-1", "sts_endpoint": "regional"}, "eu-central-1"),
    ({"region": "eu-central-1", "sts_endpoint": "global"}, "us-east-1"),
    ({"sts_endpoint": "https://sts.eu-west-3.amazonaws.com"}, "eu-west-3"),
    ({"sts_endpoint": "https://sts-fips.us-west-2.amazonaws.com"}, "us-west-2"),
]


@pytest.mark.parametrize(("options", "region"), SCOPES, ids=[" ".join(row[0].values()) or "default" for row in SCOPES])
def test_scope_is_accepted(stack: Stack, options: dict[str, str], region: str) -> None:
    """Whatever region and endpoint are chosen, Host and scope fit each other, so that STS takes the request."""
    assert log(stack, static(stack, **options)).identity.region == region


def test_region_auto(stack: Stack, monkeypatch: pytest.MonkeyPatch, instance: str) -> None:
    """``auto`` reads the environment, then the metadata; without it the environment's region has no say."""
    mine = keys(stack)._asdict()
    assert log(stack, iam(stack, region="auto", **mine)).identity.region == stack.env["STACK_REGION"]
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    assert log(stack, iam(stack, region="auto", **mine)).identity.region == "eu-west-1"
    monkeypatch.setenv("AWS_REGION", "eu-west-2")
    assert log(stack, iam(stack, region="auto", **mine)).identity.region == "eu-west-2"
    assert log(stack, iam(stack, **mine)).identity.region == "us-east-1"


def test_region_auto_without_any(stack: Stack) -> None:
    """Where nothing says which region this is, the error names the option and all that was asked."""
    with pytest.raises(ConfigError, match=r"region: auto found none in AWS_REGION.*set region"):
        log(stack, static(stack, region="auto"))


@pytest.mark.parametrize(
    "variables",
    [
        {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"},
        {"AWS_ENDPOINT_URL_STS": "http://127.0.0.1:9"},
        {"AWS_USE_FIPS_ENDPOINT": "true", "AWS_USE_DUALSTACK_ENDPOINT": "true"},
        {"AWS_STS_REGIONAL_ENDPOINTS": "legacy", "AWS_DEFAULT_REGION": "eu-central-1"},
    ],
    ids=lambda variables: next(iter(variables)),
)
def test_sdk_settings_have_no_say(stack: Stack, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    """Endpoint settings of the SDK neither change the identity request nor make one of their own."""
    usual = calls_of_a_login(stack)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert calls_of_a_login(stack) == usual


def calls_of_a_login(stack: Stack) -> Counter[str]:
    """The AWS calls that one login makes: the server's only, which forwards the request more than once."""
    before = Counter(stack.aws_calls())
    assert log(stack, static(stack)).identity.region == "us-east-1"
    made = Counter(stack.aws_calls()) - before
    assert set(made) == {"sts:GetCallerIdentity"}
    return made


def test_arn_is_the_servers_to_tell(stack: Stack) -> None:
    """A mount with the default metadata tells the account only, and no call is made to find out more."""
    usual = calls_of_a_login(stack)
    before = Counter(stack.aws_calls())
    identity = log(stack, static(stack, mount_path="aws-open")).identity
    assert (identity.account_id, identity.arn) == (stack.env["STACK_ACCOUNT_ID"], None)
    assert Counter(stack.aws_calls()) - before == usual


def test_mounts(stack: Stack) -> None:
    """The mount without a demanded header takes a login without one, by either form of its path."""
    for mount in ("aws-open", "auth/aws-open", "/aws-open/"):
        assert log(stack, static(stack, header_value=None, mount_path=mount)).login.token


def test_role_in_capitals(stack: Stack) -> None:
    """The server stores names in lower case, so that is what is sent."""
    assert log(stack, static(stack, role="WEB")).login.token


def test_namespace(stack: Stack) -> None:
    """The login is made in the namespace, and its token works there only."""
    before = stack.logins("aws", "team")
    for namespace in ("team", "team/", "/team"):
        token = token_of(log(stack, static(stack), namespace=namespace))
    assert stack.logins("aws", "team") == before + 3
    with client(stack, namespace="team") as vault:
        assert vault.lookup_self(token.client_token).accessor == token.accessor
    assert stack.vault.call("GET", "secret/data/demo", token=token.client_token).status == 403


@pytest.mark.parametrize("stale", ["VAULT_TOKEN", "BAO_TOKEN", "file"])
def test_no_stale_token(stack: Stack, monkeypatch: pytest.MonkeyPatch, stale: str) -> None:
    """A token that lies around is not sent with a login, and an empty namespace is no header."""
    if stale == "file":
        (Path(os.environ["HOME"]) / ".vault-token").write_text("s.staleTokenOfAnotherTime1", encoding="utf-8")
    else:
        monkeypatch.setenv(stale, "s.staleTokenOfAnotherTime1")
    monkeypatch.setenv("VAULT_NAMESPACE", "team")
    monkeypatch.setenv("VAULT_ADDR", "https://127.0.0.1:9")
    log(stack, static(stack))
    entry = stack.login_requests("aws", "")[-1]
    assert "client_token" not in entry["auth"]
    assert "client_token" not in entry["request"]


def test_user_agent(stack: Stack) -> None:
    """The front end's name reaches the server (that an operator can log it is the audit device's setting)."""
    stack.root("PUT", "sys/config/auditing/request-headers/user-agent", {"hmac": False})
    try:
        log(stack, static(stack))
        [agent] = stack.login_requests("aws")[-1]["request"]["headers"]["user-agent"]
    finally:
        stack.root("DELETE", "sys/config/auditing/request-headers/user-agent")
    assert agent.startswith("vaultfleet.aws/")
    assert agent.endswith("(live tests)")


def test_plain_library(stack: Stack) -> None:
    """The core works under another package name, in a process that never imports ansible."""
    mine = keys(stack)
    program = textwrap.dedent("""
        import os, sys
        from _auth.config import LoginConfig, VaultConnection
        from _auth.login import log_in
        from _auth.vault import Vault
        options = {"type": "iam", "role": "web", "header_value": os.environ["HEADER"]}
        vault = Vault(VaultConnection.from_options({"url": os.environ["ADDR"], "ca_cert": os.environ["CA"]}), "library")
        done = log_in(LoginConfig.from_options(options), vault)
        vault.close()
        assert not [name for name in sys.modules if name.split(".")[0].startswith("ansible")]
        print(done.identity.arn, done.login.token.ttl > 0)
        print(repr(done), repr(vault), repr(done.login), repr(done.login.token))
        print("TOKEN", done.login.token.client_token)
    """)
    run = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, sys.argv[1])\n{program}", str(MODULE_UTILS)],
        env={
            "HOME": os.environ["HOME"],
            "ADDR": stack.env["VAULT_ADDR"],
            "CA": stack.env["VAULT_CACERT"],
            "HEADER": stack.env["STACK_HEADER_VALUE"],
            "AWS_ACCESS_KEY_ID": mine.access_key,
            "AWS_SECRET_ACCESS_KEY": mine.secret_key,
        },
        capture_output=True,
        check=False,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    said, _mark, token = run.stdout.partition("TOKEN ")
    assert said.startswith(f"arn:aws:iam::{stack.env['STACK_ACCOUNT_ID']}:user/client True\n")
    assert len(token.strip()) > 20
    assert token.strip() not in said
    assert mine.secret_key not in said
