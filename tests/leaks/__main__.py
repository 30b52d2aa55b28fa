# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command line of ``make leaks``. Exits with 1 if a secret was found, or one that was planted was not."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.fleet.errors import FleetError
from tests.stack.errors import StackError
from tests.tools import commands
from tests.tools.private_stack import private_stack
from tests.tools.project import ToolError

from . import report
from .ground import HuntError, cores_are_files
from .hunt import Result, follow
from .search import SearchError
from .server import Raw
from .trails import HOSTS, TRAILS, can_boot

NO_CORES = "core dumps: this machine hands them to a program (kernel.core_pattern)"
NO_HOSTS = "booted hosts (root on Linux): their journals, memory, temporary files and disks"


def main() -> int:
    """Hunt; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.leaks", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=[*TRAILS], metavar="PATH", help=f"of {', '.join(TRAILS)}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all that was found to FILE, too")
    given = parser.parse_args()
    commands.raise_on_termination()
    left_out = [] if cores_are_files() else [NO_CORES]
    names = given.only or [*TRAILS]
    if not can_boot() and set(names) & set(HOSTS):
        left_out.append(NO_HOSTS)
        names = [name for name in names if name not in HOSTS]
    if given.only is None or set(given.only) != set(TRAILS):
        left_out += [f"the path {name}" for name in TRAILS if name not in names and name not in HOSTS]
    start = time.monotonic()
    results: dict[str, Result] = {}
    # What the hunt knows is kept off every disk.
    private = Path(tempfile.mkdtemp(prefix="vaultfleet-leaks-", dir="/dev/shm"))
    try:
        with private_stack("vaultfleet-leaks-") as (stack, folder):
            raw = Raw(stack, private)
            for name in names:
                print(f"leaks: {name}: {TRAILS[name].text} ...", flush=True)
                results[name] = follow(TRAILS[name], stack, raw, folder, private)
                told = f"{sum(row.hits for row in results[name].rows)} hits"
                print(f"leaks: {name}: {told}, {results[name].seconds:.0f} s", flush=True)
    except (HuntError, SearchError, StackError, ToolError, FleetError) as exc:
        print(f"leaks: error: {exc}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("leaks: interrupted", file=sys.stderr)
        return 130
    finally:
        with commands.uninterrupted():
            shutil.rmtree(private, ignore_errors=True)
    print("\n" + "\n".join(report.lines(results, left_out)))
    if given.json:
        text = json.dumps(report.document(results, left_out, time.monotonic() - start), indent=1)
        given.json.write_text(text + "\n", encoding="utf-8")
    print("leaks: nothing leaked" if report.fine(results) else "leaks: FAILED: see above")
    return 0 if report.fine(results) else 1


if __name__ == "__main__":
    sys.exit(main())
