#!/usr/bin/python
# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waits until an agent serves, or fails with what the agent says."""

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_agent_wait
short_description: Wait until a Vault agent of this collection serves a token
version_added: 1.0.0
description:
  - Waits until the agent runs with the configuration that is on the host, has a token, and has written it to all sinks.
  - If that does not happen, it fails with the agent's own error and hint. It does so early where waiting cannot help.
    An agent that waits for its next try is asked to try at once.
author:
  - vaultfleet.aws contributors (@vaultfleet)
extends_documentation_fragment:
  - vaultfleet.aws.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
  async:
    support: full
options:
  name:
    description: Name of the agent.
    type: str
    required: true
  timeout:
    description: The longest wait, in seconds.
    type: float
    default: 60
"""

EXAMPLES = r"""
- name: Wait for the token
  vaultfleet.aws.vault_agent_wait:
    name: vault-agent
    timeout: 120
"""

RETURN = r"""
status:
  description: What C(vaultfleet-agent status --json) shows. It holds no secret.
  returned: if the agent has told anything
  type: dict
runs:
  description: Whether the agent is alive.
  returned: always
  type: bool
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.vaultfleet.aws.plugins.module_utils._role.waiting import wait


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "timeout": {"type": "float", "default": 60},
        },
        supports_check_mode=True,
    )
    name = module.params["name"]
    outcome = wait(name, module.params["timeout"], module.run_command)
    for warning in outcome.warnings:
        module.warn(f"{name}: {warning}")
    if outcome.problem:
        module.fail_json(msg=f"{name}: {outcome.problem}", runs=outcome.runs, status=outcome.status)
    module.exit_json(changed=False, runs=outcome.runs, status=outcome.status)


if __name__ == "__main__":
    main()
