# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a campaign found, as lines, as a table, and as JSON without paths of this machine."""

from __future__ import annotations

import datetime
import os
import platform
import re
import shlex
import tempfile
import textwrap
import typing as t
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.chaos.campaign import Entry
from tests.chaos.trial import MESSAGE, Finding, Trial
from tests.tools.project import ROOT

_TOKEN = re.compile(r"\b(?:hv[sbr]\.|[sbr]\.)[A-Za-z0-9_-]{20,}")
_WIDTH = 118
FOLDER = "vaultfleet-chaos-"  # how the name of a campaign's folder begins


def line_of(entry: Entry) -> str:
    """One line for a trial that ended; more if something was not kept."""
    tried = entry.tried
    if tried.left_out:
        return f"left out  {entry.trial.group}: {entry.trial.name}: {tried.left_out}"
    kept = sum(one.kept for one in tried.findings)
    word = "kept" if entry.kept else "NOT KEPT"
    counted = f"{kept} of {len(tried.findings)} promises in {tried.seconds:.1f} s"
    lines = [f"{word:<9} {entry.trial.group}: {entry.trial.name}: {counted}"]
    if not entry.kept:
        lines += [f"            {one.promise}: {one.saw}" for one in tried.findings if not one.kept]
        lines += [f"            again: {again(entry)}"]
        lines += [f"            | {one}" for one in tried.said.splitlines()]
    return "\n".join(lines)


def again(entry: Entry) -> str:
    """The command that repeats a trial alone, with the same draws."""
    name = shlex.quote(entry.trial.name)
    return f"python3 -m tests.tools.venv run python -m tests.chaos --seed {entry.seed} --trial {name}"


def worst(entries: Iterable[Entry]) -> dict[str, Finding]:
    """By promise, the finding that is worst: not kept before kept, then the largest figure."""
    found: dict[str, Finding] = {}
    for entry in entries:
        for one in entry.tried.findings:
            old = found.get(one.promise)
            if old is None or (not one.kept, one.figure) >= (not old.kept, old.figure):
                found[one.promise] = one
    return found


def table(entries: Sequence[Entry], left_out: Sequence[Trial]) -> str:
    """For each group its trials: how often they were run, promises kept, the worst that was seen, the last message."""
    lines: list[str] = []
    for group in dict.fromkeys(entry.trial.group for entry in entries):
        lines += ["", f"== {group}"]
        names = dict.fromkeys(entry.trial.name for entry in entries if entry.trial.group == group)
        for name in sorted(names):
            mine = [entry for entry in entries if entry.trial.name == name]
            if mine[-1].tried.left_out:
                lines.append(f"  left out  {name}: {mine[-1].tried.left_out}")
                continue
            findings = [one for entry in mine for one in entry.tried.findings]
            kept = sum(one.kept for one in findings)
            slowest = max(entry.tried.seconds for entry in mine)
            word = "kept" if kept == len(findings) else "NOT KEPT"
            lines.append(f"  {word:<9} {name}: {kept}/{len(findings)} in {len(mine)} runs, at most {slowest:.1f} s")
            for promise, one in worst(mine).items():
                if one.saw and (not one.kept or one.figure or promise == MESSAGE):
                    mark = "" if one.kept else "NOT KEPT: "
                    lines += textwrap.wrap(
                        f"{mark}{promise}: {one.saw}", _WIDTH, initial_indent=" " * 12, subsequent_indent=" " * 14
                    )
    if left_out:
        lines += ["", "== not begun, as the time was over", *(f"  {one.group}: {one.name}" for one in left_out)]
    return "\n".join(lines)


def summary(entries: Sequence[Entry], left_out: Sequence[Trial], seed: int) -> str:
    """The last lines."""
    done = [entry for entry in entries if not entry.tried.left_out]
    broken = [entry for entry in done if not entry.kept]
    findings = [one for entry in done for one in entry.tried.findings]
    kinds = len({entry.trial.name for entry in done})
    not_kept = sum(not one.kept for one in findings)
    lines = [
        f"{len(done)} runs of {kinds} trials, {len(findings)} promises looked at, {not_kept} not kept; seed {seed}"
    ]
    impossible = {entry.trial.name for entry in entries if entry.tried.left_out}
    if left_out or impossible:
        lines.append(f"left out: {len(left_out)} for want of time, {len(impossible)} that this machine cannot do")
    lines += [f"not kept: {entry.trial.name}; again: {again(entry)}" for entry in broken]
    return "\n".join(lines)


def as_json(
    entries: Sequence[Entry], left_out: Sequence[Trial], seed: int, minutes: float, lanes: int
) -> dict[str, t.Any]:
    """All of it as JSON. lanes: how many trials ran side by side."""
    own = re.compile(rf"{re.escape(tempfile.gettempdir())}/{FOLDER}\w+")

    def clean(text: str) -> str:
        text = own.sub("TEMPORARY", text)
        for path, name in ((str(ROOT), "PROJECT"), (str(Path.home()), "HOME")):
            text = text.replace(path, name)
        return _TOKEN.sub("(a token)", text)

    runs = [
        {
            "group": entry.trial.group,
            "name": entry.trial.name,
            "round": entry.round,
            "seed": entry.seed,
            "seconds": round(entry.tried.seconds, 2),
            "left_out": clean(entry.tried.left_out),
            "findings": [
                {"promise": one.promise, "kept": one.kept, "saw": clean(one.saw), "figure": round(one.figure, 3)}
                for one in entry.tried.findings
            ],
        }
        for entry in entries
    ]
    return {
        "seed": seed,
        "minutes": minutes,
        "lanes": lanes,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": f"{os.cpu_count()} processors, {platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "root": os.geteuid() == 0,
        "not_begun": [{"group": one.group, "name": one.name} for one in left_out],
        "runs": runs,
    }
