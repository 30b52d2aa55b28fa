# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where AWS credentials come from, in which order, and what is said when there are none."""

from __future__ import annotations

import json
import os
import stat
import typing as t
from pathlib import Path
from urllib.parse import parse_qs

import botocore.session
import botocore.utils
import pytest

from ansible_collections.vaultfleet.aws.plugins.module_utils._auth import chain
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.config import LoginConfig
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.credentials import Credentials, find_credentials
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.errors import CredentialsError, Retry
from ansible_collections.vaultfleet.aws.tests.unit.support.sts import expiry, instance, role_keys, sts
from ansible_collections.vaultfleet.aws.tests.unit.support.web import Reply, Web, closed_port

ROLE_ARN = "arn:aws:iam::123456789012:role/app"
STATIC = {"access_key": "AKIASTATIC", "secret_key": "static-secret"}


def find(**options: t.Any) -> Credentials:
    """The credentials for a login with ``options``."""
    return find_credentials(LoginConfig.from_options({"type": "iam", "role": "web", **options}), "eu-central-1")


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys in the environment."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "env-secret")


@pytest.fixture
def file() -> Path:
    """Keys in the shared file."""
    folder = Path(os.environ["HOME"]) / ".aws"
    folder.mkdir()
    path = folder / "credentials"
    path.write_text(
        "[default]\naws_access_key_id = AKIAFILE\naws_secret_access_key = file-secret\n"
        "[dev]\naws_access_key_id = AKIADEV\naws_secret_access_key = dev-secret\naws_session_token = dev-token\n",
        encoding="utf-8",
    )
    return path


@pytest.fixture
def metadata(monkeypatch: pytest.MonkeyPatch) -> t.Iterator[Web]:
    """An instance with a role."""
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
    with Web(instance) as web:
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", web.url)
        yield web


def test_order(monkeypatch: pytest.MonkeyPatch, environment: None, file: Path, metadata: Web) -> None:
    """Static keys, environment, file, identity services: each once the ones before are gone."""
    assert find(**STATIC) == Credentials("AKIASTATIC", "static-secret", None, "static")
    assert find() == Credentials("AKIAENV", "env-secret", None, "env")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    assert find() == Credentials("AKIAFILE", "file-secret", None, "shared-credentials-file")
    assert metadata.seen == []
    file.unlink()
    assert find() == Credentials("ASIAROLE", "role-secret", "role-token", "iam-role")
    assert metadata.seen[0].method == "PUT"


def test_container_before_instance(monkeypatch: pytest.MonkeyPatch, metadata: Web) -> None:
    """The container's service, with its token, comes before the instance's."""
    with Web(Reply(body=role_keys())) as container:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", container.url + "/creds")
        monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "container-token")
        assert find().provider == "container-role"
        assert container.seen[0].headers["authorization"] == "container-token"
    assert metadata.seen == []


def test_profile_beats_environment(environment: None, file: Path) -> None:
    """A profile that was asked for by name is meant."""
    assert find(profile="dev") == Credentials("AKIADEV", "dev-secret", "dev-token", "shared-credentials-file")


def test_aws_profile_is_botocores(monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    """AWS_PROFILE chooses in the file; keys in the environment beat it, as botocore has it."""
    monkeypatch.setenv("AWS_PROFILE", "dev")
    assert find().access_key == "AKIADEV"
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "env-secret")
    assert find().access_key == "AKIAENV"


@pytest.mark.parametrize("by_environment", [False, True])
def test_missing_profile(monkeypatch: pytest.MonkeyPatch, file: Path, by_environment: bool) -> None:
    """The name is in the error, and trying again is useless."""
    if by_environment:
        monkeypatch.setenv("AWS_PROFILE", "prod")
    with pytest.raises(CredentialsError, match="'prod' does not exist") as caught:
        find(**({} if by_environment else {"profile": "prod"}))
    assert caught.value.retry is Retry.PERMANENT
    assert "AWS_SHARED_CREDENTIALS_FILE" in caught.value.hint


def test_fresh_at_each_call(file: Path) -> None:
    """Rotated keys are used at the next login."""
    assert find().access_key == "AKIAFILE"
    file.write_text(file.read_text(encoding="utf-8").replace("AKIAFILE", "AKIANEW"), encoding="utf-8")
    assert find().access_key == "AKIANEW"


def process_profile(tmp_path: Path, script: str) -> None:
    """A profile whose credentials come from a program."""
    program = tmp_path / "keys"
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    folder = Path(os.environ["HOME"]) / ".aws"
    folder.mkdir()
    (folder / "config").write_text(f"[profile tool]\ncredential_process = {program}\n", encoding="utf-8")


def test_process(tmp_path: Path) -> None:
    """Credentials from a program."""
    process_profile(tmp_path, """echo '{"Version": 1, "AccessKeyId": "AKIAPROC", "SecretAccessKey": "proc-secret"}'""")
    assert find(profile="tool") == Credentials("AKIAPROC", "proc-secret", None, "custom-process")


@pytest.mark.parametrize("life", [30, -300])
def test_nearly_dead_credentials_are_refused(tmp_path: Path, life: int) -> None:
    """What ends within a minute may be dead when STS sees it."""
    keys = {"Version": 1, "AccessKeyId": "A", "SecretAccessKey": "s-canary", "SessionToken": "t-canary"}
    keys["Expiration"] = expiry(life)
    process_profile(tmp_path, f"echo '{json.dumps(keys)}'")
    with pytest.raises(CredentialsError) as caught:
        find(profile="tool")
    assert "canary" not in str(caught.value)
    assert "this host's clock" in caught.value.hint


