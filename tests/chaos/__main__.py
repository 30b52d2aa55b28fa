# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``make chaos``: every trial, beside others with stacks of their own, again until the time is over, then a table."""

from __future__ import annotations

import argparse
import functools
import json
import os
import random
import sys
import time
from collections.abc import Generator
from pathlib import Path

from tests.chaos import campaign, lanes, report
from tests.chaos.confined import Tried, adopt_orphans
from tests.chaos.trial import Trial
from tests.stack.errors import StackError
from tests.tools import commands
from tests.tools.private_stack import private_stack
from tests.tools.project import ToolError

_END = 10.0  # seconds for stopping the stack

# What a lane tells of a trial: its name, round, seed, and what came of it; None for one that was not begun.
Told = tuple[str, int, int, Tried | None]


def main() -> int:
    """The command line: 0 if all was kept, 1 if not, 2 for a wrong argument, 130 if interrupted."""
    trials = campaign.all_trials()
    groups = sorted({trial.group for trial in trials})
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, help="order and draws of an earlier run (default: new ones)")
    parser.add_argument("--minutes", type=float, default=20.0, help="for all of it (default: %(default)g)")
    parser.add_argument("--only", nargs="+", metavar="GROUP", choices=groups, help=f"of {', '.join(groups)}")
    parser.add_argument("--trial", metavar="NAME", help="this one alone, once")
    parser.add_argument(
        "--lanes", type=int, default=min(4, os.cpu_count() or 1), help="trials side by side (default: %(default)s)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all that was found there")
    parser.add_argument("--list", action="store_true", help="say which trials there are")
    options = parser.parse_args()
    chosen = [trial for trial in trials if not options.only or trial.group in options.only]
    chosen = [trial for trial in chosen if options.trial in (None, trial.name)]
    if not chosen:
        parser.error(f"no trial has the name {options.trial}; --list says which there are")
    if options.lanes < 1:
        parser.error("--lanes: at least 1")
    if options.list:
        print("\n".join(f"{trial.group}: {trial.name}" for trial in chosen))
        return 0
    seed = random.SystemRandom().randrange(2**32) if options.seed is None else options.seed
    commands.raise_on_termination()
    parts = lanes.split(chosen, options.lanes)
    return _campaign(parts, seed, options.minutes, 1 if options.trial else None, options.json)


def _campaign(parts: list[list[Trial]], seed: int, minutes: float, rounds: int | None, file: Path | None) -> int:
    deadline = time.monotonic() + 60 * minutes - _END
    trials = {trial.name: trial for part in parts for trial in part}
    beside = f", {len(parts)} side by side" if len(parts) > 1 else ""
    print(f"chaos: seed {seed}, {len(trials)} trials{beside}, {minutes:g} minutes", flush=True)
    entries: list[campaign.Entry] = []
    not_begun: list[Trial] = []
    code = 0
    try:
        works = [functools.partial(_lane, part, seed, deadline, rounds) for part in parts]
        for name, number, of_round, tried in lanes.side_by_side(works):
            if tried is None:
                not_begun.append(trials[name])
            else:
                entries.append(campaign.Entry(trials[name], number, of_round, tried))
                print(report.line_of(entries[-1]), flush=True)
    except (StackError, ToolError) as exc:
        print(f"chaos: error: {exc}", file=sys.stderr)
        code = 1
    except KeyboardInterrupt:
        print("chaos: interrupted; the servers are stopped, the files removed", file=sys.stderr)
        code = 130
    print(report.table(entries, not_begun))
    print(f"\n{report.summary(entries, not_begun, seed)}")
    if file is not None:
        found = report.as_json(entries, not_begun, seed, minutes, len(parts))
        file.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return code or int(not entries or not all(entry.kept for entry in entries))


def _lane(trials: list[Trial], seed: int, deadline: float, rounds: int | None) -> Generator[Told]:
    """Run trials against a stack of their own."""
    with private_stack(report.FOLDER) as (stack, own):
        adopt_orphans()  # not before: the stack's servers are nobody's children
        for one in campaign.run(trials, seed, deadline, rounds, own, campaign.Keeper(stack)):
            if isinstance(one, Trial):
                yield one.name, 1, seed, None
            else:
                yield one.trial.name, one.round, one.seed, one.tried


if __name__ == "__main__":
    sys.exit(main())
