#!/usr/bin/python
# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Looks at a host for the role: refuses what cannot work there, returns what is there."""

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_agent_host
short_description: Look at a host before the role vault_agent changes it
version_added: 1.0.0
description:
  - Part of the role P(vaultfleet.aws.vault_agent#role), which is the way to use it.
  - Refuses a host on which the agent cannot work, with all reasons, before anything is changed there. Returns what the
    role has to know of it. Changes nothing.
author:
  - vaultfleet.aws contributors (@vaultfleet)
extends_documentation_fragment:
  - vaultfleet.aws.attributes
attributes:
  check_mode:
    support: full
    details:
      - Users, groups and folders that do not exist yet are warnings then, as what creates them may be in check mode
        itself.
  diff_mode:
    support: none
  idempotent:
    support: full
  async:
    support: full
options:
  name:
    description: Name of the agent, its user and its unit.
    type: str
    required: true
  state:
    description: With V(absent) nothing is refused but what is not of this role.
    type: str
    choices: [present, absent]
    default: present
  service_state:
    description: With V(stopped) systemd need not run.
    type: str
    choices: [started, stopped]
    default: started
  login:
    description: The type of the login, and the server, namespace and mount that it is for.
    type: dict
    default: {}
  sinks:
    description: The token files.
    type: list
    elements: dict
    default: []
  folders:
    description:
      - What the service is to write to outside of its own folder. It must be there, unless O(service_state=stopped).
    type: list
    elements: str
    default: []
  sink_setype:
    description: The SELinux type that is wished for. There is a warning where it has no effect.
    type: str
  readers:
    description: The users who are to read them.
    type: list
    elements: str
    default: []
  python:
    description: The interpreter for the agent. By default C(/usr/bin/python3), else the one that Ansible uses.
    type: path
"""

EXAMPLES = r"""
- name: See whether the host can run an agent
  vaultfleet.aws.vault_agent_host:
    name: vault-agent
"""

RETURN = r"""
python:
  description: Path and version of the interpreter, and the line of Python that its bundle is for.
  returned: when O(state=present)
  type: dict
  sample:
    path: /usr/bin/python3
    version: "3.13"
    line: "3.13"
systemd:
  description: Its version, and whether it runs.
  returned: success
  type: dict
  sample:
    version: 257
    runs: true
selinux:
  description: Whether SELinux is switched on; in an image, whether it will be.
  returned: success
  type: bool
sinks:
  description: The sinks as the agent's configuration has them.
  returned: when O(state=present)
  type: list
  elements: dict
readers_fit:
  description: Whether the members of the agent's group are the O(readers).
  returned: when O(state=present)
  type: bool
bundles:
  description: The version of each unpacked bundle, by the SHA-256 of its archive.
  returned: success
  type: dict
unused:
  description: What is in the folder of bundles, and no agent runs from it.
  returned: success
  type: list
  elements: str
alone:
  description: Whether the folder of configurations holds nothing but this agent's.
  returned: success
  type: bool
there:
  description:
    - What of the agent is there, and whether it is to be restarted or reloaded since a run was broken off.
    - Its configuration and its unit are among that, for a roll-back. They hold no secrets.
  returned: success
  type: dict
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.vaultfleet.aws.plugins.module_utils._role import look, versions


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "service_state": {"type": "str", "choices": ["started", "stopped"], "default": "started"},
            "login": {"type": "dict", "default": {}},
            "sinks": {"type": "list", "elements": "dict", "default": []},
            "folders": {"type": "list", "elements": "str", "default": []},
            "sink_setype": {"type": "str"},
            "readers": {"type": "list", "elements": "str", "default": []},
            "python": {"type": "path"},
        },
        supports_check_mode=True,
    )
    params = module.params
    seen = look.Look(
        params["name"], lambda command: module.run_command(command, handle_exceptions=False), module.check_mode
    )
    result: dict[str, t.Any] = {"systemd": seen.systemd(), "selinux": look.selinux()}
    seen.foreign()
    if params["state"] == "present":
        seen.occupied()
        if params["service_state"] == "started" and result["systemd"]["version"] and not result["systemd"]["runs"]:
            seen.problems.append("systemd does not run here -- set vault_agent_service_state: stopped for an image")
        result["python"] = seen.python(params["python"])
        seen.libraries(result["python"], params["sinks"])
        result["sinks"] = seen.sinks(params["sinks"])
        result["readers_fit"] = seen.readers(params["readers"])
        seen.others(params["login"])
        seen.setype(params["sink_setype"], result["selinux"])
        if params["service_state"] == "started":
            seen.folders(params["folders"])
    if seen.problems:
        module.fail_json(msg="\n".join(seen.problems))
    for warning in seen.warnings:
        module.warn(warning)
    module.exit_json(
        changed=False,
        bundles=look.bundles(),
        unused=versions.unused(),
        alone=look.alone(params["name"]),
        there=seen.there(),
        **result,
    )


if __name__ == "__main__":
    main()
