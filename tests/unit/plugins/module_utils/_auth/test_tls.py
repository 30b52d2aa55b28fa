# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""TLS: what is trusted, what is shown, what is read again, and what is said when it fails."""

from __future__ import annotations

import os
import shutil
import ssl
import typing as t
from pathlib import Path

import pytest

from ansible_collections.vaultfleet.aws.plugins.module_utils._auth import tls
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.errors import ConfigError, Retry, VaultError
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.vault import Vault
from ansible_collections.vaultfleet.aws.tests.unit.support import certificates
from ansible_collections.vaultfleet.aws.tests.unit.support.vaults import (
    LOGIN,
    LOOKUP,
    TOKEN,
    Proofs,
    connection,
    vault_at,
)
from ansible_collections.vaultfleet.aws.tests.unit.support.web import Reply, Web, closed_port

pytestmark = pytest.mark.filterwarnings("ignore:Unverified HTTPS request")


@pytest.fixture
def web() -> t.Iterator[Web]:
    """A server with a certificate of the tests' CA."""
    with Web(Reply(body=LOGIN), certificates.server_side()) as running:
        yield running


def works(url: str, **options: t.Any) -> bool:
    """Log in."""
    with vault_at(url, **options) as vault:
        return bool(vault.login("aws", Proofs()).token)


def refused(url: str, **options: t.Any) -> VaultError:
    """The error of a login."""
    with vault_at(url, **options) as vault, pytest.raises(VaultError) as caught:
        vault.login("aws", Proofs())
    assert url in str(caught.value)
    return caught.value


def test_own_ca(web: Web) -> None:
    """ca_cert is trusted, and nothing else is then."""
    assert works(web.url, ca_cert=certificates.CA)
    error = refused(web.url, ca_cert=certificates.OTHER_CA)
    assert "certificate verify failed" in error.server
    assert "ca_cert" in error.hint
    assert error.retry is Retry.PERMANENT


def test_own_ca_replaces_the_system(monkeypatch: pytest.MonkeyPatch, web: Web) -> None:
    """With ca_cert the system's store does not count."""
    monkeypatch.setenv("SSL_CERT_FILE", certificates.CA)
    refused(web.url, ca_cert=certificates.OTHER_CA)


def test_ca_path(web: Web, tmp_path: Path) -> None:
    """A directory of hashed certificates."""
    context = ssl.create_default_context(cafile=certificates.CA)
    assert len(context.get_ca_certs()) > 0
    # The name under which OpenSSL looks for this issuer: openssl x509 -subject_hash
    shutil.copy(certificates.CA, tmp_path / f"{certificates.CA_HASH}.0")
    assert works(web.url, ca_path=str(tmp_path))


def test_system_store(monkeypatch: pytest.MonkeyPatch, web: Web) -> None:
    """Without ca_cert the system's store counts, at the place that OpenSSL is told."""
    refused(web.url)
    monkeypatch.setenv("SSL_CERT_FILE", certificates.CA)
    assert works(web.url)


