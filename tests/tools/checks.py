# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is checked by which command, for the suite and for noxfile.py."""

from __future__ import annotations

from .project import COLLECTION, ROOT

# Code under the collection's own name, then code of the tests that is not imported by that name.
_TYPED = [
    COLLECTION / "plugins",
    COLLECTION / "tests" / "unit",
    *sorted(file.parent for file in (ROOT / "tests").glob("*/__init__.py")),
]
MYPY = ["mypy", "--no-error-summary", *(str(path.relative_to(ROOT)) for path in _TYPED)]