@pytest.mark.parametrize("script", ["exit 3", "echo not JSON", "echo '{}'", """echo '{"Version": 9}'"""])
def test_broken_process(tmp_path: Path, script: str) -> None:
    """Whatever botocore raises is one error with a cure."""
    process_profile(tmp_path, script)
    with pytest.raises(CredentialsError) as caught:
        find(profile="tool")
    assert caught.value.hint


def test_broken_file() -> None:
    """A configuration file that is none."""
    folder = Path(os.environ["HOME"]) / ".aws"
    folder.mkdir()
    (folder / "config").write_text("[[[\nthis is not it\n", encoding="utf-8")
    with pytest.raises(CredentialsError, match="could not be had") as caught:
        find()
    assert caught.value.hint


def test_nothing_found() -> None:
    """The error lists what can be done, and a later attempt may find some (a role that is attached late)."""
    with pytest.raises(CredentialsError, match="no AWS credentials found") as caught:
        find()
    assert "AWS_PROFILE" in caught.value.hint
    assert "hop limit" in caught.value.hint
    assert caught.value.retry is Retry.TRANSIENT


def test_web_identity(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A service account's token, exchanged at STS."""
    (tmp_path / "token").write_text("web-identity-token", encoding="utf-8")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("AWS_ROLE_ARN", ROLE_ARN)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    with Web(sts) as web:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", web.url)
        found = find()
    assert found == Credentials("ASIAASSUMED", "assumed-secret", "assumed-token", "assume-role-with-web-identity")
    assert parse_qs(web.seen[0].body.decode())["WebIdentityToken"] == ["web-identity-token"]


def test_assume_role(monkeypatch: pytest.MonkeyPatch) -> None:
    """The login is signed as the role; who vouched for it is told."""
    with Web(sts) as web:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", web.url)
        found = find(
            **STATIC, session_token="static-token", assume_role_arn=ROLE_ARN, assume_role_external_id="external-1",
            assume_role_session_name="ci",
        )  # fmt: skip
        find(**STATIC, assume_role_arn=ROLE_ARN)
    assert found == Credentials("ASIAASSUMED", "assumed-secret", "assumed-token", "static, assume-role")
    first, second = (parse_qs(seen.body.decode()) for seen in web.seen)
    assert first["RoleArn"] == [ROLE_ARN]
    assert first["ExternalId"] == ["external-1"]
    assert first["RoleSessionName"] == ["ci"]
    assert web.seen[0].headers["x-amz-security-token"] == "static-token"
    assert "/eu-central-1/sts/" in web.seen[0].headers["authorization"]
    assert second["RoleSessionName"] == ["vaultfleet-aws"]
    assert "ExternalId" not in second


def test_assume_role_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """What STS said, without the secrets that it repeats."""
    with Web(sts) as web:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", web.url)
        with pytest.raises(CredentialsError, match="AccessDenied: not you, ") as caught:
            find(**STATIC, session_token="token-canary", assume_role_arn=ROLE_ARN.replace("/app", "/closed"),
                 assume_role_external_id="external-canary")  # fmt: skip
    assert "canary" not in str(caught.value)
    assert "trust policy" in caught.value.hint
    assert caught.value.retry is Retry.PERMANENT


def test_assume_role_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    """STS that cannot be reached may be reached later."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", f"http://127.0.0.1:{closed_port()}")
    with pytest.raises(CredentialsError, match="could not be had") as caught:
        find(**STATIC, assume_role_arn=ROLE_ARN)
    assert caught.value.retry is Retry.TRANSIENT


PROXIES = {"HTTP_PROXY": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}


@pytest.mark.parametrize("before", [{}, {"NO_PROXY": "example.org"}, {"no_proxy": "a,b", "NO_PROXY": "c"}])
@pytest.mark.parametrize("fails", [False, True])
def test_identity_services_past_the_proxy(monkeypatch: pytest.MonkeyPatch, before: dict[str, str], fails: bool) -> None:
    """A proxy would answer with its own role. The environment is as it was afterwards, also after a failure."""
    for name, value in {**PROXIES, **before}.items():
        monkeypatch.setenv(name, value)
    asked: dict[str, dict[str, str]] = {}

    def chain(_self: object) -> None:
        for host in ("169.254.169.254", "169.254.170.2", "169.254.170.23", "[fd00:ec2::254]"):
            asked[host] = botocore.utils.get_environ_proxies(f"http://{host}/latest/")
        asked["elsewhere"] = botocore.utils.get_environ_proxies("http://sts.test/")
        if fails:
            raise RuntimeError("the chain broke")

    monkeypatch.setattr(botocore.session.Session, "get_credentials", chain)
    environ = dict(os.environ)
    with pytest.raises(CredentialsError):
        find()
    assert asked.pop("elsewhere")
    assert len(asked) == 4
    assert not any(asked.values())
    assert dict(os.environ) == environ


def test_metadata_request_past_the_proxy(monkeypatch: pytest.MonkeyPatch, metadata: Web) -> None:
    """The same on the wire; the loopback address stands in for the link-local one."""
    monkeypatch.setattr(chain, "LINK_LOCAL_HOSTS", ("127.0.0.1",))
    with Web(Reply(502)) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("http_proxy", proxy.url)
        assert find().provider == "iam-role"
    assert proxy.seen == []


def test_repr_shows_no_secret() -> None:
    """Neither in repr nor in str."""
    shown = Credentials("AKIA", "secret-canary", "token-canary", "env")
    assert "canary" not in f"{shown!r}{shown}"
    assert set(shown.secrets()) == {"secret-canary", "token-canary"}
