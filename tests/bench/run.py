# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``make bench``: our module, core, lookup and agent beside their peers and the bare libraries; bundle and role alone.

Exits with 1 if a bound is missed.
"""

from __future__ import annotations

import argparse
import configparser
import dataclasses
import json
import subprocess
import sys
import typing as t
from collections.abc import Mapping
from pathlib import Path

from tests.fleet.errors import FleetError
from tests.stack.errors import StackError
from tests.stack.handle import Stack
from tests.tools import commands
from tests.tools.private_stack import private_stack
from tests.tools.project import ToolError

from . import agent_rows, bundle, imports, lookup_rows, machine, roll_out, tasks
from .numbers import Bound, Spread, ratio

WALL = 1.0  # our task over the peer's
IMPORT = 1.1  # the core's import over that of its libraries
RESIDENT = 45.0  # MiB, with the core and its libraries loaded
BUNDLES = 3  # rounds at most: each asks the package index anew

PARTS = ("task", "core", "lookup", "agent", "bundle", "fleet")

Costs = Mapping[str, list[tasks.Cost]]


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="of the module and the core (default: %(default)s)")
    parser.add_argument("--only", choices=PARTS, nargs="+", default=PARTS, help="measure these alone")
    parser.add_argument("--quick", action="store_true", help="fewer hosts and rounds, to try a change")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all values to FILE, too")
    arguments = parser.parse_args()
    if arguments.rounds < 1:
        parser.error("--rounds must be at least 1")
    rounds = 2 if arguments.quick else arguments.rounds
    size = lookup_rows.QUICK if arguments.quick else lookup_rows.Size()
    commands.raise_on_termination()
    try:
        with private_stack("vaultfleet-bench-") as (stack, folder):
            about = machine.describe()
            costs = tasks.measure(stack, folder, rounds, _keys(stack)) if "task" in arguments.only else None
            imported = imports.measure(stack, folder, rounds) if "core" in arguments.only else None
            rows = lookup_rows.measure(stack, folder, size) if "lookup" in arguments.only else None
            long = agent_rows.QUICK if arguments.quick else agent_rows.Size()
            agents = agent_rows.measure(stack, folder, long) if "agent" in arguments.only else None
            bundles = bundle.measure(folder, min(rounds, BUNDLES)) if "bundle" in arguments.only else None
            many = roll_out.QUICK if arguments.quick else roll_out.Size()
            fleet = roll_out.measure(stack, folder, many) if "fleet" in arguments.only and _hosts() else None
    except (StackError, ToolError, FleetError) as exc:
        print(f"bench: error: {exc}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as exc:
        print(f"bench: error: a measured process failed with {exc.returncode}: see its lines above", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bench: interrupted", file=sys.stderr)
        return 130
    print("\n" + "; ".join(f"{name} {value}" for name, value in about.items()))
    bounds: list[Bound] = []
    if costs:
        _show_tasks(costs, rounds)
        bounds += _task_bounds(costs)
    if imported:
        _show_core(imported)
        bounds += _core_bounds(imported)
    if rows:
        lookup_rows.show(rows)
        bounds += lookup_rows.bounds(rows)
    if agents:
        agent_rows.show(agents)
        bounds += agent_rows.bounds(agents)
    if bundles:
        bundle.show(bundles)
        bounds += bundle.bounds(bundles)
    if fleet:
        roll_out.show(fleet)
        bounds += roll_out.bounds(fleet)
    _show_bounds(bounds)
    if arguments.json:
        parts = {"core": imported, "lookup": rows, "agent": agents, "bundle": bundles, "fleet": fleet}
        _write(arguments.json, about, costs, parts, bounds)
    return 0 if all(bound.kept for bound in bounds) else 1


def _hosts() -> bool:
    if roll_out.possible():
        return True
    print("left out: roll-outs to booted hosts, for which root on Linux is needed: sudo make bench", file=sys.stderr)
    return False


def _wall(costs: Costs) -> dict[str, list[float]]:
    return {name: [cost.wall for cost in values] for name, values in costs.items()}


def _keys(stack: Stack) -> dict[str, str]:
    parser = configparser.ConfigParser(default_section="", interpolation=None)
    parser.read(stack.env["AWS_SHARED_CREDENTIALS_FILE"])
    found = parser["default"]
    return {"access_key": found["aws_access_key_id"], "secret_key": found["aws_secret_access_key"]}


def _task_bounds(costs: Costs) -> list[Bound]:
    wall = _wall(costs)
    return [Bound("task, keys given: ours / peer", ratio(wall["ours, keys given"], wall["peer, keys given"]), WALL)]


def _core_bounds(imported: imports.Imports) -> list[Bound]:
    return [
        Bound("import: core / its libraries", ratio(imported.core, imported.libraries), IMPORT),
        Bound("MiB resident after import", Spread.of(imported.resident), RESIDENT),
    ]


def _show_tasks(costs: Costs, rounds: int) -> None:
    print(f"\nansible-playbook with one task, seconds: median of {rounds} (lowest .. highest)")
    print(f"  {'':<24} {'on the clock':<22} {'over ping':<22} of a processor")
    wall = _wall(costs)
    for name, values in costs.items():
        over = [one - other for one, other in zip(wall[name], wall["ping"], strict=True)]
        columns = (Spread.of(wall[name]), Spread.of(over), Spread.of([cost.processor for cost in values]))
        print(f"  {name:<24} " + " ".join(f"{column.text():<22}" for column in columns).rstrip())
    print("\nratios without a bound, of the clock")
    for these, those in (
        ("ours, keys found", "peer, keys found"),
        ("bare module, keys given", "peer, keys given"),
        ("ours, keys given", "bare module, keys given"),
    ):
        print(f"  {these + ' / ' + those:<52} {ratio(wall[these], wall[those]).text()}")


def _show_core(imported: imports.Imports) -> None:
    print("\nthe auth core as a library, milliseconds and MiB")
    for name, seconds in (("import of the core", imported.core), ("import of its libraries", imported.libraries)):
        print(f"  {name:<24} {Spread.of([one * 1000 for one in seconds]).text(0)}")
    print(f"  {'resident after import':<24} {Spread.of(imported.resident).text(1)}")
    print(f"  {'resident after a login':<24} {Spread.of(imported.resident_after_login).text(1)}")


def _show_bounds(bounds: list[Bound]) -> None:
    print("\nbounds")
    for bound in bounds:
        word = "kept" if bound.kept else "MISSED"
        sign = "= " if bound.exactly else "<="
        print(f"  {bound.what:<36} {bound.value.text():<24} {sign} {bound.limit:<5} {word}")


def _write(
    file: Path,
    about: Mapping[str, str],
    costs: Costs | None,
    parts: Mapping[str, t.Any],
    bounds: list[Bound],
) -> None:
    """parts: dataclasses, or None for what was not measured."""
    values: dict[str, t.Any] = {
        "about": about,
        "task_seconds": {name: [dataclasses.asdict(cost) for cost in values] for name, values in (costs or {}).items()},
        **{name: rows and dataclasses.asdict(rows) for name, rows in parts.items()},
        "bounds": [{**dataclasses.asdict(bound), "kept": bound.kept} for bound in bounds],
    }
    file.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
