# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stands in for a library that is not installed, so that a front end can say so instead of failing to load.

Ansible demands that module_utils load without their libraries.
"""

from __future__ import annotations

import typing as t


class _Absent(type):
    """Any attribute is the class itself, so that it can be named, and inherited from; nothing of it is ever called."""

    def __getattr__(cls, name: str) -> t.Any:
        return cls


class Absent(metaclass=_Absent):
    """Takes the place of a module."""
