# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plots of the guide, of what is in docs/results: ``python -m tests.bench.plots``, with matplotlib.

The same values make the same file, byte for byte, and each names them by a digest.
"""

from __future__ import annotations

import hashlib
import importlib
import io
import json
import statistics
import sys
import typing as t
from pathlib import Path

from tests.docs import measured

from . import lookup_rows, saved, soak_rows, soak_world
from .parts import KINDS

IMAGES = Path(__file__).parents[2] / "docs" / "images"
_COLOURS = {"ours": "#0b6e4f", "peer": "#c8553d", "constant": "#8a8a8a", "bao agent": "#c8553d"}

Lines = dict[str, list[list[float]]]


def values() -> dict[str, Lines]:
    """What is drawn, by the name of the plot: points (x, y) of each line."""
    _about, parts = saved.read(measured.BENCH, KINDS)
    lookup: lookup_rows.Rows = parts["lookup"]
    agent = parts["agent"]
    _about, soaked = saved.read(measured.SOAK, soak_rows.KINDS)
    rows: soak_rows.Rows = soaked["soak"]
    runs = {
        name: [
            [forks, statistics.median(cost.wall for cost in getattr(found, name))]
            for forks, found in lookup.runs.items()
        ]
        for name in ("ours", "peer", "constant")
    }
    memory = {
        name: [[look.after, getattr(look, field).resident / 1024] for look in agent.looks]
        for name, field in (("ours", "ours"), ("bao agent", "theirs"))
    }
    week = {"ours": [[one.seconds / soak_world.DAY, one.resident / 1024] for one in rows.samples]}
    return {"bench-forks": runs, "bench-agent": memory, "bench-soak": week}


_AXES = {
    "bench-forks": ("forks", "seconds of the run"),
    "bench-agent": ("seconds since the first token", "MiB resident"),
    "bench-soak": ("days of the agent's clock", "MiB resident"),
}


def digest(lines: Lines) -> str:
    """Of what is drawn; it stands in the picture."""
    return hashlib.sha256(json.dumps(lines).encode()).hexdigest()


def draw(name: str, lines: Lines) -> str:
    """The picture, as SVG. Raises ImportError without matplotlib."""
    matplotlib = importlib.import_module("matplotlib")  # only in the lock for this
    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.hashsalt": "vaultfleet", "svg.fonttype": "none"})
    pyplot = importlib.import_module("matplotlib.pyplot")
    figure, axis = pyplot.subplots(figsize=(7, 3.2), layout="constrained")
    for line, points in lines.items():
        along, up = zip(*points, strict=True)
        axis.plot(along, up, marker="." if len(points) > 20 else "o", label=line, color=_COLOURS[line], linewidth=1.5)
    axis.set_ylim(0, 1.15 * max(up for points in lines.values() for _along, up in points))
    axis.set_xlabel(_AXES[name][0])
    axis.set_ylabel(_AXES[name][1])
    axis.grid(visible=True, alpha=0.3)
    axis.legend(frameon=False)
    drawn = io.StringIO()
    unchanging: dict[str, t.Any] = {"Date": None, "Creator": None, "Description": digest(lines)}
    figure.savefig(drawn, format="svg", metadata=unchanging)
    pyplot.close(figure)
    return "".join(f"{line.rstrip()}\n" for line in drawn.getvalue().splitlines())


def main() -> int:
    """Write what has changed; returns the exit code."""
    for name, lines in values().items():
        file = IMAGES / f"{name}.svg"
        picture = draw(name, lines)
        if not file.exists() or file.read_text(encoding="utf-8") != picture:
            file.write_text(picture, encoding="utf-8")
            print(f"drawn: {file.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
