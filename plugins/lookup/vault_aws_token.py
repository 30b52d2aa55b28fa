# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A token from the controller's AWS identity: options -> shared token of the run -> core."""

from __future__ import annotations

DOCUMENTATION = r"""
name: vault_aws_token
short_description: Token of HashiCorp Vault or OpenBao from the controller's AWS identity
version_added: 1.0.0
author:
  - vaultfleet.aws contributors (@vaultfleet)
description:
  - Logs in to Vault with the AWS identity of the controller, and returns the token.
  - One login serves the whole run of Ansible, whatever the number of hosts, tasks and forks. A token that nears its end
    is renewed or replaced.
  - Ansible evaluates a variable anew each time that it is used. With this lookup in it, that costs no login.
  - To revoke the tokens when the run ends, enable the callback P(vaultfleet.aws.vault_aws_tokens#callback).
extends_documentation_fragment:
  - vaultfleet.aws.login
  - vaultfleet.aws.login.plugins
  - vaultfleet.aws.unwrap
  - vaultfleet.aws.unwrap.plugins
  - vaultfleet.aws.connection
  - vaultfleet.aws.connection.plugins
options:
  _terms:
    description:
      - Names of roles, for one token each. Without any, O(role) counts.
    type: list
    elements: str
  cache:
    description:
      - With V(run), the processes of a run share one login of each identity. The token is in memory, in a folder that
        is private to the user, below E(XDG_RUNTIME_DIR) or C(/dev/shm). Where a machine swaps, that memory can be
        swapped, so let it encrypt its swap.
      - With V(none), each lookup logs in.
    type: str
    choices: [run, none]
    default: run
    vars:
      - name: vaultfleet_aws_cache
    ini:
      - section: vaultfleet_aws
        key: cache
    env:
      - name: VAULTFLEET_AWS_CACHE
  cache_timeout:
    description:
      - How long to wait for another process of this run that is logging in. Seconds, or a duration.
    type: str
    default: 60s
    vars:
      - name: vaultfleet_aws_cache_timeout
    ini:
      - section: vaultfleet_aws
        key: cache_timeout
    env:
      - name: VAULTFLEET_AWS_CACHE_TIMEOUT
  check_interval:
    description:
      - How often one process looks whether the shared token was revoked. Seconds, or a duration; V(0) for never.
    type: str
    default: 30s
    vars:
      - name: vaultfleet_aws_check_interval
    ini:
      - section: vaultfleet_aws
        key: check_interval
    env:
      - name: VAULTFLEET_AWS_CHECK_INTERVAL
  min_ttl:
    description:
      - Seconds that a shared token must still have to be handed out, or a duration. Of a token that lives shorter,
        half of its lifetime is enough.
    type: str
    default: 60s
    vars:
      - name: vaultfleet_aws_min_ttl
    ini:
      - section: vaultfleet_aws
        key: min_ttl
    env:
      - name: VAULTFLEET_AWS_MIN_TTL
  return:
    description:
      - V(token) returns the token, V(login) the server's whole answer in the shape of Vault's API. Of a token that is
        shared, that is the answer to the login, or renewal. With O(sink), it has the token only.
    type: str
    choices: [token, login]
    default: token
    vars:
      - name: vaultfleet_aws_return
    ini:
      - section: vaultfleet_aws
        key: return
    env:
      - name: VAULTFLEET_AWS_RETURN
  revoke:
    description:
      - Whether the callback P(vaultfleet.aws.vault_aws_tokens#callback), if it is enabled, revokes the token at the end
        of the run.
    type: bool
    default: true
    vars:
      - name: vaultfleet_aws_revoke
    ini:
      - section: vaultfleet_aws
        key: revoke
    env:
      - name: VAULTFLEET_AWS_REVOKE
  sink:
    description:
      - Path of a token file that an agent, or M(vaultfleet.aws.aws_vault_login), keeps on the controller. The token is
        read from there, and no login is made.
      - If O(url) is known, the server is asked whether the token works, at most once in O(check_interval).
    type: path
    vars:
      - name: vaultfleet_aws_sink
    ini:
      - section: vaultfleet_aws
        key: sink
    env:
      - name: VAULTFLEET_AWS_SINK
notes:
  - Use the full name, V(vaultfleet.aws.vault_aws_token). The keyword C(collections) does not reach lookups.
  - O(type=ec2) needs O(nonce) or O(sink), since a second run with a new nonce would be refused.
  - O(wrap_ttl) needs O(cache=none). A wrapping token is for one use.
  - What was in O(wrapping_token) is shared by the run too, so that a variable with such a lookup can be used many
    times. With O(cache=none), use it once, as with C(set_fact). The callback does not revoke it, because another login
    brought it.
  - No version of ansible-core up to 2.21 lets a plugin mark a value as secret. Set C(no_log) on tasks that would show
    the token.
seealso:
  - module: vaultfleet.aws.aws_vault_login
  - plugin: vaultfleet.aws.vault_aws_tokens
    plugin_type: callback
"""

