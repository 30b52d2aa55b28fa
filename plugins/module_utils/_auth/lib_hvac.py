# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""hvac and the HTTP libraries that it stands on, or their absence. The rest of the core imports them from here."""

from __future__ import annotations

from .absent import Absent

MISSING: ImportError | None = None
try:
    import hvac
    import hvac.adapters
    import requests
    import requests.adapters
    import requests.utils
    import urllib3
    import urllib3.connection
except ImportError as e:
    MISSING = e
    hvac = requests = urllib3 = Absent  # type: ignore[assignment]

__all__ = ["MISSING", "hvac", "requests", "urllib3"]