def test_bundle_of_requests_is_ignored(monkeypatch: pytest.MonkeyPatch, web: Web) -> None:
    """requests reads these; neither may widen what is trusted, nor may Vault's own, which are options' business."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "VAULT_CACERT", "VAULT_CAPATH"):
        monkeypatch.setenv(name, certificates.CA)
    monkeypatch.setenv("VAULT_SKIP_VERIFY", "true")
    refused(web.url)
    assert works(web.url, ca_cert=certificates.CA)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", certificates.OTHER_CA)
    assert works(web.url, ca_cert=certificates.CA)


def test_switched_off(web: Web) -> None:
    """validate_certs=false takes any certificate."""
    assert works(web.url, validate_certs=False)
    assert works(web.url, validate_certs=False, tls_server_name="elsewhere.test")


@pytest.mark.parametrize(
    ("certificate", "options", "said", "cure"),
    [
        (certificates.EXPIRED, {}, "expired", "clock"),
        (certificates.ELSEWHERE, {}, "match", "tls_server_name"),
        (certificates.SERVER, {"tls_server_name": "elsewhere.test"}, "match", "tls_server_name"),
    ],
)
def test_wrong_certificate(certificate: str, options: dict[str, t.Any], said: str, cure: str) -> None:
    """Each has its own cure, and none passes by itself."""
    with Web(Reply(body=LOGIN), certificates.server_side(certificate)) as web:
        error = refused(web.url, ca_cert=certificates.CA, **options)
    assert said in error.server
    assert cure in error.hint
    assert error.retry is Retry.PERMANENT
    assert web.seen == []


def test_server_name() -> None:
    """The name that the certificate is for, where the address is another."""
    with Web(Reply(body=LOGIN), certificates.server_side(certificates.ELSEWHERE)) as web:
        assert works(web.url, ca_cert=certificates.CA, tls_server_name="elsewhere.test")


def test_client_certificate() -> None:
    """Shown where one is given; its lack has its own cure."""
    context = certificates.server_side(client_ca=certificates.CA)
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # in 1.3 the refusal comes after the handshake
    with Web(Reply(body=LOGIN), context) as web:
        assert works(web.url, ca_cert=certificates.CA, client_cert=certificates.CLIENT)
        both = {"client_cert": certificates.CLIENT, "client_key": certificates.CLIENT}
        assert works(web.url, ca_cert=certificates.CA, **both)
        error = refused(web.url, ca_cert=certificates.CA, retries=0)
    assert len(web.seen) == 2
    assert error.hint


def test_plain_server() -> None:
    """https to a server that speaks http."""
    with Web(Reply(body=LOGIN)) as web:
        error = refused(web.url.replace("http:", "https:"))
    assert "does not speak TLS" in error.hint
    assert error.retry is Retry.PERMANENT


def test_nobody_there() -> None:
    """A refused connection passes, perhaps."""
    error = refused(f"https://127.0.0.1:{closed_port()}", retries=0)
    assert "refused" in error.server
    assert error.retry is Retry.TRANSIENT


def test_files_are_read_again(web: Web, tmp_path: Path) -> None:
    """A CA file that is replaced counts from the next operation on, in the same object."""
    ca = tmp_path / "ca.pem"
    shutil.copy(certificates.OTHER_CA, ca)
    with vault_at(web.url, ca_cert=str(ca)) as vault:
        with pytest.raises(VaultError, match="certificate verify failed"):
            vault.login("aws", Proofs())
        shutil.copy(certificates.CA, tmp_path / "new.pem")
        (tmp_path / "new.pem").replace(ca)
        assert vault.login("aws", Proofs()).token
        os.truncate(ca, 0)
        with pytest.raises(ConfigError, match="ca_cert: cannot be loaded"):
            vault.login("aws", Proofs())


def test_connection_is_used_again() -> None:
    """Unchanged files mean the same session."""
    with (
        Web(Reply(body=LOOKUP), certificates.server_side()) as web,
        vault_at(web.url, ca_cert=certificates.CA) as vault,
    ):
        session = vault._transport
        vault.lookup_self(TOKEN)
        vault.lookup_self(TOKEN)
        assert vault._transport is session


@pytest.mark.parametrize(
    "content", [b"", b"not a certificate", b"\0\xff", b"-----BEGIN CERTIFICATE-----\n?\n-----END CERTIFICATE-----"]
)
@pytest.mark.parametrize("option", ["ca_cert", "client_cert", "client_key"])
def test_no_certificate(tmp_path: Path, option: str, content: bytes) -> None:
    """A file that is none is named by its option."""
    wrong = tmp_path / "wrong.pem"
    wrong.write_bytes(content)
    options = {"client_cert": certificates.CLIENT} if option == "client_key" else {}
    with pytest.raises(ConfigError, match=f"^{option}: cannot be loaded") as caught:
        Vault(connection("https://vault.test", **{**options, option: str(wrong)}), "unit tests")
    assert caught.value.hint


def test_key_of_another(tmp_path: Path) -> None:
    """A key that does not fit its certificate."""
    with pytest.raises(ConfigError, match=r"^client_key: .*MISMATCH"):
        tls.context(connection("https://vault.test", client_cert=certificates.CLIENT, client_key=certificates.SERVER))


def test_old_protocols_are_off() -> None:
    """TLS 1.2 at least, with and without checks."""
    for options in ({}, {"validate_certs": False}, {"ca_cert": certificates.CA}):
        assert tls.context(connection("https://vault.test", **options)).minimum_version >= ssl.TLSVersion.TLSv1_2
