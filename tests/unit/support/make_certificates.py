# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes the certificates of the unit tests anew; not a test. Needs ``cryptography``."""

from __future__ import annotations

import datetime
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HEADER = "".join(Path(__file__).read_text(encoding="utf-8").splitlines(keepends=True)[:3]) + "\n"
FOLDER = Path(__file__).with_name("pem")
HERE = ["127.0.0.1", "localhost", "vault.test"]
Issuer = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


def make(name: str, issuer: Issuer | None, hosts: list[str], years: tuple[int, int] = (2020, 2120)) -> Issuer:
    """Write ``name``.pem, a CA without ``issuer``, and return certificate and key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"vaultfleet unit tests {name}")])
    begin, end = (datetime.datetime(year, 1, 1, tzinfo=datetime.timezone.utc) for year in years)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=not issuer, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.KeyUsage(True, False, False, False, False, not issuer, not issuer, False, False), critical=True
        )
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key((issuer[1] if issuer else key).public_key()),
            critical=False,
        )
    )
    names: list[x509.GeneralName] = []
    for host in hosts:
        numeric = host[0].isdigit()
        names.append(x509.IPAddress(ipaddress.ip_address(host)) if numeric else x509.DNSName(host))
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    made = builder.sign(issuer[1] if issuer else key, hashes.SHA256())
    pem = made.public_bytes(serialization.Encoding.PEM)
    if issuer:
        pem += key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    (FOLDER / f"{name}.pem").write_bytes(HEADER.encode() + pem)
    return made, key


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    ca = make("ca", None, [])
    make("other-ca", None, [])
    make("client", ca, [])
    make("server", ca, HERE)
    make("expired", ca, HERE, (2020, 2021))
    make("elsewhere", ca, ["elsewhere.test"])
