# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The stack's certificates: a test CA, the server's certificate, and the one that signs identity documents."""

from __future__ import annotations

import datetime
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from .layout import write_private

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
LIFETIME = datetime.timedelta(days=30)


def make_certificates(folder: Path) -> None:
    """Write ca, server and identity, each as NAME.pem and NAME-key.pem, into ``folder``."""
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca_name = _name("vaultfleet.aws test CA")
    ca = _builder(ca_name, ca_name, ca_key, authority=True).sign(ca_key, hashes.SHA256())
    _write(folder, "ca", ca, ca_key)

    server_key = ec.generate_private_key(ec.SECP256R1())
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.IPv4Address("127.0.0.1"))])
    builder = _builder(_name("vaultfleet.aws test server"), ca_name, server_key, authority=False)
    builder = builder.add_extension(names, critical=False)
    # Python's strict X.509 checks (3.13) want the key identifier of the issuer.
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
    builder = builder.add_extension(issuer, critical=False)
    _write(folder, "server", builder.sign(ca_key, hashes.SHA256()), server_key)

    # AWS signs documents with RSA; the plugin accepts nothing else for type "identity".
    identity_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = _name("vaultfleet.aws test identity documents")
    identity = _builder(name, name, identity_key, authority=False).sign(identity_key, hashes.SHA256())
    _write(folder, "identity", identity, identity_key)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(subject: x509.Name, issuer: x509.Name, key: Key, authority: bool) -> x509.CertificateBuilder:
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
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _write(folder: Path, name: str, certificate: x509.Certificate, key: Key) -> None:
    write_private(folder / f"{name}.pem", certificate.public_bytes(serialization.Encoding.PEM))
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    write_private(folder / f"{name}-key.pem", pem)
