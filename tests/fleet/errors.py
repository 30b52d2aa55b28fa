# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one error that the fleet shows to people."""

from __future__ import annotations


class FleetError(Exception):
    """A test host could not be had or did not do what was asked; the text says what, and what to do about it."""
