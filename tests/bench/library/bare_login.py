# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The least that a module with botocore and hvac can be: one signed login; nothing is judged, explained or kept.

It shows how much of the others' time is theirs.
"""

from __future__ import annotations

import base64
import json
import typing as t

import botocore.auth
import botocore.awsrequest
import hvac
from ansible.module_utils.basic import AnsibleModule

URL = "https://sts.amazonaws.com/"
BODY = "Action=GetCallerIdentity&Version=2011-06-15"


class Keys(t.NamedTuple):
    """What botocore's signer wants to see."""

    access_key: str
    secret_key: str
    token: None = None


def main() -> None:
    """The module."""
    module = AnsibleModule({"variables": {"type": "dict", "required": True, "no_log": True}})
    given = module.params["variables"]
    headers = {
        "Content-Type": "application/x-www-form-urlencoded; charset=utf-8",
        "Content-Length": str(len(BODY)),
        "X-Vault-AWS-IAM-Server-ID": given["server_id"],
    }
    keys: t.Any = Keys(given["access_key"], given["secret_key"])
    request = botocore.awsrequest.AWSRequest("POST", URL, headers, BODY.encode())
    botocore.auth.SigV4Auth(keys, "sts", "us-east-1").add_auth(request)
    login = {
        "role": "web",
        "iam_http_request_method": "POST",
        "iam_request_url": coded(URL),
        "iam_request_body": coded(BODY),
        "iam_request_headers": coded(json.dumps(dict(request.headers.items()))),
    }
    hvac.Client(url=given["url"], verify=given["ca_cert"]).adapter.post("/v1/auth/aws/login", json=login)
    module.exit_json(changed=True)


def coded(text: str) -> str:
    """As the server wants it."""
    return base64.b64encode(text.encode()).decode()


if __name__ == "__main__":
    main()
