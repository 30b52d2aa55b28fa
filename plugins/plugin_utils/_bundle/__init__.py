# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The agent's bundle: its code and all that it imports, as one archive that any host with a Python can unpack and run.

Private to this collection, and for the controller only. The line, one file an arrow::

    lock -> wheels -> what is kept of them, with our code -> archive
"""

from __future__ import annotations
