# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: files rendered by Jinja2 from what Vault holds, with the agent's token. Nothing here imports ansible.

``plan`` decides what is done when, without I/O; ``renderer`` does it, in a thread of its own.
"""

from __future__ import annotations
