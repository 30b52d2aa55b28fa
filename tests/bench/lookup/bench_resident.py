# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How much memory the worker that evaluates this lookup has had at most."""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

from ansible.plugins.lookup import LookupBase


class LookupModule(LookupBase):
    """The lookup; Ansible finds it by this name."""

    def run(self, terms: list[t.Any], variables: dict[str, t.Any] | None = None, **kwargs: t.Any) -> list[str]:
        """Append the KiB to the file that is the only term, and return nothing of interest."""
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
        # One short write to a file that is opened for appending: workers do not mix their lines.
        descriptor = os.open(terms[0], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, line.split()[1].encode() + b"\n")
        finally:
            os.close(descriptor)
        return [""]
