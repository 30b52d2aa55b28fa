# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every source of credentials that botocore has for a service, and one server that plays all of AWS for them."""

from __future__ import annotations

import datetime
import hashlib
import json
import typing as t
from pathlib import Path

from ansible_collections.vaultfleet.aws.tests.unit.support.sts import expiry, instance, role_keys, sts
from ansible_collections.vaultfleet.aws.tests.unit.support.web import Reply, Seen

ROLE = "arn:aws:iam::123456789012:role/app"
START_URL = "https://example.org/start"
Case = tuple[dict[str, str], dict[str, t.Any]]

CONFIG = f"""
[profile process]
credential_process = {{folder}}/keys.sh
[profile assumed]
role_arn = {ROLE}
source_profile = default
[profile web-identity]
role_arn = {ROLE}
web_identity_token_file = {{folder}}/token
[profile sso-legacy]
sso_start_url = {START_URL}
sso_region = eu-central-1
sso_account_id = 123456789012
sso_role_name = app
[profile sso-session]
sso_session = work
sso_account_id = 123456789012
sso_role_name = app
[sso-session work]
sso_start_url = {START_URL}
sso_region = eu-central-1
"""

# Case, the provider's name and the access key that it has to find.
FOUND = {
    "static": ("static", "AKIASTATIC"),
    "environment": ("env", "AKIAENV"),
    "file": ("shared-credentials-file", "AKIAFILE"),
    "process": ("custom-process", "AKIAPROCESS"),
    "role of the profile": ("assume-role", "ASIAASSUMED"),
    "role of the options": ("static, assume-role", "ASIAASSUMED"),
    "web identity": ("assume-role-with-web-identity", "ASIAASSUMED"),
    "web identity of the profile": ("assume-role-with-web-identity", "ASIAASSUMED"),
    "single sign-on": ("sso", "ASIASSO"),
    "single sign-on, refreshed": ("sso", "ASIASSO"),
    "container": ("container-role", "ASIAROLE"),
    "instance": ("iam-role", "ASIAROLE"),
}


def aws(seen: Seen) -> Reply:
    """STS, single sign-on, its tokens, the container's service and the instance's."""
    if seen.path.startswith("/federation/credentials"):
        keys = {"accessKeyId": "ASIASSO", "secretAccessKey": "sso-secret", "sessionToken": "sso-token"}
        later = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)
        fresh = seen.headers["x-amz-sso_bearer_token"] in ("sso-access", "sso-refreshed")
        body = {"roleCredentials": {**keys, "expiration": int(later.timestamp() * 1000)}}
        return Reply(200 if fresh else 401, body if fresh else {})
    if seen.path == "/token":
        return Reply(body={"accessToken": "sso-refreshed", "expiresIn": 3600, "refreshToken": "sso-again"})
    if seen.path == "/container":
        return Reply(body=role_keys())
    return instance(seen) if seen.path.startswith("/latest/") else sts(seen)


def cases(home: Path, url: str) -> dict[str, Case]:
    """The cases, by name; what they read is written to ``home``. url: the server."""
    folder = home / ".aws"
    _write(folder / "credentials", "[default]\naws_access_key_id = AKIAFILE\naws_secret_access_key = file-secret\n")
    _write(folder / "config", CONFIG.format(folder=folder))
    _write(folder / "token", "web-identity-token")
    keys = {"Version": 1, "AccessKeyId": "AKIAPROCESS", "SecretAccessKey": "process-secret"}
    _write(folder / "keys.sh", f"#!/bin/sh\necho '{json.dumps(keys)}'\n")
    (folder / "keys.sh").chmod(0o700)
    _token(folder, START_URL, "sso-access", expiry(3600))
    _token(folder, "work", "sso-old", expiry(-60))
    empty = {
        "HOME": str(home),
        "PATH": "/usr/bin:/bin",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        **{f"AWS_ENDPOINT_URL_{name}": url for name in ("STS", "SSO", "SSO_OIDC")},
    }
    bare = {**empty, "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_CONFIG_FILE": "/dev/null"}
    static = {"access_key": "AKIASTATIC", "secret_key": "static-secret"}
    return {
        "static": (bare, static),
        "environment": ({**empty, "AWS_ACCESS_KEY_ID": "AKIAENV", "AWS_SECRET_ACCESS_KEY": "env-secret"}, {}),
        "file": (empty, {}),
        "process": (empty, {"profile": "process"}),
        "role of the profile": (empty, {"profile": "assumed"}),
        "role of the options": (bare, {**static, "assume_role_arn": ROLE}),
        "web identity": ({**bare, "AWS_WEB_IDENTITY_TOKEN_FILE": str(folder / "token"), "AWS_ROLE_ARN": ROLE}, {}),
        "web identity of the profile": (empty, {"profile": "web-identity"}),
        "single sign-on": (empty, {"profile": "sso-legacy"}),
        "single sign-on, refreshed": (empty, {"profile": "sso-session"}),
        "container": ({**bare, "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{url}/container"}, {}),
        "instance": (
            {**bare, "AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": url},
            {},
        ),
    }


def _token(folder: Path, name: str, token: str, expires: str) -> None:
    cached = {
        "startUrl": START_URL,
        "region": "eu-central-1",
        "accessToken": token,
        "expiresAt": expires,
        "clientId": "client",
        "clientSecret": "client-secret",
        "registrationExpiresAt": expiry(86400),
        "refreshToken": "sso-refresh",
    }
    digest = hashlib.sha1(name.encode()).hexdigest()  # noqa: S324 - as the SDK names the file
    _write(folder / "sso" / "cache" / f"{digest}.json", json.dumps(cached))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
