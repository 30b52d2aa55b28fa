# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""hashicorp.vault takes the token, by its documented options. It is on no package index: the test runs where it is."""

from __future__ import annotations

import importlib.util

import pytest

from tests.stack.handle import Stack

from .conftest import OURS, User


def installed() -> bool:
    """Whether the collection is here."""
    try:
        return importlib.util.find_spec("ansible_collections.hashicorp.vault") is not None
    except ModuleNotFoundError:
        return False


@pytest.mark.skipif(not installed(), reason="the collection hashicorp.vault is not installed beside Ansible")
def test_lookup(user: User, stack: Stack) -> None:
    before = stack.logins()
    read = "lookup('hashicorp.vault.kv2_secret_get', secret='demo', auth_method='token', token=" + OURS + ")"
    user.play(
        {
            "ansible.builtin.assert": {"that": "secret | string is search('demo')"},
            "vars": {"secret": "{{ " + read + " }}"},
        }
    )
    assert stack.logins() == before + 1
