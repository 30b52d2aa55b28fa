# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``make soak``: a week of our agent in minutes. Does it grow, and does it keep its token?

Its own loop, threads and requests against the real server, with idle time left out (``soak_agent``); meanwhile its
token meets its maximum TTL again and again, AWS credentials and a secret are replaced, the server is away twice, and
readers use its sinks. Exits with 1 if a bound is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import typing as t
from pathlib import Path

from tests.stack.errors import StackError
from tests.stack.handle import Stack
from tests.tools import commands
from tests.tools.private_stack import private_stack
from tests.tools.project import COLLECTIONS, ROOT, ToolError

from . import hot_paths, machine, saved, soak_world
from .soak_agent import DO, Sample
from .soak_rows import Rows, bounds, tables
from .soak_world import WEEK, World
from .tables import judged

AGENT = "tests.bench.soak_agent"
SAMPLES = 84
QUICK = 40  # times shorter


def measure(stack: Stack, folder: Path, seconds: float, samples: int) -> Rows:
    """Let an agent live so long. Raises ToolError if it does not, StackError."""
    with tempfile.TemporaryDirectory(prefix="vaultfleet-soak-", dir="/dev/shm") as memory:
        world = World(stack, folder, Path(memory))
        coming = soak_world.events(seconds)
        since, begun = len(stack.audit()), time.monotonic()
        outcome = _live(world, seconds, samples, coming, ["-m", AGENT])
        took = time.monotonic() - begun
        names = [name for _moment, name in coming]
        log = world.agent.log.read_text(encoding="utf-8")
        return Rows(
            samples=[Sample(**one) for one in outcome["samples"]],
            seconds=outcome["seconds"],
            took=took,
            events={name: names.count(name) for name in dict.fromkeys(names)},
            away=soak_world.outages(seconds),
            reads=dict(world.reads),
            broken=world.broken,
            server=soak_world.seen_by_server(stack, since),
            rendered=log.count("rendered a template"),
        )


def profiled(stack: Stack, folder: Path, renewals: int) -> Path:
    """What cProfile says of an agent's loop in about so many renewals, without events."""
    file = folder / "profile"
    with tempfile.TemporaryDirectory(prefix="vaultfleet-soak-", dir="/dev/shm") as memory:
        world = World(stack, folder, Path(memory))
        program = ["-c", hot_paths.PROFILER, str(file), AGENT]
        _live(world, renewals * 0.7 * soak_world.TTL, 4, [], program)
    return file


def _live(
    world: World, seconds: float, samples: int, events: list[tuple[float, str]], program: list[str]
) -> dict[str, t.Any]:
    agent = world.agent
    environment = {**agent.environment, "PYTHONPATH": os.pathsep.join((str(ROOT), str(COLLECTIONS)))}
    command = [sys.executable, *program, "--seconds", str(seconds)]
    command += ["--samples", str(samples), "--events", json.dumps(events)]
    command += ["--config", str(agent.sink.parent / "agent.json")]
    outcome = ""
    with (
        agent.log.open("w", encoding="utf-8") as log,
        subprocess.Popen(
            command, env=environment, cwd=os.sep, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
        ) as process,
    ):
        assert process.stdin
        assert process.stdout
        try:
            for line in process.stdout:
                if line.startswith(DO):
                    name = line.removeprefix(DO).strip()
                    world.do(name)
                    process.stdin.write("done\n")
                    process.stdin.flush()
                else:
                    outcome = line
        finally:
            process.terminate()
    words = agent.log.read_text(encoding="utf-8")[-2000:]
    if process.returncode != 0 or not outcome:
        raise ToolError(f"the agent ended with {process.returncode} before its time:\n{words}")
    return dict(json.loads(outcome))


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.soak", description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} times shorter, to try a change")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all values to FILE, too")
    arguments = parser.parse_args()
    commands.raise_on_termination()
    seconds = WEEK / QUICK if arguments.quick else WEEK
    try:
        with private_stack("vaultfleet-soak-") as (stack, folder):
            about = machine.describe()
            print(f"soak: {seconds / soak_world.DAY:.1f} days of the agent's clock ...", file=sys.stderr, flush=True)
            rows = measure(stack, folder, seconds, SAMPLES)
    except (StackError, ToolError) as exc:
        print(f"soak: error: {exc}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("soak: interrupted", file=sys.stderr)
        return 130
    for table in (*tables(rows), judged(bounds(rows))):
        print("\n" + table.text())
    if arguments.json:
        saved.write(arguments.json, about, {"soak": rows})
    return 0 if all(bound.kept for bound in bounds(rows)) else 1


if __name__ == "__main__":
    sys.exit(main())
