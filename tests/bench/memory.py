# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Resident memory of the workers of a large run, by what each tells of itself, beside the same run with a constant."""

from __future__ import annotations

from dataclasses import dataclass

from .lookups import CALLBACK, CONSTANT, OURS, Cost, Fleet, evaluate

FORKS = 50


@dataclass(frozen=True)
class Workers:
    """A run, and the most MiB that each of its workers had, in ascending order."""

    cost: Cost
    resident: list[float]


@dataclass(frozen=True)
class Memory:
    """Ours, with the callback, and the constant's, without it."""

    hosts: int
    ours: Workers
    constant: Workers


def measure(fleet: Fleet, hosts: int) -> Memory:
    """One lookup on so many hosts."""
    return Memory(hosts, _run(fleet, OURS, hosts, CALLBACK), _run(fleet, CONSTANT, hosts))


def _run(fleet: Fleet, expression: str, hosts: int, *callbacks: str) -> Workers:
    noted = fleet.folder / "resident"
    noted.unlink(missing_ok=True)
    task = evaluate("Look up", f"[{expression}, lookup('bench_resident', '{noted}')]")
    cost = fleet.run([task], hosts=hosts, forks=FORKS, callbacks=callbacks)
    return Workers(cost, sorted(int(line) / 1024 for line in noted.read_text(encoding="ascii").splitlines()))
