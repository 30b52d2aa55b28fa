# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""AWS's identity services, when what answers in their place wants our memory, our time, or a line of our output."""

from __future__ import annotations

import gc
import os
import ssl
import time
import typing as t
from pathlib import Path

import botocore.session
import pytest
import urllib3.util.ssl_

from ansible_collections.vaultfleet.aws.plugins.module_utils._auth import bounded
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.config import LoginConfig
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.credentials import find_credentials
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.errors import CredentialsError
from ansible_collections.vaultfleet.aws.tests.unit.support.sts import instance, role_keys
from ansible_collections.vaultfleet.aws.tests.unit.support.web import Reply, Seen, Web, drip

ENDLESS = drip(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536, 0)
SLOW = drip(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", b"x", 0.1)
SLOW_HEAD = drip(b"HTTP/1.1 200 OK\r\nX: ", b"x", 0.1)


def refused(**environment: str) -> str:
    """The error of a search for credentials, which must not take long."""
    started = time.monotonic()
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("AWS_EC2_METADATA_DISABLED")
        for name, value in environment.items():
            patch.setenv(name, value)
        with pytest.raises(CredentialsError) as caught:
            find_credentials(LoginConfig.from_options({"type": "iam", "role": "web"}), "us-east-1")
    assert time.monotonic() - started < 10
    assert str(caught.value).isprintable()
    return str(caught.value)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> t.Iterator[None]:
    monkeypatch.setattr(bounded, "_PATIENCE", 0.5)
    yield
    gc.collect()  # connections that were cut; other tests count descriptors


@pytest.mark.parametrize("lie", [ENDLESS, SLOW, SLOW_HEAD])
@pytest.mark.parametrize("end", ["/security-credentials/", "/node"])
def test_instance(lie: Reply, end: str) -> None:
    with Web(lambda seen: lie if seen.path.endswith(end) else instance(seen)) as web:
        refused(AWS_EC2_METADATA_SERVICE_ENDPOINT=web.url)


@pytest.mark.parametrize("lie", [ENDLESS, SLOW, SLOW_HEAD])
def test_container(monkeypatch: pytest.MonkeyPatch, lie: Reply) -> None:
    monkeypatch.setattr("botocore.utils.ContainerMetadataFetcher.RETRY_ATTEMPTS", 1)
    with Web(lie) as web:
        refused(AWS_CONTAINER_CREDENTIALS_FULL_URI=web.url)


def test_both_are_where_botocore_had_them() -> None:
    """Else an update of botocore would take the bounds away, in silence."""
    session = botocore.session.Session()
    bounded.bound(session)
    providers = {one.METHOD: one for one in session.get_component("credential_provider").providers}
    assert isinstance(providers["iam-role"]._role_fetcher._session, bounded._Session)
    assert isinstance(providers["container-role"]._fetcher._session, bounded._Session)


@pytest.mark.parametrize(
    "wrong",
    [
        {"AccessKeyId": "ASIA\r\nX-Vault-Token: x"},
        {"SecretAccessKey": "canary\n"},
        {"SecretAccessKey": "canary\x1b[2J"},
        {"Token": "canary\x00"},
        {"Token": "canary\xe9"},
        {"Token": "canary with blanks"},
        {"Token": 7},
    ],
)
def test_keys_that_are_none(wrong: dict[str, t.Any]) -> None:
    """They would be headers of a request that Vault makes."""

    def answer(seen: Seen) -> Reply:
        return Reply(body={**role_keys(), **wrong}) if seen.path.endswith("/node") else instance(seen)

    with Web(answer) as web:
        assert "canary" not in refused(AWS_EC2_METADATA_SERVICE_ENDPOINT=web.url)


@pytest.mark.parametrize("token", [b"canary\r\nX: y", b"canary\xff", "canary\u20ac".encode()])
def test_garbled_session_token(token: bytes) -> None:
    """What refuses the header would repeat it."""
    with Web(lambda seen: Reply(body=token) if seen.method == "PUT" else instance(seen)) as web:
        assert "canary" not in refused(AWS_EC2_METADATA_SERVICE_ENDPOINT=web.url)


def test_no_log_of_tls_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """urllib3 writes them wherever the variable says; afterwards it is there again."""
    monkeypatch.setenv("SSLKEYLOGFILE", str(Path(os.environ["HOME"]) / "keys"))
    seen: list[str | None] = []
    made = urllib3.util.ssl_.create_urllib3_context

    def watched(*args: t.Any, **kwargs: t.Any) -> ssl.SSLContext:
        context: ssl.SSLContext = made(*args, **kwargs)
        seen.append(context.keylog_filename)
        return context

    monkeypatch.setattr("botocore.httpsession.create_urllib3_context", watched)
    with Web(instance) as web:
        monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", web.url)
        find_credentials(LoginConfig.from_options({"type": "iam", "role": "web"}), "us-east-1")
    assert seen
    assert not any(seen)
    assert not Path(os.environ["SSLKEYLOGFILE"]).exists()
