# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Identity documents and their signatures, in the forms that the instance metadata service gives them."""

from __future__ import annotations

import base64
import json
import typing as t
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import pkcs7

Signer = t.Callable[[bytes], bytes]


def document(instance: dict[str, t.Any], account: str, region: str, pending_time: str) -> bytes:
    """The identity document, with the keys, the order and the layout that AWS uses."""
    content = {
        "accountId": account,
        "architecture": "x86_64",
        "availabilityZone": instance["availabilityZone"],
        "billingProducts": None,
        "devpayProductCodes": None,
        "marketplaceProductCodes": None,
        "imageId": instance["imageId"],
        "instanceId": instance["instanceId"],
        "instanceType": instance["instanceType"],
        "kernelId": None,
        "pendingTime": pending_time,
        "privateIp": instance["privateIp"],
        "ramdiskId": None,
        "region": region,
        "version": "2017-09-30",
    }
    return json.dumps(content, indent=2, separators=(",", " : ")).encode()


def signers(pki: Path) -> dict[str, Signer]:
    """What signs a document, by the name below instance-identity; the results are raw or DER."""
    key = serialization.load_pem_private_key((pki / "identity-key.pem").read_bytes(), None)
    certificate = x509.load_pem_x509_certificate((pki / "identity.pem").read_bytes())
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError("identity documents are signed with RSA")

    def plain(data: bytes) -> bytes:
        return key.sign(data, padding.PKCS1v15(), hashes.SHA256())

    def enveloped(data: bytes) -> bytes:
        builder = pkcs7.PKCS7SignatureBuilder().set_data(data).add_signer(certificate, key, hashes.SHA256())
        return builder.sign(serialization.Encoding.DER, [pkcs7.PKCS7Options.Binary])

    return {"signature": plain, "pkcs7": enveloped, "rsa2048": enveloped}


def lines(raw: bytes) -> bytes:
    """Base64 as the service gives it: no PEM marks, lines of 76, no line break at the end."""
    return base64.encodebytes(raw).rstrip(b"\n")
