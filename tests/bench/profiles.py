# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rows of our own hot paths: what they are made of, and where their time goes."""

from __future__ import annotations

import json
import pstats
import re
import subprocess
import sys
import time
import typing as t
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.stack.handle import Stack

from . import hot_paths, lookups, soak, tasks
from .numbers import Bound, Comparison, Spread
from .tables import Table

ROUNDS = 7
QUICK = 2
RENEWALS = 300  # of the profiled agent
TOP = 6  # functions a path


@dataclass(frozen=True)
class Hot:
    """A function. seconds: of a processor, its own, without what it calls."""

    name: str
    calls: int
    seconds: float


@dataclass(frozen=True)
class Profile:
    """What a path did so many times under cProfile, which makes all of it slower.

    seconds: of a processor. shares: those of each package.
    """

    times: int
    seconds: float
    shares: dict[str, float]
    top: list[Hot]


@dataclass(frozen=True)
class Rows:
    """Seconds of processes, a value for each round; of building a payload, and its bytes; profiles by path."""

    steps: dict[str, list[float]]
    builds: dict[str, list[float]]
    sizes: dict[str, int]
    profiles: dict[str, Profile]


def measure(stack: Stack, folder: Path, quick: bool) -> Rows:
    """Measure. Raises ToolError or CalledProcessError if something fails."""
    with lookups.fleet(stack, folder) as where:
        environment = {**where.environment(), "PYTHONPATH": where.environment()["ANSIBLE_COLLECTIONS_PATH"]}
        environment |= {"PYTHONPYCACHEPREFIX": str(folder / "bytecode"), "PYTHONDONTWRITEBYTECODE": ""}
        names = {"ping": "ansible.builtin.ping", "ours": tasks.OURS, "peer": tasks.PEER}
        rows = Rows({name: [] for name in hot_paths.STEPS}, {name: [] for name in names}, {}, {})
        for number in range((QUICK if quick else ROUNDS) + 1):
            for name, code in hot_paths.STEPS.items():
                seconds = _seconds(["-c", code], environment, folder)
                if number:
                    rows.steps[name].append(seconds)
            for name, module in names.items():
                seconds, size = json.loads(_run(["-c", hot_paths.PAYLOAD, module], environment, folder))
                rows.sizes[name] = size
                if number:
                    rows.builds[name].append(seconds)
        for name, (before, statement, times) in hot_paths.PROFILED.items():
            code = hot_paths.UNDER_PROFILER.format(before=before, times=times, statement=statement)
            file = folder / "profile"
            _run(["-c", code, str(file)], environment, folder)
            rows.profiles[name] = profile(file, times)
        rows.profiles["the module as a process"] = _module(stack, folder, environment)
        rows.profiles["the agent's loop, a renewal"] = profile(soak.profiled(stack, folder, RENEWALS), RENEWALS)
        return rows


def _module(stack: Stack, folder: Path, environment: Mapping[str, str]) -> Profile:
    """The task's module without Ansible's packing."""
    where = {"url": stack.env["VAULT_ADDR"], "ca_cert": stack.env["VAULT_CACERT"]}
    wish = {**where, "role": "web", "header_value": stack.env["STACK_HEADER_VALUE"]}
    arguments = folder / "arguments.json"
    arguments.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": wish}), encoding="utf-8")
    file = folder / "profile"
    command = ["-c", hot_paths.PROFILER, str(file), hot_paths.MODULE, str(arguments)]
    for _again in range(2):  # the first one fills the bytecode cache
        _run(command, environment, folder)
    return profile(file, 1)


def _seconds(arguments: list[str], environment: Mapping[str, str], folder: Path) -> float:
    start = time.perf_counter()
    _run(arguments, environment, folder)
    return time.perf_counter() - start


def _run(arguments: list[str], environment: Mapping[str, str], folder: Path) -> str:
    return subprocess.check_output([sys.executable, *arguments], env=dict(environment), cwd=folder, text=True)


def profile(file: Path, times: int) -> Profile:
    """What cProfile wrote into ``file``."""
    stats: Mapping[tuple[str, int, str], tuple[t.Any, ...]] = pstats.Stats(str(file)).stats  # type: ignore[attr-defined]
    shares: Counter[str] = Counter()
    hot = []
    for (path, _line, function), (_primitive, calls, seconds, *_rest) in stats.items():
        package = package_of(path, function)
        shares[package] += seconds
        hot.append(Hot(f"{package}: {_named(path, function)}", calls, seconds))
    hot.sort(key=lambda one: -one.seconds)
    return Profile(times, sum(shares.values()), dict(shares.most_common()), hot[:TOP])


def package_of(path: str, function: str) -> str:
    """Whose a function is."""
    if path == "~":
        if "_Resting" in function or "Leaping" in function:
            return "bench"
        is_loading = any(word in function for word in ("marshal", "_imp.", "builtins.exec", "__build_class__"))
        return "loading of modules" if is_loading else "built-in functions"
    if path.startswith(("<frozen importlib", "<frozen zipimport")):
        return "loading of modules"
    if path.startswith("<frozen"):
        return "Python's library"
    parts = Path(path).parts
    if "ansible_collections" in parts:
        return "vaultfleet.aws"
    if "site-packages" in parts:
        return parts[parts.index("site-packages") + 1].removesuffix(".py")
    return "bench" if "bench" in parts else "Python's library"


def _named(path: str, function: str) -> str:
    name = re.sub(r"^<|>$| at 0x\w+|built-in method |method |function ", "", function)
    return name if path.startswith(("~", "<")) else f"{Path(path).stem}.{name}"


def bounds(rows: Rows) -> list[Bound]:
    """None: a profile explains."""
    return []


def comparisons(rows: Rows) -> list[Comparison]:
    """What is above the floor."""
    *_some, libraries, whole = rows.steps.values()
    return [
        Comparison.of("module's process until it is loaded, s", whole, "the same without our own", libraries),
        Comparison.of("building the task's payload, s", rows.builds["ours"], "peer", rows.builds["peer"]),
        Comparison.of("building the task's payload, s", rows.builds["ours"], "ping", rows.builds["ping"]),
    ]


def tables(rows: Rows) -> list[Table]:
    """What was measured."""
    steps = [(name, Spread.of([one * 1000 for one in values]).text(0)) for name, values in rows.steps.items()]
    builds = [
        (name, Spread.of([one * 1000 for one in values]).text(0), f"{rows.sizes[name] / 1024:.0f}")
        for name, values in rows.builds.items()
    ]
    found = [
        Table("what the task's module is made of, milliseconds of a process", ("", "milliseconds"), steps),
        Table("what the controller sends, in a process of its own", ("", "milliseconds to build", "KiB"), builds),
    ]
    shares, top = [], []
    for path, one in rows.profiles.items():
        for package, seconds in one.shares.items():
            if seconds >= one.seconds / 50:
                each = f"{seconds * 1000 / one.times:.2f}"
                shares.append((path, package, each, f"{100 * seconds / one.seconds:.0f} %"))
        top += [
            (path, hot.name, f"{hot.calls / one.times:.1f}", f"{hot.seconds * 1000 / one.times:.2f}") for hot in one.top
        ]
    found.append(
        Table("under cProfile, which slows all of it: what of a processor is whose", ("", "", "ms", "share"), shares)
    )
    found.append(Table("the functions that take most", ("", "function", "calls", "ms of its own"), top))
    return found
