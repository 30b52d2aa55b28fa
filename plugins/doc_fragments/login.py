# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options that say who logs in, and to what."""

from __future__ import annotations


class ModuleDocFragment:
    """Ansible finds the fragment by this name."""

    DOCUMENTATION = r"""
requirements:
  - boto3 >= 1.34 (only its C(botocore) is used)
  - hvac >= 2.1
notes:
  - Each option NAME of this group can also come from the environment variable C(VAULTFLEET_AWS_NAME) of the host that
    the plugin runs on.
options:
  type:
    description:
      - How the machine proves who it is.
      - With V(iam) it signs a request to STS with its AWS credentials, which Vault forwards. This is what AWS and
        HashiCorp recommend.
      - With V(ec2) it shows the identity document that AWS signed for the EC2 instance.
    type: str
    choices: [iam, ec2]
    default: iam
    aliases: [auth_type]
  role:
    description:
      - Name of the role of the auth method to log in to. Vault stores it in lower case, and so it is sent.
      - A login needs it.
    type: str
    aliases: [role_id]
  mount_path:
    description:
      - Where the AWS auth method is mounted. V(aws) and V(auth/aws) are the same.
    type: str
    default: aws
    aliases: [mount_point]
  region:
    description:
      - The AWS region that the identity request is signed for. It must fit the STS endpoint that Vault uses.
      - V(auto) takes it from E(AWS_REGION), E(AWS_DEFAULT_REGION), the AWS configuration, then the instance metadata;
        nothing else reads these.
      - Without it, it is the one that the host of a URL in O(sts_endpoint) names, else V(us-east-1).
      - Only for O(type=iam).
    type: str
    aliases: [aws_region, ec2_region]
  sts_endpoint:
    description:
      - The STS endpoint that the request is signed for. Vault sends it to its own C(sts_endpoint), so both must agree.
      - V(auto) is the global one for V(us-east-1), else the region's. V(regional) is the region's. V(global) is
        V(https://sts.amazonaws.com), signed for V(us-east-1) whatever O(region) says.
      - A URL is for FIPS and VPC endpoints, for example V(https://sts-fips.us-west-2.amazonaws.com).
      - Only for O(type=iam).
    type: str
    default: auto
  access_key:
    description:
      - Static AWS access key; needs O(secret_key). Without it the AWS SDK's own chain is asked, in its documented
        order, which is environment, files, then identity services such as the instance metadata.
      - Only for O(type=iam).
    type: str
    aliases: [aws_access_key_id, aws_access_key, ec2_access_key]
  secret_key:
    description:
      - Static AWS secret key; needs O(access_key). At least 16 characters.
      - Only for O(type=iam).
    type: str
    aliases: [aws_secret_access_key, aws_secret_key, ec2_secret_key]
  session_token:
    description:
      - Session token that goes with O(access_key) and O(secret_key). At least 16 characters.
      - Only for O(type=iam).
    type: str
    aliases: [aws_session_token, aws_security_token, security_token, access_token]
  profile:
    description:
      - Named profile of the AWS configuration. It beats access keys in the environment. E(AWS_PROFILE) is read by the
        AWS SDK when this is not given, and does not.
      - Only for O(type=iam).
    type: str
    aliases: [aws_profile]
  header_value:
    description:
      - Value of the signed header C(X-Vault-AWS-IAM-Server-ID), which keeps a login from being replayed to another
        Vault. It must be what C(iam_server_id_header_value) of the auth method says.
      - Also from E(ANSIBLE_HASHI_VAULT_AWS_IAM_SERVER_ID).
      - Only for O(type=iam).
    type: str
    aliases: [aws_iam_server_id]
  signature_type:
    description:
      - Which proof goes with the identity document. V(identity) is its RSA signature, V(pkcs7) and V(rsa2048) are
        PKCS#7 messages. Vault needs AWS's certificate of the region for each.
      - Only for O(type=ec2).
    type: str
    choices: [identity, pkcs7, rsa2048]
    default: identity
  nonce:
    description:
      - The re-authentication value. Vault stores the first one that it sees of an instance, and refuses any other after
        that, until an operator deletes the instance's entry in C(identity-accesslist).
      - Without it a new UUID is used, which only works at the first login of an instance.
      - At least 16 characters. It is as secret as a password.
      - Only for O(type=ec2).
    type: str
  assume_role_arn:
    description:
      - ARN of an IAM role to assume first, with the credentials found; the login is then made as that role.
      - Only for O(type=iam).
    type: str
  assume_role_external_id:
    description:
      - External ID that the trust policy of O(assume_role_arn) demands.
    type: str
  assume_role_session_name:
    description:
      - Session name for O(assume_role_arn); V(vaultfleet-aws) without it.
    type: str
  wrap_ttl:
    description:
      - Have Vault wrap the answer for this time, so that what is handed on is a single-use wrapping token.
      - Seconds, or a duration such as V(5m).
    type: str
"""

    # Where a lookup finds the options, beside its keywords. Of several names that are set, Ansible takes the last.
    PLUGINS = r"""
options:
  type:
    vars:
      - name: vaultfleet_aws_type
    ini:
      - section: vaultfleet_aws
        key: type
    env:
      - name: VAULTFLEET_AWS_TYPE
  role:
    vars:
      - name: vaultfleet_aws_role
    ini:
      - section: vaultfleet_aws
        key: role
    env:
      - name: VAULTFLEET_AWS_ROLE
  mount_path:
    vars:
      - name: vaultfleet_aws_mount_path
    ini:
      - section: vaultfleet_aws
        key: mount_path
    env:
      - name: VAULTFLEET_AWS_MOUNT_PATH
  region:
    vars:
      - name: vaultfleet_aws_region
    ini:
      - section: vaultfleet_aws
        key: region
    env:
      - name: VAULTFLEET_AWS_REGION
  sts_endpoint:
    vars:
      - name: vaultfleet_aws_sts_endpoint
    ini:
      - section: vaultfleet_aws
        key: sts_endpoint
    env:
      - name: VAULTFLEET_AWS_STS_ENDPOINT
  access_key:
    vars:
      - name: vaultfleet_aws_access_key
    ini:
      - section: vaultfleet_aws
        key: access_key
    env:
      - name: VAULTFLEET_AWS_ACCESS_KEY
  secret_key:
    vars:
      - name: vaultfleet_aws_secret_key
    ini:
      - section: vaultfleet_aws
        key: secret_key
    env:
      - name: VAULTFLEET_AWS_SECRET_KEY
  session_token:
    vars:
      - name: vaultfleet_aws_session_token
    ini:
      - section: vaultfleet_aws
        key: session_token
    env:
      - name: VAULTFLEET_AWS_SESSION_TOKEN
  profile:
    vars:
      - name: vaultfleet_aws_profile
    ini:
      - section: vaultfleet_aws
        key: profile
    env:
      - name: VAULTFLEET_AWS_PROFILE
  header_value:
    vars:
      - name: vaultfleet_aws_header_value
    ini:
      - section: vaultfleet_aws
        key: header_value
    env:
      - name: ANSIBLE_HASHI_VAULT_AWS_IAM_SERVER_ID
      - name: VAULTFLEET_AWS_HEADER_VALUE
  signature_type:
    vars:
      - name: vaultfleet_aws_signature_type
    ini:
      - section: vaultfleet_aws
        key: signature_type
    env:
      - name: VAULTFLEET_AWS_SIGNATURE_TYPE
  nonce:
    vars:
      - name: vaultfleet_aws_nonce
    ini:
      - section: vaultfleet_aws
        key: nonce
    env:
      - name: VAULTFLEET_AWS_NONCE
  assume_role_arn:
    vars:
      - name: vaultfleet_aws_assume_role_arn
    ini:
      - section: vaultfleet_aws
        key: assume_role_arn
    env:
      - name: VAULTFLEET_AWS_ASSUME_ROLE_ARN
  assume_role_external_id:
    vars:
      - name: vaultfleet_aws_assume_role_external_id
    ini:
      - section: vaultfleet_aws
        key: assume_role_external_id
    env:
      - name: VAULTFLEET_AWS_ASSUME_ROLE_EXTERNAL_ID
  assume_role_session_name:
    vars:
      - name: vaultfleet_aws_assume_role_session_name
    ini:
      - section: vaultfleet_aws
        key: assume_role_session_name
    env:
      - name: VAULTFLEET_AWS_ASSUME_ROLE_SESSION_NAME
  wrap_ttl:
    vars:
      - name: vaultfleet_aws_wrap_ttl
    ini:
      - section: vaultfleet_aws
        key: wrap_ttl
    env:
      - name: VAULTFLEET_AWS_WRAP_TTL
"""
