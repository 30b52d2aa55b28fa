# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""File systems that are full, out of inodes or read-only: the old token stays whole, the message names the path."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import time
import typing as t
from collections.abc import Callable
from pathlib import Path

from tests.chaos import places
from tests.chaos.kills import COMMAND, SINK, task
from tests.chaos.trial import LOGIN_RATE, NO_TORN_SINK, NO_WRONG_TOKEN, NOTHING_LEFT, RECOVERY, Finding, Ground, Trial
from tests.chaos.victims import (
    LONG,
    LONGEST_PAUSE_OF_A_SINK,
    Reader,
    accepted,
    agents,
    backoff,
    lookups,
    message,
    next_task,
    recovery,
    returns,
    settled,
    told,
)
from tests.live.agent.process import COLLECTIONS
from tests.live.core import keys
from tests.live.lookup.runs import NAME, meet, play, see

GROUP = "disks"
FULL, INODES, READ_ONLY = "No space left", "No space left", "Read-only file system"


def trials() -> list[Trial]:
    """All of them; they take root's rights, for the mounts."""
    return [
        _of("agent's sink: full in the midst of a run", functools.partial(agent, kind="full"), 10),
        _of("agent's sink: no inode left", functools.partial(agent, kind="inodes"), 10),
        _of("agent's sink: remounted read-only", functools.partial(agent, kind="read-only"), 10),
        _of("agent's runtime folder: full, then read-only", runtime, 10),
        _of("module's sink: full, no inode, read-only", module, 18),
        _of("vault-aws-login --store: full, read-only", command, 5),
        _of("lookup's memory: full from the start", lookup_full, 5),
        _of("lookup's memory: full in the midst of a run", lookup_fills, 18),
    ]


def _of(name: str, work: Callable[[Ground], list[Finding]], seconds: float) -> Trial:
    def run(ground: Ground) -> list[Finding]:
        places.move_away()
        return work(ground)

    return Trial(GROUP, name, run, seconds)


def spoil(place: Path, kind: str) -> None:
    """Make writing fail."""
    if kind == "full":
        places.fill(place)
    elif kind == "inodes":
        places.fill_inodes(place)
    else:
        places.remount(place, "ro")


def mend(place: Path, kind: str) -> None:
    """Make writing work again."""
    if kind == "read-only":
        places.remount(place, "rw")
    else:
        places.empty(place)


def agent(ground: Ground, kind: str) -> list[Finding]:
    """Its token is revoked while nothing can be written: the new one comes as soon as there is room."""
    with agents(ground) as made:
        one = made.iam(kind, role=LONG, auto_auth={"lookup_interval": 1})
        place = places.mount(one.folder / "run", *(["nr_inodes=16"] if kind == "inodes" else ["size=64k"]))
        one.sink = place / "token"
        sink = {"type": "file", "config": {"path": str(one.sink), "mode": "0640"}}
        one.write(auto_auth={**one.config["auto_auth"], "sink": [sink]})
        one.start()
        old = settled(one)
        with Reader.of(one) as reader:
            time.sleep(ground.random.uniform(0.2, 1))
            spoil(place, kind)
            spoilt = time.monotonic()
            accepted(one, reader)
            made.stack.root("POST", "auth/token/revoke", {"token": old})
            one.until(lambda: one.status()["sinks"][0]["error"], "the sink's failure is not told")
            time.sleep(ground.random.uniform(3, 8))
            whole, failures = one.token() == old, one.status()["counters"]["sink_failures"]
            lasted = time.monotonic() - spoilt
            mend(place, kind)
            # The pause after so many failures; see ``lifecycle._sink_failed``.
            bound = min(LONGEST_PAUSE_OF_A_SINK, 2.0**failures)
            seconds = returns(one, time.monotonic(), old)
            time.sleep(0.3)
        again = one.status()["sinks"][0]["error"] == ""
        # Each pause is a second at least.
        tries = Finding(
            LOGIN_RATE,
            one.logins() <= 2 and failures <= lasted + 1,
            f"{one.logins()} logins, {failures} tries to write in {lasted:.0f} s",
        )
        kept = Finding(NO_TORN_SINK, whole, "while nothing could be written, the sink held the old token, whole")
        left = [path.name for path in place.iterdir() if path.name not in ("token", "ballast")]
        return [
            *reader.findings(),
            kept,
            tries,
            recovery(seconds if again else float("inf"), bound),
            Finding(NOTHING_LEFT, not left, f"{len(left)} other files beside the sink"),
            message(one, r"\[ERROR\].*a sink failed: cannot write .*token.*"),
        ]


