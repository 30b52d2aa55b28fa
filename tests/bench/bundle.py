# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rows of the agent's bundle: how long a build takes, from nothing to nothing to do, and how large it is."""

from __future__ import annotations

import compileall
import json
import os
import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.vaultfleet.aws.plugins.plugin_utils._bundle import pins
from tests.stack.handle import Stack
from tests.tools.private_stack import clean_environment
from tests.tools.project import COLLECTIONS, ToolError

from .numbers import Bound, Comparison, Spread
from .tables import Table

ROUNDS = 2  # each asks the package index anew
QUICK = 1
WARM = 1.0  # seconds for one Python, with nothing to do
ON_DISK = 15.0  # MiB

_BUILD = """
import dataclasses, json, sys, time
from ansible_collections.vaultfleet.aws.plugins.plugin_utils._bundle import build
start = time.perf_counter()
made, _changed = build.bundles(build.Wish(tuple(sys.argv[2:]), sys.argv[1]))
print(json.dumps([time.perf_counter() - start, [dataclasses.asdict(one) for one in made.values()]]))
"""
_MIB = 1024 * 1024


@dataclass(frozen=True)
class Rows:
    """One value for each round, in seconds; sizes in MiB, the largest of all lines of Python.

    cold: one Python, with nothing but the package index. built: the same with the wheels in the cache. warm: the same
    again, with nothing to do. all_built, all_warm: for all lines. theirs: the program bao, which is its agent, too.
    """

    lines: int
    cold: list[float]
    built: list[float]
    warm: list[float]
    all_built: list[float]
    all_warm: list[float]
    packed: float
    on_disk: float
    with_bytecode: float
    theirs: float


def measure(stack: Stack, folder: Path, quick: bool) -> Rows:
    """Measure, each time in a process of its own. The package index is asked once a round. Raises ToolError."""
    lines = pins.lines()
    rows = Rows(len(lines), [], [], [], [], [], *_sizes(folder / "sizes", lines), _disk(Path(stack.env["STACK_BAO"])))
    for number in range(QUICK if quick else ROUNDS):
        place = folder / f"bundle-{number}"
        rows.cold.append(_build(place, "dest", lines[-1:])[0])
        rows.built.append(_build(place, "again", lines[-1:])[0])
        rows.warm.append(_build(place, "again", lines[-1:])[0])
        _build(place, "wheels-of-all", lines)
        rows.all_built.append(_build(place, "all", lines)[0])
        rows.all_warm.append(_build(place, "all", lines)[0])
        shutil.rmtree(place)
    return rows


def bounds(rows: Rows) -> list[Bound]:
    """What they have to keep."""
    return [
        Bound("bundle, nothing to do, s a Python", Spread.of([one / rows.lines for one in rows.all_warm]), WARM),
        Bound("bundle, unpacked, MiB on disk", Spread.of([rows.on_disk]), ON_DISK),
        Bound("bundle with bytecode, MiB on disk", Spread.of([rows.with_bytecode]), ON_DISK),
    ]


def comparisons(rows: Rows) -> list[Comparison]:
    """Ours beside theirs."""
    return [Comparison.of("agent on disk, without Python, MiB", [rows.with_bytecode], "the program bao", [rows.theirs])]


def tables(rows: Rows) -> list[Table]:
    """What was measured."""
    times = [
        (name, Spread.of(values).text(3))
        for name, values in (
            ("one Python, from the index", rows.cold),
            ("one Python, wheels there", rows.built),
            ("one Python, nothing to do", rows.warm),
            (f"{rows.lines} Pythons, wheels there", rows.all_built),
            (f"{rows.lines} Pythons, nothing to do", rows.all_warm),
        )
    ]
    sizes = [
        (name, f"{value:.1f}")
        for name, value in (
            ("packed", rows.packed),
            ("unpacked", rows.on_disk),
            ("with bytecode", rows.with_bytecode),
            ("the program bao", rows.theirs),
        )
    ]
    return [
        Table("building the agent's bundle, seconds on the clock", ("", "seconds"), times),
        Table("the bundle of one Python (the largest) on disk", ("", "MiB"), sizes),
    ]


def _build(folder: Path, dest: str, lines: list[str]) -> tuple[float, list[dict[str, str]]]:
    folder.mkdir(exist_ok=True)
    environment = {
        **clean_environment(folder / "home"),
        "PYTHONPATH": str(COLLECTIONS),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "PIP_NO_CACHE_DIR": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", _BUILD, str(folder / dest), *lines],
        env=environment,
        cwd=os.sep,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise ToolError("A bundle could not be built: see the lines above")
    seconds, made = json.loads(done.stdout)
    return seconds, made


def _sizes(folder: Path, lines: list[str]) -> tuple[float, float, float]:
    packed, on_disk, with_bytecode = [], [], []
    for bundle in _build(folder, "dest", lines)[1]:
        path = Path(bundle["path"])
        packed.append(path.stat().st_size / _MIB)
        place = folder / path.name.removesuffix(".tar.gz")
        with tarfile.open(path) as archive:
            archive.extractall(place, filter="data")
        on_disk.append(_disk(place))
        compileall.compile_dir(place, quiet=1)
        with_bytecode.append(_disk(place))
    shutil.rmtree(folder)
    return max(packed), max(on_disk), max(with_bytecode)


def _disk(folder: Path) -> float:
    return sum(path.lstat().st_blocks * 512 for path in (folder, *folder.rglob("*"))) / _MIB
