# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The proof that a hunt would find what there is: a leak of each kind in each form, planted in each place by programs.

What is planted was made for that place alone, so that nothing else can be taken for it.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

from . import playing
from .canaries import KINDS, Canary, made, plain
from .evidence import (
    ARGUMENTS,
    CORES,
    ENVIRONMENT,
    FACTS,
    JSON,
    JUNIT,
    LEFT,
    LOG,
    MINIMAL,
    RETRY,
    STDERR,
    STDOUT,
    TEMPORARY,
    TREE,
)
from .ground import Ground

BY_PROGRAM = (STDOUT, STDERR, LEFT, TEMPORARY, CORES, ARGUMENTS, ENVIRONMENT)
BY_PLAY = (STDOUT, LOG, TREE, JUNIT, FACTS)
# It is there for longer than the watch needs to look; and then it crashes.
_PROGRAM = """
import os, signal, sys, time
text = sys.argv[1]
print(text)
print(text, file=sys.stderr)
sys.stdout.flush()
with open(os.environ["HOME"] + "/left", "w") as stream:
    stream.write(text)
moment = os.environ["TMPDIR"] + "/there-for-a-moment"
with open(moment, "w") as stream:
    stream.write(text)
time.sleep(0.5)
os.unlink(moment)
os.kill(os.getpid(), signal.SIGSEGV)
"""


@dataclass(frozen=True)
class Plant:
    """What is planted: each canary in one form, one a line."""

    canaries: tuple[Canary, ...]
    text: str


def plant(*, bare: bool = False) -> Plant:
    """New canaries, one for each form of each kind. bare: only of letters and digits, and as they stand."""
    canaries, lines = [], []
    for kind in KINDS:
        for form in ["plain"] if bare else dict.fromkeys(made(kind).forms().values()):
            one = plain(kind) if bare else made(kind)
            found = {name: needle for needle, name in one.forms().items()}
            if form in found:
                canaries.append(one)
                lines.append(found[form].decode("ascii"))
    return Plant(tuple(canaries), "\n".join(lines))


def by_program(ground: Ground) -> Plant:
    """A program that leaks in all the ways that programs have."""
    planted = plant()
    ground.run([sys.executable, "-c", _PROGRAM, planted.text], {"PLANTED": planted.text}, label="planted")
    return planted


def by_play(ground: Ground) -> Plant:
    """A play that leaks: its screen, its log, its reports, its cache of facts."""
    planted = plant()
    _play(ground, planted)
    return planted


def by_screen(ground: Ground, place: str) -> Plant:
    """The same with another callback for the screen."""
    planted = plant()
    _play(ground, planted, {JSON: "ansible.posix.json", MINIMAL: "ansible.builtin.minimal"}[place])
    return planted


def by_retry(ground: Ground) -> Plant:
    """Hosts whose names are secrets, and which fail: that is what a retry file can hold."""
    planted = plant(bare=True)
    fail = {"name": "Fail", "ansible.builtin.fail": {"msg": "planted"}}
    hosts = ground.given("planted-hosts", planted.text + "\n")
    local = {"ansible_connection": "local"}
    playing.play(ground, [fail], label="planted", variables=local, inventory=hosts, keep=False, codes=(2,))
    return planted


def in_play(ground: Ground, places: list[str]) -> dict[str, Plant]:
    """Plant in the places of a path that is a play."""
    found = dict.fromkeys(BY_PROGRAM, by_program(ground))
    found.update({place: by_screen(ground, place) for place in (JSON, MINIMAL) if place in places})
    found.update(dict.fromkeys(BY_PLAY, by_play(ground)))  # after the others, which write to the same files
    if RETRY in places:
        found[RETRY] = by_retry(ground)
    playing.collect(ground)
    return found


def in_program(ground: Ground, _places: list[str]) -> dict[str, Plant]:
    """Plant in the places of a path that is programs."""
    found = dict.fromkeys(BY_PROGRAM, by_program(ground))
    ground.collect()
    return found


def _play(ground: Ground, planted: Plant, screen: str = "") -> None:
    tasks = [
        {"name": "Keep", "ansible.builtin.set_fact": {"leaked": "{{ leak }}", "cacheable": True}},
        {"name": "Leak", "ansible.builtin.debug": {"msg": "{{ leak }}"}},
    ]
    variables = {"leak": planted.text.splitlines()}
    playing.play(ground, tasks, label="planted", variables=variables, callback=screen, keep=False)
