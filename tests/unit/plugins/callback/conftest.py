# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixtures of the shared token's own tests."""

from __future__ import annotations

from ansible_collections.vaultfleet.aws.tests.unit.plugins.plugin_utils.conftest import memory, vault

__all__ = ["memory", "vault"]
