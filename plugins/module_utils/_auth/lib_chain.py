# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The parts of botocore that find credentials, or their absence; they take as long to load as what signs."""

from __future__ import annotations

from .absent import Absent

try:
    import botocore
    import botocore.awsrequest
    import botocore.config
    import botocore.credentials
    import botocore.exceptions
    import botocore.session
    import botocore.utils
except ImportError:  # which lib_botocore tells of
    botocore = Absent  # type: ignore[assignment]

__all__ = ["botocore"]
