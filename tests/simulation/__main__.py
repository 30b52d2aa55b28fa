# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``python -m tests.simulation``: every scenario with both fleets, a table, the bounds, and a picture."""

from __future__ import annotations

import argparse
import gc
import sys
import time
from pathlib import Path

from .fleet import FLEETS, Result, send
from .plot import draw
from .report import table, verdicts
from .scenarios import SCENARIOS

QUICK = 1000
PICTURE = Path(__file__).parent.parent / "output" / "simulation.png"


def main() -> int:
    """The command line; returns 1 if our fleet broke one of its bounds."""
    names = [scenario.name for scenario in SCENARIOS]
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description="A fleet on simulated time.")
    parser.add_argument("--agents", type=int, default=10_000, help="in each fleet (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="where all chance comes from (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} agents")
    parser.add_argument("scenario", nargs="*", metavar="SCENARIO", help=f"only these; of: {', '.join(names)}")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.scenario) - set(names))
    if unknown:
        parser.error(f"no such scenario: {', '.join(unknown)}; there are {', '.join(names)}")
    agents = QUICK if arguments.quick else arguments.agents
    if agents < 1:
        parser.error("--agents must be at least 1")
    chosen = [scenario for scenario in SCENARIOS if scenario.name in (arguments.scenario or names)]

    gc.disable()  # a quarter of the time; nothing here leaves cycles behind
    begun = time.process_time()
    results: dict[str, dict[str, Result]] = {}
    for scenario in chosen:
        print(f"{scenario.name}: {scenario.text} ...", file=sys.stderr, flush=True)
        results[scenario.name] = {fleet: send(fleet, scenario, agents, arguments.seed) for fleet in FLEETS}
    print(f"{agents} agents, seed {arguments.seed}, {time.process_time() - begun:.0f} s of processor time")
    print(table({scenario.name: scenario.text for scenario in chosen}, results))
    print()
    found = verdicts(results)
    for kept, text in found:
        print(f"{'ok    ' if kept else 'BROKEN'}  {text}")
    try:
        draw(chosen, results, PICTURE)
        print(f"picture: tests/output/{PICTURE.name}")
    except ImportError:
        print("no picture: matplotlib is not installed; the lock tests/requirements/simulation.txt has it")
    return 0 if all(kept for kept, _text in found) else 1


if __name__ == "__main__":
    sys.exit(main())