def runtime(ground: Ground) -> list[Finding]:
    """What it tells of itself has no place; its token has."""
    with agents(ground) as made:
        one = made.iam("runtime", auto_auth={"lookup_interval": 1})
        place = places.mount(one.runtime, "size=64k")
        one.start()
        settled(one)
        with Reader.of(one) as reader:
            for kind in ("full", "read-only"):
                spoil(place, kind)
                old = accepted(one, reader)
                made.stack.root("POST", "auth/token/revoke", {"token": old})
                seconds = returns(one, time.monotonic(), old)
                mend(place, kind)
                time.sleep(0.3)
        pid = one.process.pid if one.process else 0
        begun = time.monotonic()
        one.until(lambda: one.status().get("pid") == pid and one.state() == "serving", "its status is not told again")
        back = time.monotonic() - begun
        # A lookup each second finds the token gone; a login follows at once, or after a pause if that goes on.
        return [
            *reader.findings(),
            recovery(seconds, 1.1 + backoff(one)[1]),
            recovery(back, 5),
            message(one, "status.json"),
        ]


def module(ground: Ground) -> list[Finding]:
    """Nobody logs in for what cannot be kept, as far as that can be known; what can not is revoked."""
    with lookups(ground) as runs:
        found: list[Finding] = []
        for kind in ("full", "inodes", "read-only"):
            place = places.mount(ground.folder / kind, *(["nr_inodes=6"] if kind == "inodes" else ["size=16k"]))
            book = play(task(ground.stack, place / SINK))
            runs.run(book)
            old = (place / SINK).read_text(encoding="ascii")
            works = _works(ground, old)
            # The token must be due, and still work: the record beside it goes.
            (place / f"{SINK}.meta").unlink()
            spoil(place, kind)
            accessors = _accessors(ground)
            before = ground.stack.logins("aws")
            failed = runs.run(book, fails=True)
            whole = (place / SINK).read_text(encoding="ascii") == old and _works(ground, old) and works
            logins, more = ground.stack.logins("aws") - before, len(_accessors(ground) - accessors)
            mend(place, kind)
            after = runs.run(book)
            new = (place / SINK).read_text(encoding="ascii")
            left = list(place.glob(".*.tmp-*"))
            found += [
                Finding(NO_TORN_SINK, whole, f"{kind}: the sink held the old token, whole, and it worked"),
                Finding(LOGIN_RATE, logins <= (kind == "full"), f"{kind}: {logins} logins for nothing"),
                Finding(NOTHING_LEFT, not (more or left), f"{kind}: {more} tokens that nobody has, {len(left)} files"),
                next_task(new != old and _works(ground, new), after.seconds),
                told(failed.shown, f"cannot write .*{SINK}"),
            ]
        return found


def _works(ground: Ground, token: str) -> bool:
    return ground.stack.vault.call("GET", "secret/data/demo", token=token).status == 200


def _accessors(ground: Ground) -> set[str]:
    return set(ground.stack.root("LIST", "auth/token/accessors")["data"]["keys"])


