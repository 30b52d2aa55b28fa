# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The error family and what it hides."""

from __future__ import annotations

import pytest

from ansible_collections.vaultfleet.aws.plugins.module_utils._auth import errors
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.errors import (
    ConfigError,
    LoginError,
    Retry,
    VaultError,
    redact,
)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (LoginError("a failed"), "a failed"),
        (LoginError("a failed", server="no"), "a failed: no"),
        (LoginError("a failed", hint="do b"), "a failed -- do b"),
        (VaultError("a failed", server="no", hint="do b", status=400), "a failed: no -- do b"),
        (ConfigError("role", "is missing", hint="name it"), "role: is missing -- name it"),
    ],
)
def test_text(error: LoginError, text: str) -> None:
    """What failed, what the server said, what to change."""
    assert str(error) == text


def test_family() -> None:
    """One ``except LoginError`` gets them all, and each is permanent unless it says otherwise."""
    family = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    assert len(family) >= 6
    assert all(issubclass(kind, LoginError) for kind in family)
    assert LoginError("x").retry is Retry.PERMANENT
    assert ConfigError("role", "x").option == "role"
    assert VaultError("x").status is None


@pytest.mark.parametrize(
    ("text", "secrets", "expected"),
    [
        ("the key abcd is bad", ("abcd",), "the key ******** is bad"),
        ("nothing", (None, ""), "nothing"),
        ("x-amz-security-token:FwoGZXIvYXdz/+= and", (), "x-amz-security-token:******** and"),
        ("X-Amz-Security-Token:FwoG\\nhost:x", (), "X-Amz-Security-Token:********\\nhost:x"),
        ("token hvs.CAESIJ0123456789abcdefgh is", (), "token hvs.******** is"),
        ("token hvb.AAAAAQ0123456789abcdefgh is", (), "token hvb.******** is"),
        ("token s.0123456789abcdefghijklmn is", (), "token s.******** is"),
        ("one\r\ntwo\tthree\x1b[31m\x00 \u2028four", (), "one two three [31m four"),
    ],
)
def test_redact(text: str, secrets: tuple[str | None, ...], expected: str) -> None:
    """Secrets, tokens, and what would forge lines."""
    assert redact(text, secrets) == expected


def test_redact_masks_before_it_cuts() -> None:
    """A secret on the border is not shown in part."""
    shown = redact("a" * 590 + "secret-secret-secret" + "b" * 100, ("secret-secret-secret",))
    assert "s" not in shown
    assert len(shown) <= 600
