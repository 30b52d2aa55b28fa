# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Core dumps, which would leave tokens and keys on a disk: a process with secrets in its memory has none."""

from __future__ import annotations

import contextlib


def forbid() -> None:
    """Let this process, and those that it starts, leave no core dump. Where the system knows no such limit, nothing."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
