# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What systemd's file descriptor store does, on each release: the agent's nonce and token live by these facts."""

from __future__ import annotations

import json
import time
import typing as t
from dataclasses import dataclass
from pathlib import Path

import pytest

from .host import Host, booted
from .releases import RELEASES

PROBE = Path(__file__).with_name("fdstore_probe.py")
PLACE = "/opt/fdstore_probe.py"
UNIT = """
[Unit]
StartLimitIntervalSec=0
[Service]
Type=notify
User=daemon
ExecStart=/usr/bin/python3 -I /opt/fdstore_probe.py
RuntimeDirectory=probe
RuntimeDirectoryPreserve=yes
ProtectSystem=strict
PrivateTmp=yes
NoNewPrivileges=yes
FileDescriptorStoreMax=3
%s
[Install]
WantedBy=multi-user.target
"""


@dataclass(frozen=True)
class Probe:
    """The bare service on a host; ``version`` is systemd's."""

    host: Host
    version: int

    def start(self, *settings: str, enabled: bool = True) -> None:
        """Start afresh, with more settings and an empty store."""
        # Older systemd has no store that outlives a stop, and no command to empty it.
        empty = "systemctl stop probe; systemctl reset-failed probe; systemctl clean --what=fdstore probe"
        self.host.run(["sh", "-c", empty], check=False)
        self.host.write("/etc/systemd/system/probe.service", UNIT % "\n".join(settings))
        verb = "enable" if enabled else "disable"
        self.host.run(["sh", "-euc", f"systemctl {verb} probe; systemctl daemon-reload"])
        self.systemctl("start")
        assert self.state["fds"] == []

    def systemctl(self, verb: str) -> None:
        """A systemctl command upon the service."""
        self.host.run(["systemctl", verb, "probe"])

    def ask(self, *words: str) -> t.Any:
        """Have the service do something."""
        return json.loads(self.host.run(["python3", "-I", PLACE, *words]).stdout)

    def store(self, name: str, *texts: str) -> None:
        """Have the service store texts under a name, and wait until systemd has done so."""
        self.ask("store", name, *texts)
        assert self.ask("barrier") is True

    @property
    def state(self) -> dict[str, t.Any]:
        """What the service was last started with."""
        state: dict[str, t.Any] = json.loads(self.host.read("/run/probe/started"))
        return state

    @property
    def stored(self) -> int:
        """How many descriptors systemd says it holds."""
        show = ["systemctl", "show", "--property=NFileDescriptorStore", "probe"]
        return int(self.host.run(show).stdout.partition("=")[2])

    def die(self, signal: str) -> None:
        """Kill the service from outside, and wait for the next."""
        before = self.state["pid"]
        self.host.run(["systemctl", "kill", f"--signal={signal}", "probe"])
        self.wait(lambda: self.state["pid"] != before, "the service did not come back")

    def wait(self, condition: t.Callable[[], bool], failure: str) -> None:
        """Wait for something of the host."""
        deadline = time.monotonic() + 40
        while not condition():
            assert time.monotonic() < deadline, failure
            time.sleep(0.05)


@pytest.fixture(scope="module", params=RELEASES)
def probe(request: pytest.FixtureRequest) -> t.Iterator[Probe]:
    """The service on a host of each release."""
    with booted(request.param) as host:
        host.write(PLACE, PROBE.read_text(encoding="utf-8"))
        yield Probe(host, int(host.run(["systemctl", "--version"]).stdout.split()[1]))


ONE = [["nonce", "first", True]]
TWO = [["nonce", "first", True], ["token", "second", True]]


def test_the_store_survives_sigkill(probe: Probe) -> None:
    probe.start("Restart=always", "RestartSec=0")
    probe.store("nonce", "first")
    probe.store("token", "second")
    for _round in range(3):
        probe.die("KILL")
        assert sorted(probe.state["fds"]) == TWO
    assert probe.stored == 2


def test_the_store_survives_the_watchdog(probe: Probe) -> None:
    probe.start("Restart=on-failure", "RestartSec=0", "WatchdogSec=60")
    probe.store("nonce", "first")
    before = probe.state["pid"]
    probe.ask("starve")  # only now, so that it does not bite while something is still being stored
    probe.wait(lambda: probe.state["pid"] != before, "the watchdog did not bite")
    assert probe.state["fds"] == ONE


