# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Durations as Vault writes them."""

from __future__ import annotations

import pytest

from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.durations import parse_duration
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.errors import ConfigError


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (0, 0),
        (30, 30),
        ("30", 30),
        (" 30 ", 30),
        ("90s", 90),
        ("5m", 300),
        ("1h30m", 5400),
        ("1h30m5s", 5405),
        ("2d", 172800),
        ("1.5h", 5400),
        ("0.5m", 30),
        ("1000ms", 1),
        ("59999ms1ms", 60),
        ("87600h", 315360000),
    ],
)
def test_good(value: object, seconds: int) -> None:
    """Integers, their text, and Go's form."""
    assert parse_duration("min_ttl", value) == seconds


@pytest.mark.parametrize(
    "value",
    [
        "", "s", "5 m", "5m ago", "-5m", -1, "-1", "1.5", 1.5, True, None, [], {}, b"5m", "500ms", "1.5s", "5M", "1y",
        "\N{ARABIC-INDIC DIGIT FIVE}m", "1h\n30m", "inf", "nan", "1e3", "0x10", 10**10, "99999999999", "87601h",
        "1s" * 5000 + "1ms",
    ],
)  # fmt: skip
def test_bad(value: object) -> None:
    """The error names the option, is short, and says how to write one."""
    with pytest.raises(ConfigError) as caught:
        parse_duration("min_ttl", value)
    assert caught.value.option == "min_ttl"
    assert "1h30m" in caught.value.hint
    assert len(str(caught.value)) < 300


def test_minimum() -> None:
    """A minimum is named."""
    assert parse_duration("timeout", "1s", minimum=1) == 1
    with pytest.raises(ConfigError, match="outside 1 seconds"):
        parse_duration("timeout", 0, minimum=1)
