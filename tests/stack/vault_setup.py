# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the stack's Vault holds: secret, policy, the AWS method on its mounts, and the roles that tests log in to."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import typing as t
from dataclasses import dataclass
from pathlib import Path

from .aws import ACCOUNT_ID
from .aws_setup import REGION, Account
from .layout import Layout
from .vault import Vault

HEADER_VALUE = "vault.example.test"
MOUNT = "aws"
OPEN_MOUNT = "aws-open"
NAMESPACE = "team"
POLICY = "demo-read"
SECRET = {"username": "demo", "password": "correct-horse-battery-staple"}

Roles = dict[str, dict[str, t.Any]]


@dataclass(frozen=True)
class Admin:
    """Calls with the root token, in one namespace ("" for the root)."""

    vault: Vault
    token: str
    namespace: str = ""

    def put(self, path: str, body: t.Mapping[str, t.Any] | None = None) -> None:
        """Write ``body`` to ``path``. Raises StackError when Vault refuses."""
        self.vault.must("POST", path, body or {}, self.token, self.namespace or None)


def prepare(admin: Admin, lay: Layout, plugin: Path) -> None:
    """What needs no AWS: the plugin, the mounts, the secret and the policy, also in the namespace."""
    place = lay.vault / "plugins" / "aws"
    try:
        os.link(plugin, place)
    except OSError:
        shutil.copy2(plugin, place)
    sha256 = hashlib.sha256(plugin.read_bytes()).hexdigest()
    admin.put("sys/plugins/catalog/auth/aws", {"sha256": sha256, "command": "aws"})
    admin.put(f"sys/namespaces/{NAMESPACE}")
    for one, mounts in ((admin, (MOUNT, OPEN_MOUNT)), (_team(admin), (MOUNT,))):
        one.put("sys/mounts/secret", {"type": "kv", "options": {"version": "2"}})
        rules = 'path "secret/data/demo" { capabilities = ["read"] }'
        one.put(f"sys/policies/acl/{POLICY}", {"policy": rules})
        for mount in mounts:
            # What a login was refused for stands in the audit log in its words: a test can tell refusals apart.
            one.put(f"sys/auth/{mount}", {"type": "aws", "config": {"audit_non_hmac_response_keys": ["error"]}})
        # Right after its mount a KV store is still upgrading for a moment, so it comes last.
        one.put("secret/data/demo", {"data": SECRET})


def configure(admin: Admin, lay: Layout, account: Account, endpoint: str) -> None:
    """The AWS method on every mount: endpoints, certificates, roles."""
    pem = base64.b64encode((lay.pki / "identity.pem").read_bytes()).decode()
    keys = account.keys["vault"]
    client = {
        "access_key": keys.access_key,
        "secret_key": keys.secret_key,
        "endpoint": endpoint,
        "iam_endpoint": endpoint,
        "sts_endpoint": endpoint,
        "sts_region": "us-east-1",
        # Enough to see a retry, few enough that tests of a failing AWS do not wait long.
        "max_retries": 1,
    }
    for one, mount, header in (
        (admin, MOUNT, HEADER_VALUE),
        (admin, OPEN_MOUNT, ""),
        (_team(admin), MOUNT, HEADER_VALUE),
    ):
        one.put(f"auth/{mount}/config/client", {**client, **({"iam_server_id_header_value": header} if header else {})})
        for kind in ("identity", "pkcs7"):
            one.put(f"auth/{mount}/config/certificate/stack-{kind}", {"aws_public_cert": pem, "type": kind})
        for name, role in {**iam_roles(), **ec2_roles(account)}.items():
            one.put(f"auth/{mount}/role/{name}", {"token_policies": POLICY, **role})


def iam_roles() -> Roles:
    """Roles for logins of type iam."""

    def bound(principal: str, **more: t.Any) -> dict[str, t.Any]:
        return {"auth_type": "iam", "bound_iam_principal_arn": f"arn:aws:iam::{ACCOUNT_ID}:{principal}", **more}

    inferred = {"inferred_entity_type": "ec2_instance", "inferred_aws_region": REGION}
    return {
        "web": bound("user/client"),
        "web-short": bound("user/client", token_ttl="5s", token_max_ttl="20s"),
        "web-batch": bound("user/client", token_type="batch"),
        "web-nolookup": bound("user/client", token_no_default_policy=True),
        "web-limited": bound("user/client", token_num_uses=3),
        "web-cidr": bound("user/client", token_bound_cidrs="10.9.9.9/32"),
        "app": bound("role/app"),
        "app-external": bound("role/app-external"),
        "app-wild": bound("role/app*"),
        "inferred": bound("role/app", **inferred),
        "other": bound("user/other"),
        # The user is gone by now, so its unique id cannot be looked up.
        "ghost": bound("user/ghost", resolve_aws_unique_ids=False),
    }


def ec2_roles(account: Account) -> Roles:
    """Roles for logins of type ec2."""
    here = {"auth_type": "ec2", "bound_account_id": ACCOUNT_ID}
    node = {**here, "bound_ami_id": account.image}
    return {
        "node": node,
        "node-migrate": {**node, "allow_instance_migration": True},
        "node-once": {**node, "disallow_reauthentication": True},
        "node-region": {**here, "bound_region": "eu-west-1"},
        "node-ami": {**here, "bound_ami_id": "ami-00000000000000000"},
        "node-profile": {**node, "bound_iam_instance_profile_arn": f"arn:aws:iam::{ACCOUNT_ID}:instance-profile/app"},
        "node-short": {**node, "token_ttl": "5s", "token_max_ttl": "20s"},
    }


def _team(admin: Admin) -> Admin:
    return Admin(admin.vault, admin.token, NAMESPACE)
