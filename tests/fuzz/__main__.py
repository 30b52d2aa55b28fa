# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command line of ``make fuzz``. Exits with 1 if anything ended as it should not."""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from pathlib import Path

from tests.fuzz import corpus, report
from tests.fuzz.campaign import Failure, Result, attempt, fuzz, stop_on_signals
from tests.fuzz.targets import TARGETS, empty_world, shares
from tests.stack.cache import cache_root


def main() -> int:
    """Try all targets; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--examples", type=int, default=10_000, metavar="N", help="of all targets together (10000)")
    parser.add_argument("--seed", type=int, metavar="N", help="the same examples again (default: others each time)")
    parser.add_argument("--only", nargs="+", choices=[*TARGETS], metavar="TARGET", help=f"of {', '.join(TARGETS)}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all that was found to FILE, too")
    arguments = parser.parse_args()
    if arguments.examples < 1:
        parser.error("--examples is less than 1")
    stop_on_signals()
    number = random.randrange(10**6) if arguments.seed is None else arguments.seed  # noqa: S311 - a draw to repeat
    names = arguments.only or [*TARGETS]
    results: list[Result] = []
    failures: list[Failure] = []
    began = time.monotonic()
    print(f"fuzz: seed {number}, {len(names)} targets", flush=True)
    try:
        database = cache_root() / "fuzz"
        with empty_world():
            kept = [case for case in corpus.cases() if case.target in names]
            broken = [bad for case in kept if (bad := attempt(TARGETS[case.target], case.example))]
            print(f"fuzz: {len(kept)} cases of the corpus, {len(broken)} of them failed", flush=True)
            for name, examples in shares(names, arguments.examples).items():
                results.append(fuzz(TARGETS[name], examples, number, database / name.replace(" ", "-")))
                print(f"fuzz: {report.line_of(results[-1])}", flush=True)
                failures += results[-1].failures
    except KeyboardInterrupt:
        print("fuzz: interrupted", file=sys.stderr)
        return 130
    print("\n" + report.table(results))
    for name in TARGETS:
        if name not in names:
            print(f"left out: {name}")
    for failure in [*broken, *failures]:
        print("\n" + report.told(failure, number, arguments.examples))
    if arguments.json:
        text = json.dumps(report.document(results, len(kept), broken, number), indent=1)
        arguments.json.write_text(text + "\n", encoding="utf-8")
    fine = not broken and not failures
    print(f"fuzz: {'all ended as they may' if fine else 'FAILED: see above'}, {time.monotonic() - began:.0f} s")
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
