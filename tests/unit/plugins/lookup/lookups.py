# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lookup as Ansible would load it, without Ansible's plugin loader."""

from __future__ import annotations

import functools
import typing as t

import yaml
from ansible import constants

from ansible_collections.vaultfleet.aws.plugins.doc_fragments import connection, login, unwrap
from ansible_collections.vaultfleet.aws.plugins.lookup import vault_aws_token

NAME = "vaultfleet.aws.vault_aws_token"
Definitions = dict[str, dict[str, t.Any]]


@functools.cache  # PyYAML takes 20 ms for one text
def options_of(text: str) -> Definitions:
    """The options that a documentation defines; shared, so not to be changed."""
    return dict(yaml.safe_load(text)["options"])


def definitions() -> Definitions:
    """All options of the lookup, with those of the fragments."""
    merged: Definitions = {}
    for text in (
        vault_aws_token.DOCUMENTATION,
        login.ModuleDocFragment.DOCUMENTATION,
        login.ModuleDocFragment.PLUGINS,
        unwrap.ModuleDocFragment.DOCUMENTATION,
        unwrap.ModuleDocFragment.PLUGINS,
        connection.ModuleDocFragment.DOCUMENTATION,
        connection.ModuleDocFragment.PLUGINS,
    ):
        for name, definition in options_of(text).items():
            merged[name] = {**merged.get(name, {}), **definition}
    return merged


def run(*terms: t.Any, variables: dict[str, t.Any] | None = None, **options: t.Any) -> list[t.Any]:
    """Run the lookup in this process. Raises AnsibleLookupError."""
    constants.config.initialize_plugin_configuration_definitions("lookup", NAME, definitions())
    plugin = vault_aws_token.LookupModule()
    plugin._load_name = NAME
    return plugin.run(list(terms), variables or {}, **options)
