# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""botocore and the urllib3 that comes with it, or their absence. The rest of the core imports them from here.

Only what signs is loaded here; lib_chain has the rest.
"""

from __future__ import annotations

from .absent import Absent

MISSING: ImportError | None = None
try:
    import botocore
    import botocore.auth
    import botocore.awsrequest
    import botocore.exceptions
    import botocore.loaders
    import botocore.utils
    import urllib3
except ImportError as e:
    MISSING = e
    botocore = urllib3 = Absent  # type: ignore[assignment]

__all__ = ["MISSING", "botocore", "urllib3"]
