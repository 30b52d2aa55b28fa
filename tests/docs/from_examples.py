# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What guides show of the files in ``examples``."""

from __future__ import annotations

import textwrap

from tests.docs.blocks import PROJECT

EXAMPLES = PROJECT / "examples"
INDENT = "    "


def execution_environment() -> str:
    """The definition for ansible-builder, as a block."""
    text = (EXAMPLES / "execution-environment.yml").read_text(encoding="utf-8")
    return _block(text[text.index("\nversion:") :])


def credential_inputs() -> str:
    """What goes into the field "Input configuration" of a credential type of AWX, as a block."""
    return _block(_under("inputs"))


def credential_injectors() -> str:
    """The same for "Injector configuration"."""
    return _block(_under("injectors"))


def _under(key: str) -> str:
    """The lines below a key of the credential type, as they stand there."""
    lines = (EXAMPLES / "awx" / "credential-type.yml").read_text(encoding="utf-8").splitlines()
    after = lines[lines.index(f"{key}:") + 1 :]
    end = next((number for number, line in enumerate(after) if not line.startswith(" ")), len(after))
    return textwrap.dedent("\n".join(after[:end]))


def _block(text: str) -> str:
    return f".. run: yaml\n\n.. code-block:: yaml\n\n{textwrap.indent(text.strip(), INDENT)}"
