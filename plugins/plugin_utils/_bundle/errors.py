# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a build fails with."""

from __future__ import annotations

import contextlib
import errno
import typing as t


class BundleError(Exception):
    """A bundle cannot be built; ``str()`` says in one line what failed and what to do."""

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(f"{what} -- {hint}")


@contextlib.contextmanager
def explained(what: str, hint: str) -> t.Iterator[None]:
    """Turn the system's refusals into a BundleError: that ``what`` failed, and why."""
    try:
        yield
    except OSError as e:
        if e.errno in (errno.ENOSPC, errno.EDQUOT):
            hint = f"free some space there, or {hint}"
        raise BundleError(f"{what}: {e.strerror or type(e).__name__}", hint) from None