def test_the_store_survives_a_restart(probe: Probe) -> None:
    probe.start()
    probe.store("nonce", "first")
    for _round in range(2):
        probe.systemctl("restart")
        assert probe.state["fds"] == ONE


@pytest.mark.parametrize("verb", ["daemon-reload", "daemon-reexec"])
def test_the_store_survives_the_managers_own_reload(probe: Probe, verb: str) -> None:
    probe.start()
    probe.store("nonce", "first")
    probe.host.run(["systemctl", verb])
    probe.systemctl("restart")
    assert probe.state["fds"] == ONE


@pytest.mark.parametrize("setting", ["no", "restart", "yes"])
def test_what_is_preserved_can_be_set_since_systemd_254(probe: Probe, setting: str) -> None:
    probe.start(f"FileDescriptorStorePreserve={setting}")
    probe.store("nonce", "first")
    probe.systemctl("restart")
    assert probe.state["fds"] == ([] if setting == "no" and probe.version >= 254 else ONE)
    probe.systemctl("stop")
    probe.systemctl("start")
    assert probe.state["fds"] == (ONE if setting == "yes" and probe.version >= 254 else [])


def test_a_stopped_unit_that_nothing_wants_is_forgotten_with_its_store(probe: Probe) -> None:
    probe.start("FileDescriptorStorePreserve=yes", enabled=False)
    probe.store("nonce", "first")
    probe.systemctl("stop")
    probe.systemctl("start")
    assert probe.state["fds"] == []  # up to 260; what is stored keeps the unit in memory later


def test_emptying_the_store_of_a_stopped_unit(probe: Probe) -> None:
    probe.start("FileDescriptorStorePreserve=yes")
    probe.store("nonce", "first")
    probe.systemctl("stop")
    done = probe.host.run(["systemctl", "clean", "--what=fdstore", "probe"], check=False)
    assert (done.returncode == 0) == (probe.version >= 254)
    probe.systemctl("start")
    assert probe.state["fds"] == []


@pytest.mark.parametrize("preserve", [False, True])
def test_a_service_that_failed_for_good_loses_the_store_unless_preserved(probe: Probe, preserve: bool) -> None:
    probe.start("Restart=no", *["FileDescriptorStorePreserve=yes"] * preserve)
    probe.store("nonce", "first")
    probe.host.run(["systemctl", "kill", "--signal=KILL", "probe"])
    probe.wait(
        lambda: probe.host.run(["systemctl", "is-active", "probe"], check=False).stdout == "failed\n", "it did not fail"
    )
    probe.systemctl("start")
    assert probe.state["fds"] == (ONE if preserve and probe.version >= 254 else [])


def test_removing_takes_all_of_a_name_and_no_other(probe: Probe) -> None:
    probe.start()
    probe.store("token", "old", "older")
    probe.store("nonce", "first")
    assert probe.stored == 3
    probe.ask("remove", "token")
    assert probe.ask("barrier") is True
    assert probe.stored == 1
    probe.systemctl("restart")
    assert probe.state["fds"] == ONE


def test_a_full_store_drops_what_comes_and_keeps_what_it_has(probe: Probe) -> None:
    probe.start()
    probe.store("nonce", "first")
    probe.store("token", "second", "third", "too much")
    assert probe.stored == 3
    probe.systemctl("restart")
    assert sorted(text for _name, text, _sealed in probe.state["fds"]) == ["first", "second", "third"]


def test_the_same_memory_is_not_stored_twice_and_keeps_its_first_name(probe: Probe) -> None:
    probe.start()
    probe.ask("twice", "old-name", "new-name")
    assert probe.ask("barrier") is True
    probe.systemctl("restart")
    assert probe.state["fds"] == [["old-name", "same", True]]


def test_without_room_nothing_is_stored_and_the_barrier_still_works(probe: Probe) -> None:
    probe.start("FileDescriptorStoreMax=0")
    probe.store("nonce", "first")
    assert probe.stored == 0
    probe.systemctl("restart")
    assert probe.state["fds"] == []


def test_the_limit_is_told_since_systemd_254(probe: Probe) -> None:
    probe.start()
    assert probe.state["limit"] == ("3" if probe.version >= 254 else None)
