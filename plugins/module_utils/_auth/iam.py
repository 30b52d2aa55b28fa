# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The iam proof: a signed ``sts:GetCallerIdentity`` that Vault forwards to STS."""

from __future__ import annotations

import base64
import json
import typing as t

from .config import LoginConfig
from .credentials import Credentials, quiet_botocore
from .endpoints import StsTarget
from .lib_botocore import botocore
from .request import LoginRequest

BODY = "Action=GetCallerIdentity&Version=2011-06-15"
SERVER_ID_HEADER = "X-Vault-AWS-IAM-Server-ID"


def login_request(config: LoginConfig, credentials: Credentials, target: StsTarget) -> LoginRequest:
    """Return the login request for ``credentials``, signed now by botocore for ``target``.

    Only what must be signed is there: the server refuses other ``X-Amz-*`` headers, and a forwarded ``Accept`` would
    change the form of STS's answer (Vault's builtin/credential/aws/path_login.go).
    """
    quiet_botocore()
    headers = {
        "Content-Type": "application/x-www-form-urlencoded; charset=utf-8",
        "Content-Length": str(len(BODY)),
        "Host": target.host,
    }
    if config.header_value:
        headers[SERVER_ID_HEADER] = config.header_value
    request = botocore.awsrequest.AWSRequest(method="POST", url=target.url, data=BODY.encode(), headers=headers)
    botocore.auth.SigV4Auth(t.cast(t.Any, credentials), "sts", target.region).add_auth(request)
    signed = _base64(json.dumps({name: [value] for name, value in request.headers.items()}))
    return LoginRequest(
        body={
            "role": config.role,
            "iam_http_request_method": "POST",
            "iam_request_url": _base64(target.url),
            "iam_request_body": _base64(BODY),
            "iam_request_headers": signed,
        },
        facts={
            "role": config.role,
            "provider": credentials.provider,
            "region": target.region,
            "sts_host": target.host,
        },
        secrets=(*credentials.secrets(), signed),  # whoever has these headers can log in with them for 15 minutes
    )


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
