# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One hit in a fresh worker, over what stands in its place; tasks of both kinds take turns in one run."""

from __future__ import annotations

import ast
import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.tools.project import ROOT, ToolError

from .lookups import CALLBACK, CONSTANT, OURS, Fleet, evaluate

_TIMES = "bench_task_times"
_SOURCE = ROOT / "plugins" / "lookup" / "vault_aws_token.py"
_NOTHING = '''
DOCUMENTATION = r"""{documentation}"""

from ansible.plugins.lookup import LookupBase


class LookupModule(LookupBase):
    def run(self, terms, variables=None, **kwargs):
        return ["nothing"]
'''


@dataclass(frozen=True)
class Hits:
    """Milliseconds that a hit takes longer, one value for each pair of tasks, on the clock and of a processor.

    over_constant: with the callback. over_nothing: without it, over a do-nothing lookup with the same documentation.
    """

    over_constant: list[float]
    over_constant_processor: list[float]
    over_nothing: list[float]
    over_nothing_processor: list[float]


def measure(fleet: Fleet, hosts: int, pairs: int) -> Hits:
    """Each value is of two tasks on so many hosts, one worker after another. Raises ToolError if one did not hit."""
    plugins = fleet.folder / "nothing"
    plugins.mkdir(exist_ok=True)
    (plugins / "bench_nothing.py").write_text(_nothing(), encoding="utf-8")
    with_callback = _differences(fleet, CONSTANT, hosts, pairs, [CALLBACK], plugins)
    without = _differences(fleet, "lookup('bench_nothing', role='web')", hosts, pairs, [], plugins)
    return Hits(*with_callback, *without)


def _differences(
    fleet: Fleet, other: str, hosts: int, pairs: int, callbacks: Sequence[str], plugins: Path
) -> tuple[list[float], list[float]]:
    tasks = [evaluate("Log in", OURS), evaluate("Warm up", other)]
    for _pair in range(pairs):
        tasks += [evaluate("Ours", OURS), evaluate("Other", other)]
    times = fleet.folder / "times"
    times.unlink(missing_ok=True)
    variables = {"BENCH_TASK_TIMES": str(times), "ANSIBLE_LOOKUP_PLUGINS": str(plugins)}
    cost = fleet.run(tasks, hosts=hosts, forks=1, callbacks=[_TIMES, *callbacks], variables=variables)
    if cost.logins != 1:
        raise ToolError(f"hits cost {cost.logins} logins instead of the first one only")
    marks = [json.loads(line) for line in times.read_text(encoding="utf-8").splitlines()]
    spent = [
        [(after[column] - before[column]) * 1000 / hosts for before, after in itertools.pairwise(marks[2:])]
        for column in (1, 2)
    ]
    clock, processor = ([one - two for one, two in zip(of[::2], of[1::2], strict=True)] for of in spent)
    return clock, processor


def _nothing() -> str:
    """A lookup that does nothing, with our lookup's documentation, which Ansible parses in each worker."""
    for node in ast.parse(_SOURCE.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "DOCUMENTATION":
            text = str(ast.literal_eval(node.value))
            return _NOTHING.format(documentation=text.replace("name: vault_aws_token\n", "name: bench_nothing\n", 1))
    raise ToolError(f"no documentation in {_SOURCE}")
