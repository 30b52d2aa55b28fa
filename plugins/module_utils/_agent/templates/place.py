# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The file that a template becomes: always whole, as a token file, and left alone if it is right."""

from __future__ import annotations

import os

from ..._auth.errors import SinkError
from ..sinks import TokenFile
from .settings import Template

_FOLDER = 0o755  # what a file may be read by, its own mode says


class Destination:
    """The file of one template."""

    def __init__(self, template: Template) -> None:
        self._file = TokenFile(template.place)
        self._create = template.create_dirs

    def put(self, text: str) -> bool:
        """See that the file holds exactly ``text``, with its mode and owner; whether it had to be written.

        Raises SinkError, which says what to do; what was there before is whole then.
        """
        if self._file.holds(text):
            return False
        if self._create:
            _make(os.path.dirname(self._file.sink.path))
        self._file.put(text)
        return True


def _make(folder: str) -> None:
    """Make a folder and those above it. Raises SinkError."""
    if os.path.isdir(folder):
        return
    _make(os.path.dirname(folder))
    try:
        os.mkdir(folder)
        os.chmod(folder, _FOLDER)  # whatever the umask is
    except FileExistsError:
        pass
    except OSError as e:
        hint = "create it, or let the agent's user do so"
        raise SinkError(f"cannot make the folder {folder}", server=str(e.strerror), hint=hint) from None
