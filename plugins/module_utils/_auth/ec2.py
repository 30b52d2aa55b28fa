# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ec2 proof: the instance identity document that AWS signed, and the nonce that makes this client its owner."""

from __future__ import annotations

import base64

from .config import LoginConfig
from .imds import IdentityDocument
from .request import LoginRequest


def login_request(config: LoginConfig, document: IdentityDocument, nonce: str) -> LoginRequest:
    """Return the login request for an instance.

    nonce: the re-authentication value; the server stores the first one it sees of an instance and demands it ever
    after, so one login's attempts must all send the same (Vault docs, AWS auth method, "Client nonce").
    """
    body = {"role": config.role, "nonce": nonce}
    if document.signature_type == "identity":
        body["identity"] = base64.b64encode(document.document).decode()
        body["signature"] = document.proof
    else:
        body["pkcs7"] = document.proof  # rsa2048 is a PKCS#7 message too, and has no field of its own
    return LoginRequest(
        body=body,
        facts={
            "role": config.role,
            "provider": "the instance identity document",
            "region": document.region,
            "instance": document.instance_id,
        },
        secrets=(nonce,),
    )
