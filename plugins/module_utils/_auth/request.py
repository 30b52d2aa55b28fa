# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What both proofs of identity end in: the body of one login call."""

from __future__ import annotations

import dataclasses
import typing as t


@dataclasses.dataclass(frozen=True)
class LoginRequest:
    """One login, ready to be sent.

    body: the JSON object for ``auth/<mount>/login``. facts: names for error hints (role, provider, region, ...).
    secrets: values that the server's answer might repeat and that must then be masked.
    """

    body: t.Mapping[str, str] = dataclasses.field(repr=False)
    facts: t.Mapping[str, str]
    secrets: tuple[str | None, ...] = dataclasses.field(default=(), repr=False)
