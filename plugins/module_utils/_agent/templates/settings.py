# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is configured of templates, as data."""

from __future__ import annotations

import dataclasses
import typing as t

from ..._auth.sink import Sink


@dataclasses.dataclass(frozen=True)
class Template:
    """One template.

    text: the template itself; compiled: the same for Jinja2, None where there is none. place: the file that it becomes.
    key: where it is configured. create_dirs: make the folders of its file. strict: what is not defined is an error.
    wait: seconds without a change, and at most, before a change is rendered. command: run after the file changed, ()
    for none; timeout: its seconds. units: systemd units that somebody else reloads then.
    """

    text: str = dataclasses.field(repr=False)
    place: Sink
    key: str
    create_dirs: bool = False
    strict: bool = True
    wait: tuple[int, int] = (0, 0)
    command: tuple[str, ...] = ()
    timeout: int = 30
    units: tuple[str, ...] = ()
    compiled: t.Any = dataclasses.field(default=None, repr=False, compare=False)
