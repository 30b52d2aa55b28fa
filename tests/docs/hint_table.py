# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The hint table of the code, for people: what Vault says, what to do, whether it is tried again."""

from __future__ import annotations

import re

from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.errors import Retry
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.hints import ROWS, Hint

AGAIN = {
    Retry.PERMANENT: "no",
    Retry.RESIGN: "once, signed anew",
    Retry.TRANSIENT: "yes",
}
# What a hint fills in.
FACTS = {
    "{instance}": "INSTANCE",
    "{mount}": "MOUNT",
    "{provider}": "SOURCE",
    "{region}": "REGION",
    "{role}": "ROLE",
    "{skew}": "",
    "{sts_host}": "HOST",
}


def table() -> str:
    """A list-table with a row for each known answer, in the order in which they are tried."""
    lines = [".. list-table::", "   :header-rows: 1", "   :widths: 35 52 13", ""]
    lines += ["   * - Vault's answer", "     - What to do", "     - Tried again"]
    for row in ROWS:
        lines += [f"   * - {_answer(row)}", f"     - {_advice(row)}", f"     - {AGAIN[row.retry]}"]
    return "\n".join(lines)


def _answer(row: Hint) -> str:
    texts = ", ".join(f"``{readable(text)}``" for text in alternatives(row.pattern) if text)
    status = f"HTTP {row.status}" if row.status else ""
    of = {True: ", to a login", False: ", to a token's own call", None: ""}[row.of_login]
    return " with ".join(filter(None, [status, texts])) + of


def _advice(row: Hint) -> str:
    text = row.advice
    for fact, name in FACTS.items():
        text = text.replace(fact, name)
    return escaped(text[0].upper() + text[1:] if not text.startswith(("header_value", "role ")) else text)


def alternatives(pattern: str) -> list[str]:
    """The parts of a pattern between its outermost ``|``."""
    if re.fullmatch(r"\(\?:[^()]*\)", pattern):
        pattern = pattern[3:-1]
    parts, depth = [""], 0
    for character in pattern:
        depth += (character == "(") - (character == ")")
        if character == "|" and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def readable(pattern: str) -> str:
    """A pattern as the text that it is for."""
    text = re.sub(r"\(\?:([^()]*)\)", lambda match: match[1].replace("|", "/"), pattern)
    text = re.sub(r"\.\{\d+,\d+\}|\\w\+", "...", text)
    return re.sub(r"\\d", "x", text).replace('\\"?', '"').replace("\\", "").strip()


def escaped(text: str) -> str:
    """Plain text for a guide."""
    return re.sub(r"([*`|\\]|_(?=\W|$))", r"\\\1", text.strip())
