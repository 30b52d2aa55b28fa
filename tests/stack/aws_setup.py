# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What lives in the emulated AWS account: users, roles, an instance profile, instances."""

from __future__ import annotations

import configparser
import io
import json
import typing as t
from dataclasses import dataclass

import boto3
from botocore.config import Config

from .aws import ACCOUNT_ID
from .layout import Layout, write_private
from .wire import call

REGION = "eu-central-1"
EXTERNAL_ID = "stack-external-id"
# Users, and what each may do. "operator" is the person behind the tests: it starts and stops instances; the metadata
# service uses it to assume the instances' role.
USERS: dict[str, list[str]] = {
    "vault": ["ec2:DescribeInstances", "iam:GetUser", "iam:GetRole", "iam:GetInstanceProfile", "sts:*"],
    "client": ["sts:*"],
    "other": ["sts:*"],
    "stranger": [],
    "ghost": [],
    "operator": ["ec2:*", "iam:*", "sts:*"],
}
# Those whose keys tests and users may pick by profile; "client" is the default.
PROFILES = {"default": "client", "client": "client", "other": "other", "stranger": "stranger", "ghost": "ghost"}


@dataclass(frozen=True)
class Keys:
    """A user's access key."""

    access_key: str
    secret_key: str


@dataclass(frozen=True)
class Account:
    """What provisioning made."""

    keys: dict[str, Keys]
    image: str
    running: list[dict[str, t.Any]]
    stopped: dict[str, t.Any]


def provision(endpoint: str, lay: Layout) -> Account:
    """Fill the account, write the credentials files, and switch the emulation to enforcing."""
    session = boto3.Session(aws_access_key_id="provisioning", aws_secret_access_key="provisioning", region_name=REGION)
    config = Config(retries={"max_attempts": 0}, proxies={})
    iam = session.client("iam", endpoint_url=endpoint, config=config)
    ec2 = session.client("ec2", endpoint_url=endpoint, config=config)
    keys = {name: _user(iam, name, actions) for name, actions in USERS.items()}
    external = {"StringEquals": {"sts:ExternalId": EXTERNAL_ID}}
    for name, condition in (("app", {}), ("app-external", external), ("unbound", {})):
        _role(iam, name, condition)
    iam.create_instance_profile(InstanceProfileName="app")
    iam.add_role_to_instance_profile(InstanceProfileName="app", RoleName="app")
    image = ec2.register_image(Name="stack", Architecture="x86_64", RootDeviceName="/dev/sda1")["ImageId"]
    running, stopped = _instances(ec2, image)
    iam.delete_access_key(UserName="ghost", AccessKeyId=keys["ghost"].access_key)
    iam.delete_user_policy(UserName="ghost", PolicyName="stack")
    iam.delete_user(UserName="ghost")
    _credentials(lay, "credentials", {profile: keys[user] for profile, user in PROFILES.items()})
    _credentials(lay, "operator-credentials", {"default": keys["operator"]})
    call(f"{endpoint}/control/enforce", "POST", {})
    return Account(keys, image, running, stopped)


def _user(iam: t.Any, name: str, actions: list[str]) -> Keys:
    iam.create_user(UserName=name)
    statement = {"Effect": "Allow", "Action": actions or ["sts:GetCallerIdentity"], "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName=name, PolicyName="stack", PolicyDocument=policy)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return Keys(key["AccessKeyId"], key["SecretAccessKey"])


def _role(iam: t.Any, name: str, condition: dict[str, t.Any]) -> None:
    # moto knows users as principals, not services, so the metadata service's own user stands for EC2.
    principals = [f"arn:aws:iam::{ACCOUNT_ID}:user/{user}" for user in ("client", "operator")]
    statement: dict[str, t.Any] = {"Effect": "Allow", "Principal": {"AWS": principals}, "Action": "sts:AssumeRole"}
    if condition:
        statement["Condition"] = condition
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)


def _instances(ec2: t.Any, image: str) -> tuple[list[dict[str, t.Any]], dict[str, t.Any]]:
    made = ec2.run_instances(ImageId=image, MinCount=6, MaxCount=6, InstanceType="t3.micro")["Instances"]
    ids = [one["InstanceId"] for one in made]
    for one in ids:
        # Given to run_instances, moto hands the profile to the first instance only.
        ec2.associate_iam_instance_profile(InstanceId=one, IamInstanceProfile={"Name": "app"})
    ec2.stop_instances(InstanceIds=ids[-1:])
    facts = [
        {
            "instanceId": one["InstanceId"],
            "imageId": one["ImageId"],
            "instanceType": one["InstanceType"],
            "privateIp": one["PrivateIpAddress"],
            "availabilityZone": one["Placement"]["AvailabilityZone"],
        }
        for one in made
    ]
    return facts[:-1], facts[-1]


def _credentials(lay: Layout, name: str, profiles: dict[str, Keys]) -> None:
    parser = configparser.ConfigParser(default_section="", interpolation=None)
    for profile, keys in profiles.items():
        parser[profile] = {"aws_access_key_id": keys.access_key, "aws_secret_access_key": keys.secret_key}
    text = io.StringIO()
    parser.write(text)
    write_private(lay.aws / name, text.getvalue())
