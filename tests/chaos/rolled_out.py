# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the role puts onto a booted host: its service killed, its runs killed, and planted files where it writes."""

from __future__ import annotations

import concurrent.futures
import contextlib
import functools
import os
import time
import typing as t
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.vaultfleet.aws.plugins.plugin_utils._bundle import build
from tests.chaos.cases import in_time
from tests.chaos.hosts import GROUP, MARK, returns, under_kills
from tests.chaos.trial import (
    MESSAGE,
    NONCE_KEPT,
    NOTHING_LEFT,
    RECOVERY,
    UNHARMED,
    Finding,
    Ground,
    LeftOut,
    Trial,
)
from tests.chaos.victims import LONG, Reader, kill_all, rate
from tests.fleet import fleet as fleets
from tests.fleet.agent.service import Service
from tests.fleet.fleet import Wish
from tests.fleet.host import Host
from tests.fleet.role import bundles, looks
from tests.fleet.role.runs import Run, Runner

HOST = "trixie"
_OTHERS = "/opt/of-another"  # on the file system that the role writes to, as hard links have to be
_TEXT = "what is of somebody else"
_LONGEST = 90.0  # seconds of a run: nothing hangs
_SAID = ("[ERROR]: ", "fatal: ", "failed: ")  # lines that say why; the second is censored where a task has secrets
_PAUSE = 3.0  # seconds; RestartSec of the role's unit
_LASTING = {"token_ttl": "15s", "token_max_ttl": "30s"}  # outlives the pause; is renewed, then replaced
_PLANTED: Mapping[str, str] = {
    "symbolic link": f"ln -s {_OTHERS}/victim {{path}}",
    "symbolic link to a folder": f"ln -s {_OTHERS} {{path}}",
    "hard link": f"ln {_OTHERS}/victim {{path}}",
    "FIFO": "mkfifo {path}",
}


def trials() -> list[Trial]:
    """All of them; they take root's rights, to boot a host."""
    return [
        Trial(GROUP, "the role's service (ec2) killed at random moments", functools.partial(killed, times=6), 60),
        Trial(GROUP, "runs of the role killed at random moments", functools.partial(broken_off, times=4), 60),
        *(Trial(GROUP, f"{kind} wherever the role writes", functools.partial(planted, kind), 30) for kind in _PLANTED),
    ]


@dataclass
class RolledOut(Service):
    """An agent that the role puts there: with the role's unit, from the role's bundle."""

    runner: Runner = field(kw_only=True)

    def put(self) -> None:
        """Play the role."""
        self.play().judge_success()

    def play(self, **wishes: t.Any) -> Run:
        """Play the role for it; ``wishes`` are variables without their prefix."""
        header = {"header_value": None} if self.kind == "ec2" else {}
        return self.runner.role(name=self.name, role=self.name, type=self.kind, **header, **self.options, **wishes)


@contextlib.contextmanager
def _runner(ground: Ground) -> Iterator[Runner]:
    """Plays on one host."""
    if os.geteuid() != 0:
        raise LeftOut("hosts are booted by root")
    bundles.current()
    place, controller = ground.folder / "fleet", ground.folder / "controller"
    for folder in (place, controller):
        folder.mkdir()
    with fleets.running(ground.stack, place, {HOST: Wish(HOST, ground.stack.instances[0])}) as fleet:
        runner = Runner(fleet, controller)
        runner.prepare()
        yield runner


@contextlib.contextmanager
def _rolled_out(ground: Ground, runner: Runner, kind: str, **wishes: t.Any) -> Iterator[RolledOut]:
    """An agent on the host, which tells no secret (AssertionError)."""
    host = runner.fleet.host(HOST)
    service = RolledOut(host, ground.stack, kind, ground.stack.instances[0], runner=runner, **wishes)
    try:
        yield service
        service.judge_secrecy()
    finally:
        service.remove()


def killed(ground: Ground, times: int) -> list[Finding]:
    """As the service of ``hosts.killed``; and afterwards the role finds nothing to do."""
    with _runner(ground) as runner, _rolled_out(ground, runner, "ec2", role=_LASTING) as service:
        nonce = service.nonce()
        found = under_kills(service, ground.random, times, _PAUSE)
        same = nonce == service.nonce() == service.entry()["client_nonce"]
        return [
            *found,
            Finding(NONCE_KEPT, same, "the nonce of the first login is the server's and systemd's"),
            _quiet(service.play()),
        ]


