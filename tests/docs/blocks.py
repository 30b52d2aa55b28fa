# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The code blocks of the documentation, each with the comment before it that says how a test runs it.

In a guide that is ``.. run: KIND``, in a README ``<!-- run: KIND -->``; or ``not run: REASON``. A kind may have an
argument: ``run: tasks alice``. A block without such a comment has the kind "".
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).parents[2]
GUIDES = PROJECT / "docs" / "docsite" / "rst"
NOT_RUN = "not run"

_MARK = re.compile(r"(?P<not>not )?run: (?P<text>.+)")
_DIRECTIVE = re.compile(r"\.\. (?:code-block|code|sourcecode|highlight|parsed-literal)::\s*(?P<language>\S*)")


@dataclass(frozen=True)
class Block:
    """One code block. line: its first; reason: why it is not run, or the argument of its kind."""

    file: Path
    line: int
    language: str
    kind: str
    reason: str
    text: str

    @property
    def place(self) -> str:
        """For people: where it stands."""
        return f"{self.file.relative_to(PROJECT)}:{self.line}"


def sources() -> list[Path]:
    """Every page with blocks: the guides, and each README that a user reads."""
    return [
        *sorted(GUIDES.glob("*.rst")),
        PROJECT / "README.md",
        PROJECT / "roles" / "vault_agent" / "README.md",
    ]


def blocks(files: list[Path] | None = None) -> list[Block]:
    """The blocks of ``files`` (of all, without), in their order."""
    return [
        block
        for file in files or sources()
        for block in (_of_guide(file) if file.suffix == ".rst" else _of_markdown(file))
    ]


def of_kind(*kinds: str) -> list[Block]:
    """The blocks that are run in one of these ways."""
    return [block for block in blocks() if block.kind in kinds]


def _of_guide(file: Path) -> list[Block]:
    lines = file.read_text(encoding="utf-8").splitlines()
    found = []
    mark = ""
    for number, line in enumerate(lines):
        text = line.strip()
        directive = _DIRECTIVE.match(text)
        if directive or (text.endswith("::") and not text.startswith("..")):
            indent = len(line) - len(line.lstrip())
            body = _below(lines, number + 1, indent)
            language = directive["language"] if directive else "a literal block"
            found.append(_block(file, number + 1, language, mark, body))
            mark = ""
        elif text.startswith(".. ") and _MARK.fullmatch(text[3:]):
            mark = text[3:]
        elif text:
            mark = ""
    return found


def _below(lines: list[str], start: int, indent: int) -> str:
    """What stands deeper than ``indent`` from line ``start`` on, options of the directive left out."""
    body = []
    for line in lines[start:]:
        if line.strip() and len(line) - len(line.lstrip()) <= indent:
            break
        body.append(line)
    text = textwrap.dedent("\n".join(body)).strip("\n")
    return re.sub(r"\A(?::[\w-]+:.*\n)+\n*", "", text) + "\n"


def _of_markdown(file: Path) -> list[Block]:
    lines = file.read_text(encoding="utf-8").splitlines()
    found = []
    mark, start, language = "", -1, ""
    for number, line in enumerate(lines):
        if start < 0 and line.startswith("```"):
            start, language = number, line[3:].strip()
        elif start >= 0 and line.startswith("```"):
            body = "\n".join(lines[start + 1 : number]) + "\n"
            found.append(_block(file, start + 1, language, mark, body))
            mark, start = "", -1
        elif start < 0:
            comment = re.fullmatch(r"<!-- (.+) -->", line.strip())
            if comment and _MARK.fullmatch(comment[1]):
                mark = comment[1]
            elif line.strip():
                mark = ""
    return found


def _block(file: Path, line: int, language: str, mark: str, text: str) -> Block:
    match = _MARK.fullmatch(mark)
    if match is None:
        kind, reason = "", ""
    elif match["not"]:
        kind, reason = NOT_RUN, match["text"]
    else:
        kind, _blank, reason = match["text"].partition(" ")
    return Block(file, line, language, kind, reason, text)
