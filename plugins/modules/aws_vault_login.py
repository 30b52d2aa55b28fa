#!/usr/bin/python
# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One login, as a task: options -> core -> result."""

from __future__ import annotations

DOCUMENTATION = r"""
module: aws_vault_login
short_description: Log in to HashiCorp Vault or OpenBao with an AWS identity
version_added: 1.0.0
description:
  - Proves to Vault who this machine is with its AWS identity, and gets a token. No secret has to be handed out first.
  - Runs on managed hosts, with their identity, or on the controller with C(delegate_to), with the controller's.
  - On the controller itself no program is started for it. The login is made in Ansible's own process where a module
    would find the same anyway, which is with C(connection=local), Ansible's own Python (that of the implicit
    C(localhost)), and neither C(become) nor C(environment).
  - With O(sink) the token is kept in a file, and a task that finds a good one there does not log in.
  - A result that carries a token or a nonce is shown at no verbosity, C(no_log) or not, while C(register) works.
author:
  - vaultfleet.aws contributors (@vaultfleet)
extends_documentation_fragment:
  - vaultfleet.aws.attributes
  - vaultfleet.aws.attributes.action_group
  - vaultfleet.aws.login
  - vaultfleet.aws.unwrap
  - vaultfleet.aws.connection
attributes:
  check_mode:
    support: full
    details:
      - It never logs in. A token in O(sink) is looked up, to tell whether a login would be made.
      - O(wrapping_token) is looked up, and fails as it would be refused, but is not used.
  diff_mode:
    support: full
    details:
      - The diff shows accessor, expiry and file mode of the token in O(sink), never the token.
  idempotent:
    support: partial
    details:
      - With O(sink). Without it, each run is a login.
  async:
    support: none
    details:
      - Ansible would leave the token in a file on the managed host.
options:
  state:
    description:
      - V(present) makes sure that there is a token.
      - V(absent) revokes the token in O(sink) and removes the file.
    type: str
    choices: [present, absent]
    default: present
  sink:
    description:
      - Keep the token in a file. If the file holds a token that still works, is of the same login and has O(min_ttl)
        left, nothing changes.
      - A file of the same name with C(.meta) at the end is written beside it, with mode V(0600) and without a secret.
        It says what login the token is of.
      - A token to which the server forbids C(lookup-self), or which has a limited number of uses, is taken as good
        until its lease ends.
    type: dict
    suboptions:
      path:
        description:
          - Absolute path of the file. Its directory must be there, and should be on a C(tmpfs), such as C(/run).
        type: path
        required: true
      mode:
        description:
          - Mode of the file, as a quoted octal string.
        type: raw
        default: "0600"
      owner:
        description:
          - Owner of the file, by name or id. Without it, the user that the module runs as.
        type: str
      group:
        description:
          - Group of the file, by name or id.
        type: str
  min_ttl:
    description:
      - Seconds that a token in O(sink) must still have, or a duration such as V(10m).
    type: str
    default: 60s
  return_token:
    description:
      - Whether the token is in the result. By default it is without O(sink), and is not with it.
    type: bool
notes:
  - Give O(secret_key), O(session_token) and O(nonce) by variables. What stands literally in a task shows in what prints
    the task itself, such as reports of the junit callback and E(ANSIBLE_DISPLAY_ARGS_TO_STDOUT).
  - With E(ANSIBLE_DEBUG) set, Ansible itself prints every module's raw result, tokens included. Never set it in
    production.
  - Where a login has no nonce of its own and O(type=ec2), the result carries one, with a warning. Keep it.
seealso:
  - module: community.hashi_vault.vault_login
    description: Its result has the same shape, so this module can take its place.
"""

EXAMPLES = r"""
- name: Log in with the host's AWS identity
  vaultfleet.aws.aws_vault_login:
    url: https://vault.example.org:8200
    role: web
  register: vault

- name: Read a secret with the token
  ansible.builtin.uri:
    url: https://vault.example.org:8200/v1/secret/data/app
    headers:
      X-Vault-Token: "{{ vault.login.auth.client_token }}"
  register: secret
  no_log: true

- name: Keep a token on the host, and log in only when it is due
  vaultfleet.aws.aws_vault_login:
    url: https://vault.example.org:8200
    role: web
    header_value: vault.example.org
    region: eu-central-1
    min_ttl: 1h
    sink:
      path: /run/app/vault-token
      mode: "0640"
      group: app

- name: Log in as an EC2 instance, with a nonce that the inventory keeps for it
  vaultfleet.aws.aws_vault_login:
    url: https://vault.example.org:8200
    type: ec2
    role: node
    nonce: "{{ vault_nonce }}"
    sink:
      path: /run/app/vault-token

- name: Log in once for the whole play, with the controller's identity
  vaultfleet.aws.aws_vault_login:
    url: https://vault.example.org:8200
    role: deploy
    profile: deploy
  delegate_to: localhost
  run_once: true
  register: vault

- name: Log in on the controller for a host that has no AWS identity
  vaultfleet.aws.aws_vault_login:
    url: https://vault.example.org:8200
    role: onpremises
    wrap_ttl: 5m
  delegate_to: localhost
  register: wrapped

- name: Unwrap the token on the host; nobody else has used it
  vaultfleet.aws.aws_vault_login:
    url: https://vault.example.org:8200
    wrapping_token: "{{ wrapped.login.wrap_info.token }}"
  register: vault

- name: Read what a wrapped sink of the agent holds
  ansible.builtin.slurp:
    src: /run/vault-agent/wrapped
  register: sink
  no_log: true

- name: Unwrap the agent's token
  vaultfleet.aws.aws_vault_login:
    url: https://vault.example.org:8200
    wrapping_token: "{{ sink.content | b64decode }}"
    wrapping_path: sys/wrapping/wrap
  register: vault

- name: Revoke the token on the host and remove it
  vaultfleet.aws.aws_vault_login:
    url: https://vault.example.org:8200
    state: absent
    sink:
      path: /run/app/vault-token
"""

