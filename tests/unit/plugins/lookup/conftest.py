# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixtures of the shared token's own tests."""

from __future__ import annotations

import pytest

from ansible_collections.vaultfleet.aws.plugins.lookup import vault_aws_token
from ansible_collections.vaultfleet.aws.tests.unit.plugins.plugin_utils.conftest import memory, vault

__all__ = ["memory", "vault", "warnings"]


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the lookup warned of."""
    said: list[str] = []
    monkeypatch.setattr(vault_aws_token.display, "warning", said.append)
    return said
