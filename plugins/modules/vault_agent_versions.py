#!/usr/bin/python
# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Unpacks bundles on a host, switches agents between them, and removes those that no agent uses."""

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_agent_versions
short_description: Unpack, switch and prune bundles of the Vault agent on a host
version_added: 1.0.0
description:
  - Part of the role P(vaultfleet.aws.vault_agent#role), which is the way to use it.
  - Bundles are made by M(vaultfleet.aws.vault_agent_bundle). They are in C(/opt/vaultfleet-agent), each in a folder
    named by its version. An agent runs from the one that a symbolic link of the agent's name leads to.
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
  state:
    description:
      - V(unpacked) unpacks O(archive), so that others see all of it or nothing, and removes the archive.
      - V(current) has the agent O(name) run from O(version), at its next start.
      - V(pruned) removes what no agent runs from, and the folder itself once it is empty.
      - V(absent) takes the link of the agent O(name) away, and prunes.
    type: str
    choices: [unpacked, current, pruned, absent]
    required: true
  name:
    description: The agent. Needed for V(current) and V(absent).
    type: str
  version:
    description: The version. Needed for V(current).
    type: str
  archive:
    description: Path of the archive on the host. Needed for V(unpacked).
    type: path
  sha256:
    description: The archive's SHA-256 in hex. Needed for V(unpacked).
    type: str
"""

EXAMPLES = r"""
- name: Unpack a bundle
  vaultfleet.aws.vault_agent_versions:
    state: unpacked
    archive: /opt/vaultfleet-agent/.bundle.tar.gz
    sha256: "{{ agent.bundles['3.11'].sha256 }}"

- name: Have the agent run from it
  vaultfleet.aws.vault_agent_versions:
    state: current
    name: vault-agent
    version: "{{ agent.bundles['3.11'].version }}"
"""

RETURN = r"""
version:
  description: The version that was unpacked.
  returned: when O(state=unpacked), outside check mode
  type: str
  sample: 1.0.0-5f0c3a1b9d2e
removed:
  description: The versions that were removed.
  returned: when O(state) is V(pruned) or V(absent)
  type: list
  elements: str
"""

import os
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.vaultfleet.aws.plugins.module_utils._role import places, versions


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["unpacked", "current", "pruned", "absent"], "required": True},
            "name": {"type": "str"},
            "version": {"type": "str"},
            "archive": {"type": "path"},
            "sha256": {"type": "str"},
        },
        required_if=[
            ("state", "unpacked", ("archive", "sha256")),
            ("state", "current", ("name", "version")),
            ("state", "absent", ("name",)),
        ],
        supports_check_mode=True,
    )
    try:
        result = _STATES[module.params["state"]](module.params, module.check_mode)
    except versions.VersionError as e:
        module.fail_json(msg=str(e))
    except OSError as e:
        module.fail_json(msg=f"cannot change {e.filename or places.BUNDLES}: {e.strerror or e}")
    module.exit_json(**result)


def _unpacked(params: t.Mapping[str, t.Any], dry: bool) -> dict[str, t.Any]:
    if dry:
        return {"changed": True}
    with versions.turn():
        version = versions.unpack(params["archive"], params["sha256"])
        os.unlink(params["archive"])
    return {"changed": True, "version": version}


def _current(params: t.Mapping[str, t.Any], dry: bool) -> dict[str, t.Any]:
    if places.current(params["name"]) == params["version"]:
        return {"changed": False}
    if not dry:
        with versions.turn():
            versions.switch(params["name"], params["version"])
    return {"changed": True}


def _pruned(params: t.Mapping[str, t.Any], dry: bool) -> dict[str, t.Any]:
    if dry or not os.path.isdir(places.BUNDLES):
        return {"changed": bool(versions.unused()), "removed": versions.unused()}
    with versions.turn():
        removed = versions.unused()
        versions.prune(removed)
        gone = versions.leave()
    return {"changed": bool(removed) or gone, "removed": removed}


def _absent(params: t.Mapping[str, t.Any], dry: bool) -> dict[str, t.Any]:
    if not os.path.isdir(places.BUNDLES):
        return {"changed": False, "removed": []}
    if dry:
        return {"changed": os.path.islink(places.link(params["name"])) or bool(versions.unused()), "removed": []}
    with versions.turn():
        unlinked = versions.unlink(params["name"])
        removed = versions.unused()
        versions.prune(removed)
        versions.leave()
    return {"changed": unlinked or bool(removed), "removed": removed}


_STATES: dict[str, t.Callable[[t.Mapping[str, t.Any], bool], dict[str, t.Any]]] = {
    "unpacked": _unpacked,
    "current": _current,
    "pruned": _pruned,
    "absent": _absent,
}

if __name__ == "__main__":
    main()
