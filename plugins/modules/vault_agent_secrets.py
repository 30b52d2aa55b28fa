#!/usr/bin/python
# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Secrets to files of root's, from memory to memory: ansible.builtin.copy has them in temporary files on the way."""

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_agent_secrets
short_description: Write the secrets that systemd hands to the Vault agent
version_added: 1.0.0
description:
  - Part of the role P(vaultfleet.aws.vault_agent#role), which is the way to use it.
  - Writes each secret to a file that only its owner, the user that the task runs as, can read. It is in no temporary
    file, neither on the controller nor on the host, if connection and become method can work with pipelining, which is
    switched on for this task.
author:
  - vaultfleet.aws contributors (@vaultfleet)
extends_documentation_fragment:
  - vaultfleet.aws.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
    details: What differs is secret.
  idempotent:
    support: full
  async:
    support: none
options:
  path:
    description: The folder, which must be there but in check mode.
    type: path
    required: true
  secrets:
    description: The text of each file, by its name.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Write a nonce
  vaultfleet.aws.vault_agent_secrets:
    path: /etc/vault-agent/vault-agent.credentials
    secrets:
      nonce: "{{ nonce }}"
"""

RETURN = r"""
# Nothing of its own.
"""

import os
import stat

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.vaultfleet.aws.plugins.module_utils._auth import cores, sink
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.errors import SinkError

MODE = 0o600


def main() -> None:
    """Run the module."""
    cores.forbid()
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "secrets": {"type": "dict", "required": True, "no_log": True},
        },
        supports_check_mode=True,
    )
    try:
        changed = [put(module, name, text) for name, text in module.params["secrets"].items()]
    except SinkError as e:
        module.fail_json(msg=str(e))
    module.exit_json(changed=any(changed))


def put(module: AnsibleModule, name: str, text: str) -> bool:
    """Have ``text`` in the file ``name``; whether it was not, or was others' to read. Raises SinkError."""
    path = os.path.join(module.params["path"], name)
    if os.path.basename(name) != name or not name.strip("."):
        raise SinkError(f"secrets: {name} is no file name")
    if is_own(path) and sink.read(path) == text:
        return False
    if not module.check_mode:
        sink.write(sink.Sink(path, MODE, os.geteuid(), os.getegid()), text)
    return True


def is_own(path: str) -> bool:
    """Whether there is a file of this user alone."""
    try:
        found = os.lstat(path)
    except OSError:
        return False
    owner = (found.st_uid, found.st_gid) == (os.geteuid(), os.getegid())
    return owner and stat.S_ISREG(found.st_mode) and stat.S_IMODE(found.st_mode) == MODE


if __name__ == "__main__":
    main()
