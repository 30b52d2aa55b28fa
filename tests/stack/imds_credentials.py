# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Role credentials for the metadata service: real sessions from the emulated STS."""

from __future__ import annotations

import typing as t
import urllib.request
import xml.etree.ElementTree as ET
from urllib.parse import urlencode

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def assume_role(endpoint: str, keys: t.Mapping[str, str], role_arn: str, session_name: str) -> dict[str, str]:
    """A new session of ``role_arn``: AccessKeyId, SecretAccessKey, Token, Expiration. Raises OSError when STS refuses.

    Signed here rather than through a client, which would take most of this small server's start and memory.
    """
    form = {"Action": "AssumeRole", "Version": "2011-06-15", "RoleArn": role_arn, "RoleSessionName": session_name}
    body = urlencode({**form, "DurationSeconds": "3600"}).encode()
    request = AWSRequest("POST", f"{endpoint}/", headers={"Content-Type": "application/x-www-form-urlencoded"}, data=body)
    SigV4Auth(Credentials(keys["access_key"], keys["secret_key"]), "sts", "us-east-1").add_auth(request)
    sent = urllib.request.Request(f"{endpoint}/", body, dict(request.headers.items()))
    with _DIRECT.open(sent, timeout=30) as answer:
        tree = ET.fromstring(answer.read())
    found = {element.tag.rpartition("}")[2]: element.text or "" for element in tree.iter()}
    return {
        "AccessKeyId": found["AccessKeyId"],
        "SecretAccessKey": found["SecretAccessKey"],
        "Token": found["SessionToken"],
        "Expiration": found["Expiration"],
    }
