# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``make bench``: our module and core beside the peer and the bare libraries; exits with 1 if a bound is missed."""

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

from tests.stack.errors import StackError
from tests.stack.handle import Stack
from tests.tools import commands
from tests.tools.private_stack import private_stack
from tests.tools.project import ToolError

from . import imports, machine, tasks
from .numbers import Bound, Spread, ratio

WALL = 1.0  # our task over the peer's
IMPORT = 1.1  # the core's import over that of its libraries
RESIDENT = 45.0  # MiB, with the core and its libraries loaded


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="how often each is measured (default: %(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all values to FILE, too")
    arguments = parser.parse_args()
    if arguments.rounds < 1:
        parser.error("--rounds must be at least 1")
    commands.raise_on_termination()
    try:
        with private_stack("vaultfleet-bench-") as (stack, folder):
            about = machine.describe()
            seconds = tasks.measure(stack, folder, arguments.rounds, _keys(stack))
            imported = imports.measure(stack, folder, arguments.rounds)
    except (StackError, ToolError) as exc:
        print(f"bench: error: {exc}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as exc:
        print(f"bench: error: a measured process failed with {exc.returncode}: see its lines above", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bench: interrupted", file=sys.stderr)
        return 130
    bounds = _bounds(seconds, imported)
    _show(about, seconds, imported, bounds, arguments.rounds)
    if arguments.json:
        _write(arguments.json, about, seconds, imported, bounds)
    return 0 if all(bound.kept for bound in bounds) else 1


def _keys(stack: Stack) -> dict[str, str]:
    parser = configparser.ConfigParser(default_section="", interpolation=None)
    parser.read(stack.env["AWS_SHARED_CREDENTIALS_FILE"])
    found = parser["default"]
    return {"access_key": found["aws_access_key_id"], "secret_key": found["aws_secret_access_key"]}


def _bounds(seconds: Mapping[str, list[float]], imported: imports.Imports) -> list[Bound]:
    return [
        Bound("task, keys given: ours / peer", ratio(seconds["ours, keys given"], seconds["peer, keys given"]), WALL),
        Bound("import: core / its libraries", ratio(imported.core, imported.libraries), IMPORT),
        Bound("MiB resident after import", Spread.of(imported.resident), RESIDENT),
    ]


def _show(
    about: Mapping[str, str],
    seconds: Mapping[str, list[float]],
    imported: imports.Imports,
    bounds: list[Bound],
    rounds: int,
) -> None:
    print("\n" + "; ".join(f"{name} {value}" for name, value in about.items()))
    print(f"\nansible-playbook with one task, seconds: median of {rounds} (lowest .. highest), and what is over ping's")
    ping = seconds["ping"]
    for name, values in seconds.items():
        excess = Spread.of([one - other for one, other in zip(values, ping, strict=True)])
        print(f"  {name:<24} {Spread.of(values).text():<24} {'' if name == 'ping' else excess.text()}".rstrip())
    both = ratio(seconds["ours, keys found"], seconds["peer, keys found"])
    bare = ratio(seconds["bare module, keys given"], seconds["peer, keys given"])
    print(f"  ratios without a bound: keys found, ours / peer {both.text()}; bare module / peer {bare.text()}")
    print("\nthe auth core as a library, milliseconds and MiB")
    for name, values in (("import of the core", imported.core), ("import of its libraries", imported.libraries)):
        print(f"  {name:<24} {Spread.of([one * 1000 for one in values]).text(0)}")
    print(f"  {'resident after import':<24} {Spread.of(imported.resident).text(1)}")
    print(f"  {'resident after a login':<24} {Spread.of(imported.resident_after_login).text(1)}")
    print("\nbounds")
    for bound in bounds:
        word = "kept" if bound.kept else "MISSED"
        print(f"  {bound.what:<32} {bound.value.text():<24} <= {bound.limit:<5} {word}")


def _write(
    file: Path,
    about: Mapping[str, str],
    seconds: Mapping[str, list[float]],
    imported: imports.Imports,
    bounds: list[Bound],
) -> None:
    values: dict[str, t.Any] = {
        "about": about,
        "task_seconds": seconds,
        "core": dataclasses.asdict(imported),
        "bounds": [{**dataclasses.asdict(bound), "kept": bound.kept} for bound in bounds],
    }
    file.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
