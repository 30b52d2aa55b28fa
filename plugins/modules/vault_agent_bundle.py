#!/usr/bin/python
# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation of the action plugin of the same name, which does it all."""

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_agent_bundle
short_description: Build what the Vault agent of this collection runs from, on the controller
version_added: 1.0.0
description:
  - Builds the archives that put the agent onto hosts. One holds the agent, the libraries that it imports, a list of its
    parts (SBOM) and the licences. A host needs a Python to run it, and neither pip nor a package index.
  - It always runs on the controller, whatever host the task is for. One run for all hosts is enough, by
    C(run_once=true).
  - Libraries come as Python wheels from the package index that pip on the controller is configured with, or from
    O(wheelhouse). Each is checked against the hash in the lock of this collection. Nothing of them is run.
  - Two builds of the same version of this collection for the same line of Python are the same, byte for byte. A bundle
    that is already in O(dest) is checked by its hash, and is not built again.
author:
  - vaultfleet.aws contributors (@vaultfleet)
extends_documentation_fragment:
  - vaultfleet.aws.attributes
attributes:
  check_mode:
    support: full
    details:
      - What is not there yet is built in memory, so that its version can be told, and is not written to O(dest).
        Wheels that had to be fetched for it stay in the user's cache folder.
  diff_mode:
    support: none
  idempotent:
    support: full
  async:
    support: none
options:
  pythons:
    description:
      - The lines of Python on the hosts, in quotes. There is one bundle for each, because the newest libraries do not
        run on the oldest Python.
      - From V(3.9) to V(3.13). A bundle also runs on a newer Python than that which it is for.
    type: list
    elements: str
    required: true
  dest:
    description:
      - Folder for the bundles. It is made if it is missing. It must not be one to which everybody may write.
      - By default C(vaultfleet-aws/bundles) in the user's cache folder (E(XDG_CACHE_HOME), or C(~/.cache)).
    type: path
  wheelhouse:
    description:
      - Folder that holds the wheels. With it no package index is asked.
      - If a wheel is missing, the error has the C(pip download) command that fills the folder where there is an index.
    type: path
  templates:
    description:
      - Whether the agent is to render templates, for which the bundle holds Jinja2 and MarkupSafe as well.
      - MarkupSafe comes as a wheel for one kind of machine. Its compiled part is left out, so the bundle runs on all.
    type: bool
    default: false
notes:
  - pip is needed for the Python that runs Ansible, unless O(wheelhouse) is given. Its settings, such as
    E(PIP_INDEX_URL), are those of the user who runs Ansible.
  - Wheels are kept in C(vaultfleet-aws/wheels) in the user's cache folder. It can be removed at any time.
"""

EXAMPLES = r"""
- name: Build the agent for the Pythons of the fleet
  vaultfleet.aws.vault_agent_bundle:
    pythons: ["3.9", "3.11", "3.13"]
  run_once: true
  register: agent

- name: Put it onto the host
  ansible.builtin.unarchive:
    src: "{{ agent.bundles['3.11'].path }}"
    dest: /opt/vaultfleet-agent
    creates: "/opt/vaultfleet-agent/{{ agent.bundles['3.11'].version }}"

- name: Build it where there is no package index
  vaultfleet.aws.vault_agent_bundle:
    pythons: ["3.11"]
    wheelhouse: /srv/wheels
    dest: /srv/bundles
  run_once: true
"""

RETURN = r"""
bundles:
  description: The bundle of each line of Python, by that line.
  returned: success
  type: dict
  contains:
    path:
      description: The archive on the controller, a C(.tar.gz). In check mode it may not be there yet.
      type: str
      returned: success
      sample: /home/me/.cache/vaultfleet-aws/bundles/vaultfleet-agent-1.0.0-5f0c3a1b9d2e-py3.11.tar.gz
    sha256:
      description: The archive's hash, in hex.
      type: str
      returned: success
      sample: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
    size:
      description: The archive's size, in bytes.
      type: int
      returned: success
      sample: 1400000
    unpacked_size:
      description: The size of all files in it, in bytes.
      type: int
      returned: success
      sample: 5200000
    version:
      description:
        - The version of this collection and the first digits of a hash of all files in the bundle.
        - It is also the name of the only folder in the archive. The agent in it is started with
          C(PYTHON -I VERSION/bin/vaultfleet-agent), the login command beside it with
          C(PYTHON -I VERSION/bin/vault-aws-login).
      type: str
      returned: success
      sample: 1.0.0-5f0c3a1b9d2e
  sample:
    "3.11":
      path: /home/me/.cache/vaultfleet-aws/bundles/vaultfleet-agent-1.0.0-5f0c3a1b9d2e-py3.11.tar.gz
      sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
      size: 1400000
      unpacked_size: 5200000
      version: 1.0.0-5f0c3a1b9d2e
"""
