# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``make bench``: our module, core, lookup, agent, bundle and role beside their peers and what they are made of.

Exits with 1 if a bound is missed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
import typing as t
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.fleet.errors import FleetError
from tests.stack.errors import StackError
from tests.tools import commands
from tests.tools.private_stack import private_stack
from tests.tools.project import ToolError

from . import machine, roll_out, saved
from .parts import PARTS
from .tables import compared, judged


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.run", description=__doc__)
    parser.add_argument("--only", choices=PARTS, nargs="+", default=list(PARTS), help="measure these alone")
    parser.add_argument("--quick", action="store_true", help="fewer hosts and rounds, to try a change")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all values to FILE, too")
    arguments = parser.parse_args()
    commands.raise_on_termination()
    try:
        about, measured = measure([name for name in PARTS if name in arguments.only], arguments.quick)
    except (StackError, ToolError, FleetError) as exc:
        print(f"bench: error: {exc}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as exc:
        print(f"bench: error: a measured process failed with {exc.returncode}: see its lines above", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bench: interrupted", file=sys.stderr)
        return 130
    if arguments.json:
        saved.write(arguments.json, about, measured)
    return show(about, measured)


def measure(names: Sequence[str], quick: bool) -> tuple[dict[str, str], dict[str, t.Any]]:
    """What the machine is, and the rows of each part. Raises StackError, ToolError, FleetError, CalledProcessError."""
    measured: dict[str, t.Any] = {}
    begun = time.monotonic()
    with private_stack("vaultfleet-bench-") as (stack, folder):
        about = machine.describe()
        for name in names:
            if name == "fleet" and not roll_out.possible():
                print(
                    "bench: left out: booted hosts, for which root on Linux is needed: sudo make bench", file=sys.stderr
                )
                continue
            print(f"bench: {PARTS[name].text} ...", file=sys.stderr, flush=True)
            start = time.monotonic()
            measured[name] = PARTS[name].measure(stack, folder, quick)
            print(f"bench: {name}: {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
    about["took"] = f"{(time.monotonic() - begun) / 60:.0f} minutes" + (", a quick try" if quick else "")
    return about, measured


def show(about: Mapping[str, str], measured: Mapping[str, t.Any]) -> int:
    """Print all tables, and return the exit code: 1 if a bound is missed."""
    print("\n" + "; ".join(f"{name} {value}" for name, value in about.items()))
    for name, rows in measured.items():
        for table in PARTS[name].tables(rows):
            print("\n" + table.text())
    comparisons = [one for name, rows in measured.items() for one in PARTS[name].comparisons(rows)]
    bounds = [one for name, rows in measured.items() for one in PARTS[name].bounds(rows)]
    if comparisons:
        print("\n" + compared(comparisons).text())
    if bounds:
        print("\n" + judged(bounds).text())
    return 0 if all(bound.kept for bound in bounds) else 1


if __name__ == "__main__":
    sys.exit(main())
