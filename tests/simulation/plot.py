# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rate of logins over time, as a picture."""

from __future__ import annotations

import importlib
import typing as t
from pathlib import Path

from .report import Results
from .scenarios import MINUTE, Scenario

_WIDTH = 10  # seconds that a point stands for
_COLOURS = {"ours": "#0b6e4f", "Vault Agent": "#c8553d"}


def draw(scenarios: t.Sequence[Scenario], results: Results, file: Path) -> None:
    """Write a PNG with one diagram a scenario. Raises ImportError without matplotlib."""
    matplotlib = importlib.import_module("matplotlib")  # only in the lock for this
    matplotlib.use("Agg")
    pyplot = importlib.import_module("matplotlib.pyplot")
    rows = (len(scenarios) + 1) // 2
    figure, axes = pyplot.subplots(rows, 2, figsize=(14, 3 * rows), squeeze=False, layout="constrained")
    for axis, scenario in zip(axes.flat, scenarios, strict=False):
        for fleet, result in results[scenario.name].items():
            counts = result.logins
            points = range(0, len(counts) - _WIDTH + 1, _WIDTH)
            rates = [sum(counts[point : point + _WIDTH]) / _WIDTH for point in points]
            axis.plot([point / MINUTE for point in points], rates, label=fleet, color=_COLOURS[fleet], linewidth=1)
        for outage in scenario.setup.outages:
            axis.axvspan(outage.start / MINUTE, outage.end / MINUTE, color="#dddddd")
        axis.set_title(f"{scenario.name}: {scenario.text}", fontsize=9)
        axis.set_yscale("symlog", linthresh=1)
        axis.set_ylim(0, max(2, *(2 * max(result.logins) for result in results[scenario.name].values())))
        axis.set_xlabel("minutes", fontsize=8)
        axis.set_ylabel("logins/s", fontsize=8)
        axis.legend(fontsize=8)
    for axis in axes.flat[len(scenarios) :]:
        axis.set_visible(False)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=110)
    pyplot.close(figure)
