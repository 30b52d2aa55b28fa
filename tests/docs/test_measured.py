# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The guide of what was measured shows what docs/results holds; its tables are a matter of ``test_pages.py``."""

from __future__ import annotations

import re

import pytest

from tests.bench import plots
from tests.docs.blocks import GUIDES


@pytest.mark.parametrize(("name", "lines"), plots.values().items())
def test_a_plot_is_of_the_results(name: str, lines: plots.Lines) -> None:
    picture = (plots.IMAGES / f"{name}.svg").read_text(encoding="utf-8")
    assert plots.digest(lines) in picture, "run: make docs"
    assert all(f">{line}<" in picture for line in lines)


def test_the_guide_shows_each_plot() -> None:
    shown = re.findall(
        r"^\.\. image:: (\S+)$", (GUIDES / "guide_measured.rst").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert sorted(shown) == sorted(f"../../images/{name}.svg" for name in plots.values())
