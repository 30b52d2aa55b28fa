# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever comes in as options or as an answer ends in a value or in an error of the family, never in anything else.

A few examples of what ``make fuzz`` tries by the thousand.
"""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.errors import redact
from ansible_collections.vaultfleet.aws.tests.unit.support.fuzz import (
    answers,
    metadata,
    options,
    redirects,
    sink_records,
)
from ansible_collections.vaultfleet.aws.tests.unit.support.fuzz.target import Target, bounded, try_out

CHEAP = (*options.TARGETS, *redirects.TARGETS)
WITH_A_SERVER = (*answers.TARGETS, *metadata.TARGETS, *sink_records.TARGETS)


@pytest.mark.parametrize("target", CHEAP, ids=lambda target: target.name)
def test_options_and_addresses(target: Target) -> None:
    try_out(target, 120)


@pytest.mark.parametrize("target", WITH_A_SERVER, ids=lambda target: target.name)
def test_answers_and_files(target: Target) -> None:
    try_out(target, 50)


@bounded(60)
@given(st.text(), st.lists(st.text(min_size=4), max_size=2))
def test_redact(text: str, secrets: list[str]) -> None:
    """One line, and short."""
    shown = redact(text, secrets)
    assert shown.isprintable()
    assert len(shown) <= 600