def command(ground: Ground) -> list[Finding]:
    """The file of Vault's clients."""
    stack, mine = ground.stack, keys(ground.stack)
    found: list[Finding] = []
    for kind in ("full", "read-only"):
        place = places.mount(ground.folder / kind, "size=16k")
        given = {
            **os.environ,
            "PYTHONPATH": str(COLLECTIONS),
            "AWS_ACCESS_KEY_ID": mine.access_key,
            "AWS_SECRET_ACCESS_KEY": mine.secret_key,
            "VAULT_ADDR": stack.env["VAULT_ADDR"],
            "VAULT_CACERT": stack.env["VAULT_CACERT"],
            "VAULTFLEET_AWS_HEADER_VALUE": stack.env["STACK_HEADER_VALUE"],
            "BAO_TOKEN_PATH": str(place / SINK),
        }
        run = functools.partial(
            subprocess.run,
            [sys.executable, "-m", COMMAND, "--role", "web", "--store"],
            env=given,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        run()
        old = (place / SINK).read_text(encoding="ascii")
        spoil(place, kind)
        accessors = _accessors(ground)
        failed = run()
        whole = (place / SINK).read_text(encoding="ascii") == old and _works(ground, old)
        more = len(_accessors(ground) - accessors)
        mend(place, kind)
        after = run()
        new = (place / SINK).read_text(encoding="ascii")
        found += [
            Finding(NO_TORN_SINK, whole, f"{kind}: the file held the old token, whole, and it worked"),
            Finding(NOTHING_LEFT, more == 0, f"{kind}: {more} tokens that nobody has"),
            Finding(
                RECOVERY, after.returncode == 0 and new != old and _works(ground, new), f"{kind}: the next run worked"
            ),
            told(failed.stderr, f"cannot write .*{SINK}"),
        ]
    return found


# --- the lookup


def lookup_full(ground: Ground) -> list[Finding]:
    """Tokens are not shared then, and it says so once."""
    with lookups(ground) as runs:
        places.mount(runs.memory, "size=4k")
        places.fill(runs.memory)
        before = ground.stack.logins("aws")
        ended = runs.run(play(see("one"), see("two")), hosts=2)
        logins = ground.stack.logins("aws") - before
        tokens = len(ended.tokens())
        return [
            Finding(NO_WRONG_TOKEN, tokens == 4, f"{tokens} of 4 lookups had a token"),
            Finding(LOGIN_RATE, logins == 4, f"{logins} logins for 4 lookups without a place to share"),
            told(" ".join(ended.shown.split()), "No space left"),
        ]


def lookup_fills(ground: Ground) -> list[Finding]:
    """What is shared already goes on; a token that cannot be kept is revoked; with room, all is as before."""
    with lookups(ground) as runs:
        places.mount(runs.memory, "size=64k")
        hard: dict[str, t.Any] = {"ignore_errors": True}
        other = f"lookup('{NAME}', role='web-short')"
        book = play(
            see("one"),
            meet(runs.folder, "filled"),
            see("two"),
            see("new", other, **hard),
            meet(runs.folder, "emptied"),
            # A login that failed is not tried again for 10 seconds.
            {"name": "Wait", "ansible.builtin.pause": {"seconds": 11}},
            see("late", other),
        )
        run = runs.start(book)
        run.reached("filled")
        places.fill(runs.memory)
        accessors = _accessors(ground)
        run.go("filled")
        run.reached("emptied")
        more = len(_accessors(ground) - accessors)
        places.empty(runs.memory)
        run.go("emptied")
        ended = run.end()
        same = ended.tokens("one") == ended.tokens("two") != []
        return [
            Finding(
                NO_WRONG_TOKEN, same and not ended.tokens("new"), "the shared token served on; no other was handed out"
            ),
            Finding(NOTHING_LEFT, more == 0, f"{more} tokens that nobody has"),
            Finding(RECOVERY, bool(ended.tokens("late")), "with room again, the next lookup logged in"),
            told(" ".join(ended.shown.split("TASK [See new]")[-1].split("TASK")[0].split()), "No space left"),
        ]