def broken_off(ground: Ground, times: int) -> list[Finding]:
    """Whoever was killed in the midst of a change, the next run completes it; readers see nothing of all that."""
    with _runner(ground) as runner, _rolled_out(ground, runner, "iam", role=LONG) as service:
        before, begun = looks.files(service.host), time.monotonic()
        with Reader(ground.stack, service.file("token"), MARK) as reader:
            seconds = service.play(lookup_interval="50m").wall
            for number in range(times):
                with concurrent.futures.ThreadPoolExecutor() as pool:
                    run = pool.submit(service.play, lookup_interval=f"{number + 20}m")
                    time.sleep(ground.random.uniform(0.1, 1.0) * seconds)
                    kill_all(f"HOME={runner.folder}")
                    run.result()
            last = service.play(lookup_interval="40m")
            back = returns(service.works)
            time.sleep(0.3)
        config = looks.config(service.host, service.name)
        logins = len(service.logins())
        left = sorted(set(looks.files(service.host)) - set(before))
        print(last.shown)
        done = last.rc == 0 and config["auto_auth"]["lookup_interval"] == "2400s"
        return [
            *reader.findings(),
            Finding(RECOVERY, done and back < _LONGEST, f"the next run made the change, in {last.wall:.0f} s"),
            rate(logins, 1, time.monotonic() - begun),
            Finding(NOTHING_LEFT, not left, ", ".join(left)[:300] or "no file that was not there before"),
            _quiet(service.play(lookup_interval="40m")),
        ]


def planted(kind: str, ground: Ground) -> list[Finding]:
    """The role replaces what somebody put where it writes, or refuses it by name; nothing is written through it."""
    with _runner(ground) as runner:
        host = runner.fleet.host(HOST)
        host.write(f"{_OTHERS}/victim", _TEXT, 0o640)
        before = _facts(host)
        name = f"planted-{ground.random.randrange(10**6)}"
        wishes: dict[str, t.Any] = {
            "name": name,
            "role": "app",
            "access_key": "AKIAPLANTEDPLANTED00",
            "secret_key": "planted-secret-key-of-40-characters-0000",
            "templates": [
                {"contents": "plain", "destination": f"/run/{name}/app.conf", "on_change_units": ["cron.service"]}
            ],
            "service_state": "stopped",
        }
        traps = _traps(name)
        for path in traps:
            host.run(["sh", "-ec", f"mkdir -p {Path(path).parent}; {_PLANTED[kind].format(path=path)}"])
        found = _roll_out(runner, host, wishes, traps)
        return [Finding(UNHARMED, _facts(host) == before, f"{len(traps)} paths, nothing written through"), *found]


def _roll_out(runner: Runner, host: Host, wishes: Mapping[str, t.Any], traps: list[str]) -> list[Finding]:
    """Play the role again and again, and take away each time what it was refused for."""
    refused: list[str] = []
    slowest = 0.0
    while True:
        run = runner.role(**wishes)
        slowest = max(slowest, run.wall)
        if run.rc == 0:
            break
        words = " ".join(line for line in run.shown.splitlines() if line.startswith(_SAID))
        named = [path for path in traps if path in words and path not in refused]
        if not named or "Traceback" in run.shown:
            print(run.shown)
            return [in_time(slowest, _LONGEST), Finding(MESSAGE, False, words[:500])]
        refused += named
        host.run(["rm", "-rf", "--", *named])
    told = f"refused by its name: {', '.join(refused)}" if refused else "all were replaced"
    return [
        in_time(slowest, _LONGEST),
        Finding(MESSAGE, True, told),
        _quiet(runner.role(**wishes)),
    ]


def _traps(name: str) -> list[str]:
    """Each path on the host that the role writes for an agent of that name."""
    line = bundles.PYTHONS[HOST]
    wish = build.Wish((line,), str(Path(build.cache_folder()) / "bundles"), templates=True)
    bundle = build.bundles(wish)[0][line]
    return [
        f"/etc/vault-agent/{name}.json",
        f"/etc/vault-agent/{name}.credentials/aws-credentials",
        f"/opt/vaultfleet-agent/{name}",
        f"/opt/vaultfleet-agent/{bundle.version}",
        f"/opt/vaultfleet-agent/.archive-{bundle.sha256}.tar.gz",
        *(f"/etc/systemd/system/{name}{end}" for end in (".service", ".changed-0.path", ".changed-0.service")),
        *(f"/etc/systemd/system/multi-user.target.wants/{name}{end}" for end in (".service", ".changed-0.path")),
    ]


def _facts(host: Host) -> str:
    """All that matters of what is of somebody else, but how many links there are to it."""
    return host.run(["sh", "-c", f"find {_OTHERS} -printf '%p %m %U %G %y\\n' -type f -exec cat {{}} +"]).stdout


def _quiet(again: Run) -> Finding:
    """Whether one more run of the role found nothing to do."""
    tasks = [task for changed in again.changed.values() for task in changed]
    return Finding(RECOVERY, again.rc == 0 and not tasks, "; ".join(tasks) or "the role finds nothing to do")
