# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can be said of the documentation without a server: all blocks are accounted for, and well-formed."""

from __future__ import annotations

import configparser
import json
from pathlib import Path

import pytest
import yaml

from tests.docs import generated
from tests.docs.blocks import GUIDES, NOT_RUN, PROJECT, Block, blocks
from tests.docs.hint_table import alternatives, readable

# What tests/docs/live runs, tests/fleet (host, iptables, nft), and what needs no server.
RUN = {
    "agent",
    "assume",
    "error",
    "host",
    "iptables",
    "neighbours",
    "nft",
    "operator",
    "policy",
    "prepare",
    "reader",
    "role",
    "server",
    "shell",
    "tasks",
    "variables",
}
WELL_FORMED = {"ini", "json", "yaml"}


def named(block: Block) -> str:
    """A block's name among the tests."""
    return block.place


@pytest.mark.parametrize("block", blocks(), ids=named)
def test_every_block_says_how_it_is_run(block: Block) -> None:
    assert block.kind in RUN | WELL_FORMED | {NOT_RUN}, (
        f"{block.place}: put '.. run: KIND' or '.. not run: REASON' before"
    )
    assert block.text.strip(), f"{block.place} is empty"
    if block.kind == NOT_RUN:
        assert len(block.reason) > 5, f"{block.place}: why?"


@pytest.mark.parametrize("block", [block for block in blocks() if block.language in WELL_FORMED], ids=named)
def test_form(block: Block) -> None:
    if block.language == "yaml":
        assert yaml.safe_load(block.text) is not None
    elif block.language == "json":
        json.loads(block.text)
    else:
        configparser.ConfigParser(interpolation=None).read_string(block.text)


@pytest.mark.parametrize("file", generated.guides(), ids=lambda file: file.stem)
def test_what_is_generated_is_up_to_date(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert generated.fresh(text) == text, "run: make docs"


def test_everything_generated_is_shown() -> None:
    shown = "".join(file.read_text(encoding="utf-8") for file in generated.guides())
    assert [name for name in generated.PARTS if f".. begin {name}\n" not in shown] == []


def test_every_guide_is_in_the_contents() -> None:
    contents = yaml.safe_load((GUIDES.parent / "extra-docs.yml").read_text(encoding="utf-8"))
    listed = [name for section in contents["sections"] for name in section["toctree"]]
    assert sorted(listed) == sorted(file.stem for file in GUIDES.glob("*.rst"))


def test_readme_links_to_what_is_there() -> None:
    for file in (PROJECT / "README.md", PROJECT / "roles" / "vault_agent" / "README.md"):
        text = file.read_text(encoding="utf-8")
        links = [part.partition(")")[0] for part in text.split("](")[1:]]
        gone = [link for link in links if "://" not in link and not (file.parent / link.partition("#")[0]).exists()]
        assert gone == [], file


def test_a_pattern_is_read_aloud() -> None:
    assert alternatives("a (?:b|c) d|e") == ["a (?:b|c) d", "e"]
    assert alternatives("(?:a|b)") == ["a", "b"]
    assert readable(r"received error code (?:429|5\d\d) from STS") == "received error code 429/5xx from STS"
    assert readable(r"entry for role .{1,200} not found") == "entry for role ... not found"


def test_blocks_of_a_guide_are_found(tmp_path: Path) -> None:
    guide = tmp_path / "guide.rst"
    guide.write_text(
        "Text.\n\n.. run: tasks\n\n.. code-block:: yaml\n    :caption: A\n\n    - a\n\nText::\n\n    unmarked\n\n"
        "* A point\n\n  .. not run: a picture\n\n  .. code-block:: text\n\n    deep\n\nEnd.\n",
        encoding="utf-8",
    )
    found = [(block.line, block.language, block.kind, block.reason, block.text) for block in blocks([guide])]
    assert found == [
        (5, "yaml", "tasks", "", "- a\n"),
        (10, "a literal block", "", "", "unmarked\n"),
        (18, "text", NOT_RUN, "a picture", "deep\n"),
    ]


def test_blocks_of_a_readme_are_found(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text("<!-- run: tasks -->\n```yaml\n- a\n```\n\n```\nunmarked\n```\n", encoding="utf-8")
    assert [(block.kind, block.text) for block in blocks([page])] == [("tasks", "- a\n"), ("", "unmarked\n")]
