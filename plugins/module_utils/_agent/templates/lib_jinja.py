# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Jinja2, or its absence. It is loaded with this module, so by nobody who has no templates."""

from __future__ import annotations

from ..._auth.absent import Absent

MISSING: ImportError | None = None
try:
    import jinja2
    import jinja2.meta
    import jinja2.sandbox
except ImportError as e:
    MISSING = e
    jinja2 = Absent  # type: ignore[assignment]

__all__ = ["MISSING", "jinja2"]
