# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The stack's certificates: a test CA, the server's certificate, and the one that signs identity documents."""

from __future__ import annotations

import datetime
import ipaddress
import typing as t
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from .layout import write_private

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
LIFETIME = datetime.timedelta(days=30)
HERE = ("localhost", "127.0.0.1")


def make_certificates(folder: Path) -> None:
    """Write ca, server and identity, each as NAME.pem and NAME-key.pem, into ``folder``."""
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca_name = _name("vaultfleet.aws test CA")
    ca = _builder(ca_name, ca_name, ca_key, authority=True).sign(ca_key, hashes.SHA256())
    _write(folder, "ca", ca, ca_key)

    issue(folder, "server", HERE, (ca_name, ca_key))

    # AWS signs documents with RSA; the plugin accepts nothing else for type "identity".
    identity_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = _name("vaultfleet.aws test identity documents")
    identity = _builder(name, name, identity_key, authority=False).sign(identity_key, hashes.SHA256())
    _write(folder, "identity", identity, identity_key)


def issue(
    folder: Path,
    name: str,
    hosts: t.Sequence[str],
    issuer: tuple[x509.Name, ec.EllipticCurvePrivateKey] | None,
    until: datetime.timedelta = LIFETIME,
) -> None:
    """Write a server's certificate as NAME.pem and NAME-key.pem into ``folder``.

    hosts: names and addresses. issuer: name and key of the CA (see ``authority``), None for one signed by itself.
    until: its end, from now.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name(f"vaultfleet.aws test {name}")
    issuer_name, issuer_key = issuer or (subject, key)
    names = x509.SubjectAlternativeName([_general_name(host) for host in hosts])
    builder = _builder(subject, issuer_name, key, authority=False, until=until).add_extension(names, critical=False)
    # Python's strict X.509 checks (3.13) want the key identifier of the issuer.
    known = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    _write(folder, name, builder.add_extension(known, critical=False).sign(issuer_key, hashes.SHA256()), key)


def authority(folder: Path) -> tuple[x509.Name, ec.EllipticCurvePrivateKey]:
    """Name and key of the test CA in ``folder``."""
    key = serialization.load_pem_private_key((folder / "ca-key.pem").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes()).subject, key


def _general_name(host: str) -> x509.GeneralName:
    return x509.IPAddress(ipaddress.ip_address(host)) if host[0].isdigit() else x509.DNSName(host)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: Key, authority: bool, until: datetime.timedelta = LIFETIME
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    public = key.public_key()
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        # A little in the past, for tests that set clocks back.
        .not_valid_before(now - datetime.timedelta(days=2))
        .not_valid_after(now + until)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _write(folder: Path, name: str, certificate: x509.Certificate, key: Key) -> None:
    write_private(folder / f"{name}.pem", certificate.public_bytes(serialization.Encoding.PEM))
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    write_private(folder / f"{name}-key.pem", pem)
