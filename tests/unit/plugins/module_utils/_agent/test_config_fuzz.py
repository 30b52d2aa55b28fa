# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever stands in a configuration, it is one or its mistakes are named: no other exception, and no secret."""

from __future__ import annotations

import pytest

from ansible_collections.vaultfleet.aws.tests.unit.support.fuzz.agent_config import TARGETS
from ansible_collections.vaultfleet.aws.tests.unit.support.fuzz.target import Target, try_out


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_it_is_a_configuration_or_its_mistakes_are_named(target: Target) -> None:
    try_out(target, 400)
