# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Locks: those of the collection, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.vaultfleet.aws.plugins.plugin_utils._bundle import pins
from ansible_collections.vaultfleet.aws.plugins.plugin_utils._bundle.errors import BundleError

NEEDED = {
    "botocore", "certifi", "charset-normalizer", "hvac", "idna", "jmespath", "python-dateutil", "requests", "six",
    "urllib3",
}  # fmt: skip


def test_lines() -> None:
    """In the order of versions, not of texts."""
    assert pins.lines() == ["3.9", "3.10", "3.11", "3.12", "3.13"]


@pytest.mark.parametrize("line", pins.lines())
def test_locks_of_the_collection(line: str) -> None:
    """Each has all that the agent needs, once."""
    lock = pins.read(line)
    assert [pin.name for pin in lock.pins] == sorted(NEEDED)
    assert f"Python {line}:" in lock.text
    more = pins.read_of_templates(line)
    assert ([pin.name for pin in more.pins], more.compiled, lock.compiled) == (["jinja2", "markupsafe"], True, False)
    both = pins.joined([lock, more])
    assert both.pins == lock.pins + more.pins
    assert both.text == lock.text + more.text


@pytest.mark.parametrize(
    ("line", "hint"),
    [("3.8", "3.9, 3.10"), ("3", "3.9, 3.10"), ("3.1", "quotes"), ("../3.9", "3.9, 3.10"), ("", "3.9, 3.10")],
)
def test_unknown_line(line: str, hint: str) -> None:
    with pytest.raises(BundleError, match=rf"^pythons: .*{hint}"):
        pins.read(line)


@pytest.mark.parametrize(
    "text",
    ["", "# nothing\n", "two\n", "two==2.0\n", "two==2.0 --hash=md5:00\n", "two==2.0 --hash=sha256:00\n",
     f"--index-url x\ntwo==2.0 --hash=sha256:{'0' * 64}\n", f"two==2.0 --hash=sha256:{'0' * 64} ; x\n"],
)  # fmt: skip
def test_damaged(wheels: Path, text: str) -> None:
    """Nothing of it is guessed, and nothing but pins is handed on to pip."""
    path = Path(pins.FOLDER) / "py3.9.txt"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BundleError, match=r"py3\.9\.txt is damaged -- install"):
        pins.read("3.9")
