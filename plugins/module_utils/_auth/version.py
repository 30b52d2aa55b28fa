# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The version that audit logs see (a unit test keeps it equal to galaxy.yml's)."""

from __future__ import annotations

VERSION = "1.0.0"
