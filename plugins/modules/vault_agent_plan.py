#!/usr/bin/python
# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation of the action plugin of the same name, which does it all."""

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_agent_plan
short_description: Judge the variables of the role vault_agent
version_added: 1.0.0
description:
  - Part of the role P(vaultfleet.aws.vault_agent#role), which is the way to use it.
  - Judges all variables of a host at once, on the controller and without a connection, by the rules of the agent
    itself. The error has a line for each variable that is wrong.
  - Also refuses a nonce that another host of the play would have as well, a second agent of type ec2 for the same
    server, namespace and mount, and files of the controller that are not there, or are not what they should be.
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
    support: none
options:
  variables:
    description: The variables, by their full names. One that the role does not know is an error.
    type: dict
    required: true
  earlier:
    description: The RV(agents) of the host as they were before.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Judge variables
  vaultfleet.aws.vault_agent_plan:
    variables:
      vault_agent_name: vault-agent
      vault_agent_state: present
      vault_agent_service_state: started
      vault_agent_type: iam
      vault_agent_role: web
      vault_agent_url: https://vault.example.org:8200
      vault_agent_sinks:
        - path: /run/vault-agent/token
"""

RETURN = r"""
plan:
  description:
    - What the role does on the host. Its form may change with each version.
    - If it holds AWS keys or a nonce, it is hidden from all output, and is in the registered variable nevertheless.
  returned: success
  type: dict
agents:
  description: The server, namespace and mount of each agent that this run has planned for the host so far, by its name.
  returned: success
  type: dict
"""