EXAMPLES = r"""
- name: Read a secret with a token of the controller's AWS identity
  ansible.builtin.uri:
    url: https://vault.example.org:8200/v1/secret/data/app
    headers:
      X-Vault-Token: "{{ lookup('vaultfleet.aws.vault_aws_token', role='deploy', url=vault_url) }}"
  vars:
    vault_url: https://vault.example.org:8200
  delegate_to: localhost
  no_log: true

- name: Hand the token to another collection, with the settings from variables
  vars:
    vaultfleet_aws_url: https://vault.example.org:8200
    vaultfleet_aws_role: deploy
  ansible.builtin.set_fact:
    app: "{{ lookup('community.hashi_vault.vault_kv2_get', 'app', url=vaultfleet_aws_url,
             token=lookup('vaultfleet.aws.vault_aws_token')) }}"
  no_log: true

- name: Two roles, two tokens
  vars:
    tokens: "{{ query('vaultfleet.aws.vault_aws_token', 'web', 'db') }}"
  ansible.builtin.debug:
    msg: "{{ tokens | length }} tokens"

- name: Unwrap a token that somebody's login left for this run
  vars:
    token: "{{ lookup('vaultfleet.aws.vault_aws_token', url='https://vault.example.org:8200',
               wrapping_token=lookup('ansible.builtin.env', 'WRAPPING_TOKEN')) }}"
  ansible.builtin.debug:
    msg: "{{ 'there is one' if token else 'there is none' }}"

- name: Read the token that an agent keeps on the controller
  vars:
    token: "{{ lookup('vaultfleet.aws.vault_aws_token', sink='/run/vault-agent/token') }}"
  ansible.builtin.debug:
    msg: "{{ 'there is one' if token else 'there is none' }}"
"""

RETURN = r"""
_raw:
  description: A token for each role, or the server's whole answers with O(return=login).
  type: list
  elements: raw
"""

import typing as t

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible.utils.display import Display

from ansible_collections.vaultfleet.aws.plugins.plugin_utils import _hit

display = Display()


class LookupModule(LookupBase):
    """The lookup; Ansible finds it by this name."""

    def run(self, terms: list[t.Any], variables: dict[str, t.Any] | None = None, **kwargs: t.Any) -> list[t.Any]:
        """Return a token, or a whole answer, for each role of ``terms``, or for ``role``. Raises AnsibleLookupError."""
        of_variables = self._options_of(variables or {})
        name = _hit.name_of(terms, kwargs, of_variables)
        found = _hit.recall(name) if name else None
        return self._by_options(terms, of_variables, kwargs, name) if found is None else found

    def _by_options(
        self, terms: list[t.Any], variables: dict[str, t.Any], given: dict[str, t.Any], name: str | None
    ) -> list[t.Any]:
        # Ansible compiles these anew in each process, so a hit does without.
        from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.errors import ConfigError, LoginError
        from ansible_collections.vaultfleet.aws.plugins.plugin_utils._lookup import (
            answer,
            from_environment,
            known,
            remember,
        )

        try:
            known(given, self.option_definitions)
            self.set_options(var_options=variables, direct=given)
            options = {
                option: from_environment(option, definition, *self.get_option_and_origin(option))
                for option, definition in self.option_definitions.items()
                if option != "_terms"
            }
            if not all(isinstance(term, str) for term in terms):
                raise ConfigError("role", "a term is not text", hint="give names of roles as terms")
            if options["sink"] and len(terms) > 1:
                raise ConfigError("sink", "holds one token, but several roles are asked for", hint="remove one of them")
            if options["wrapping_token"] and terms:
                raise ConfigError("wrapping_token", "has a role already", hint="remove it, or the roles that are terms")
            lookups = [{**options, "role": role} for role in terms or [options["role"]]]
            answers = [answer(one, display.warning) for one in lookups]
        except LoginError as e:
            raise AnsibleLookupError(f"vault_aws_token: {e}") from None
        if name:
            remember(name, lookups)
        return answers

    def _options_of(self, variables: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        """The variables that options can come from; Ansible hands them to a lookup as they were written."""
        names = [one["name"] for definition in self.option_definitions.values() for one in definition.get("vars", ())]
        found = {name: variables[name] for name in names if name in variables}
        return {name: self._templar.template(value) for name, value in found.items()} if self._templar else found
