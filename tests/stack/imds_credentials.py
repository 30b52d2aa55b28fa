# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Role credentials for the metadata service: real sessions from the emulated STS."""

from __future__ import annotations

import contextlib
import http.client
import re
import typing as t
from urllib.parse import urlencode, urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

FORM = "application/x-www-form-urlencoded"


def assume_role(endpoint: str, keys: t.Mapping[str, str], role_arn: str, session_name: str) -> dict[str, str]:
    """A new session of ``role_arn``: AccessKeyId, SecretAccessKey, Token, Expiration. Raises OSError when STS refuses.

    Signed here rather than through a client, which would take most of this small server's start and memory.
    """
    form = {"Action": "AssumeRole", "Version": "2011-06-15", "RoleArn": role_arn, "RoleSessionName": session_name}
    body = urlencode({**form, "DurationSeconds": "3600"}).encode()
    request = AWSRequest("POST", f"{endpoint}/", headers={"Content-Type": FORM}, data=body)
    SigV4Auth(Credentials(keys["access_key"], keys["secret_key"]), "sts", "us-east-1").add_auth(request)
    with contextlib.closing(http.client.HTTPConnection(urlsplit(endpoint).netloc, timeout=30)) as connection:
        connection.request("POST", "/", body, dict(request.headers.items()))
        answer = connection.getresponse()
        text = answer.read().decode()
    if answer.status != 200:
        raise OSError(f"STS answered {answer.status}")
    names = ("AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration")
    found = {name: value for name, value in re.findall(r"<(\w+)>([^<]*)</", text) if name in names}
    return {"Token" if name == "SessionToken" else name: value for name, value in found.items()}