RETURN = r"""
login:
  description:
    - The server's answer, in the shape of Vault's API.
    - With O(wrapping_token) it has C(auth) alone, with what is known of the token.
    - Not there in check mode, and with O(state=absent).
  returned: when there is a token
  type: dict
  contains:
    auth:
      description: The token and its lease. V(null) with O(wrap_ttl).
      type: dict
      returned: without O(wrap_ttl)
      contains:
        client_token:
          description: The token.
          type: str
          returned: with O(return_token)
          sample: hvs.EXAMPLE
        accessor:
          description: The token's accessor, which can be used to revoke it but not to act as it.
          type: str
          returned: always
          sample: aqcUIKQRNLuNJ777IczauK9l
        lease_duration:
          description: Seconds until the token ends; for a token that was in the sink, what is left. V(0) is for ever.
          type: int
          returned: always
          sample: 2764800
        policies:
          description: The token's policies.
          type: list
          elements: str
          returned: always
          sample: [default, app-read]
        renewable:
          description: Whether the token can be renewed.
          type: bool
          returned: always
          sample: true
    wrap_info:
      description: The wrapping token and its lease.
      type: dict
      returned: with O(wrap_ttl)
      contains:
        token:
          description: The single-use wrapping token.
          type: str
          returned: always
          sample: hvs.EXAMPLE
        ttl:
          description: Seconds until it ends.
          type: int
          returned: always
          sample: 300
        creation_path:
          description: The path that was wrapped. Whoever unwraps should check it.
          type: str
          returned: always
          sample: auth/aws/login
identity:
  description: Who logged in.
  returned: when a login was made
  type: dict
  contains:
    type:
      description: As O(type).
      type: str
      returned: always
      sample: iam
    provider:
      description:
        - Where the credentials came from. C(static), or the AWS SDK's name of the source, such as C(env),
          C(shared-credentials-file), C(container-role), C(iam-role); C(instance-identity) with O(type=ec2).
      type: str
      returned: always
      sample: iam-role
    account_id:
      description: The AWS account, if known.
      type: str
      returned: always
      sample: "123456789012"
    arn:
      description: The ARN of the identity, if the server's answer has it.
      type: str
      returned: always
      sample: arn:aws:iam::123456789012:role/web
    instance_id:
      description: The EC2 instance, if known.
      type: str
      returned: always
      sample: i-0123456789abcdef0
    region:
      description: The region that the request was signed for, or that the instance is in.
      type: str
      returned: always
      sample: eu-central-1
expires_at:
  description: When the token ends, in UTC; V(null) for never.
  returned: when there is a token, and the server tells how long it lives
  type: str
  sample: "2026-11-21T12:00:00Z"
nonce:
  description: The re-authentication value that was made for this login. The next login of this instance needs it.
  returned: with O(type=ec2) and no O(nonce), when a login was made
  type: str
  sample: 5defbf9e-a8f9-3063-bdfc-54b7a42a1f95
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.vaultfleet.aws.plugins.module_utils import _login_task
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth import cores
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.errors import LoginError, bug


def main() -> None:
    """The module."""
    cores.forbid()
    module = AnsibleModule(argument_spec=_login_task.ARGUMENT_SPEC, supports_check_mode=True)
    missing = _login_task.missing(module.params)
    if missing:
        library, why = missing
        module.fail_json(msg=missing_required_lib(library), exception=why)
    result: dict[str, t.Any] = {}
    failure = ""
    try:
        result = _login_task.run(module)
    except LoginError as e:
        failure = str(e)
    except Exception as e:  # noqa: BLE001 - its message may hold a secret
        failure = bug(e, "aws_vault_login")
    if failure:  # not while it is handled, or Ansible shows the exception itself
        module.fail_json(msg=failure)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
