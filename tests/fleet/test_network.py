# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fleet: reached by ssh, with Vault and its own metadata service in reach and nothing else, and logging in."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import time
import typing as t
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.stack.handle import Stack

from . import clock, leftovers, library
from .fleet import CA, Fleet, Wish, running
from .host import Host
from .network import network
from .place import MARK
from .playbooks import Json, Player
from .relay import relays
from .releases import RELEASES, find_release

PROJECT = Path(__file__).parents[2]
MODULE = "vaultfleet.aws.aws_vault_login"
METADATA = "http://169.254.169.254"
# Prints the status and the body of an answer: URL, METHOD, HEADERS, CA.
FETCH = """
import json, ssl, sys, urllib.error, urllib.request
url, method, headers, ca = sys.argv[1:]
context = ssl.create_default_context(cafile=ca) if ca else None
request = urllib.request.Request(url, method=method, headers=json.loads(headers))
try:
    answer = urllib.request.urlopen(request, timeout=5, context=context)
except urllib.error.HTTPError as e:
    answer = e
print(answer.status if hasattr(answer, "status") else answer.code, answer.read().decode())
"""
# Prints what comes of a connection.
KNOCK = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=3)
except OSError as e:
    print(e.strerror or type(e).__name__)
else:
    print("connected")
"""


def fetch(host: Host, url: str, method: str = "GET", headers: Json | None = None, ca: str = "") -> tuple[int, str]:
    """One request of the host."""
    done = host.run(["python3", "-c", FETCH, url, method, json.dumps(headers or {}), ca])
    status, _space, body = done.stdout.partition(" ")
    return int(status), body.strip()


def knock(host: Host, address: str, port: int) -> str:
    """What the host finds at an address."""
    return host.run(["python3", "-c", KNOCK, address, str(port)]).stdout.strip()


def instance_id(host: Host) -> str:
    """The instance that the host's metadata service says it is."""
    status, token = fetch(host, f"{METADATA}/latest/api/token", "PUT", {"X-aws-ec2-metadata-token-ttl-seconds": "60"})
    assert status == 200
    headers = {"X-aws-ec2-metadata-token": token}
    return fetch(host, f"{METADATA}/latest/meta-data/instance-id", headers=headers)[1]


def ssh(fleet: Fleet, *arguments: str, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """What ssh does with the fleet's configuration."""
    command = ["ssh", "-F", str(fleet.access.config), "-o", "BatchMode=yes", *arguments]
    return subprocess.run(command, input=data, capture_output=True, check=False, timeout=60)


def login(register: str, environment: t.Mapping[str, str] | str = "{}", /, **options: t.Any) -> Json:
    """A login by the module on the host, with the libraries that are there for it."""
    extra = environment if isinstance(environment, str) else json.dumps(environment)
    return {
        "name": register,
        MODULE: {"url": "{{ fleet_vault_url }}", "ca_cert": "{{ fleet_vault_ca_cert }}", "retries": 0, **options},
        "register": register,
        "environment": "{{ " + f"{{'PYTHONPATH': '{library.LIBRARY}'}} | combine({extra})" + " }}",
        "ignore_errors": True,
    }


IAM: t.Mapping[str, t.Any] = {"role": "app", "header_value": "{{ fleet_header_value }}"}
EC2: t.Mapping[str, t.Any] = {"role": "node", "type": "ec2"}


@pytest.fixture
def fresh(fleet: Fleet, stack: Stack) -> t.Iterator[None]:
    """Vault has seen none of the instances, and their metadata services are as at the start, before and after.

    Vault's answers tell who logged in.
    """

    def forget() -> None:
        for member in fleet.members.values():
            stack.delete_accesslist(member.instance)
            stack.imds_reset(member.instance)

    identity = "auth/aws/config/identity"
    forget()
    stack.root("PUT", identity, {"iam_metadata": ["client_arn"], "ec2_metadata": ["instance_id"]})
    yield
    stack.root("PUT", identity, {"iam_metadata": ["default"], "ec2_metadata": ["default"]})
    forget()


@pytest.fixture(params=list(RELEASES))
def name(request: pytest.FixtureRequest) -> str:
    """Each host in turn."""
    return str(request.param)


# --- ssh


def test_ansible_comes_in_without_privileges_and_becomes_root(player: Player) -> None:
    who: Json = {"ansible.builtin.command": "id -un", "changed_when": False}
    facts: Json = {"ansible.builtin.setup": {"gather_subset": ["!all", "network"]}}
    played = player.play(
        {"ansible.builtin.ping": {}, "become": True, "register": "ping"},
        {**who, "register": "user"},
        {**who, "become": True, "register": "root"},
        {**who, "become": True, "become_user": "nobody", "register": "nobody"},
        {**facts, "register": "facts"},
    )
    assert played.rc == 0, played.shown
    assert set(played.results) == set(RELEASES)
    for name, result in played.results.items():
        assert result["ping"]["ping"] == "pong"
        assert [result[one]["stdout"] for one in ("user", "root", "nobody")] == ["admin", "root", "nobody"]
        seen = result["facts"]["ansible_facts"]
        assert seen["ansible_python_version"].startswith(find_release(name).python)
        assert seen["ansible_hostname"] == name
        assert seen["ansible_eth0"]["ipv4"]["address"] == player.fleet.members[name].network.address


def test_ssh_carries_much_both_ways(fleet: Fleet, name: str) -> None:
    data = secrets.token_bytes(8_000_000)
    done = ssh(fleet, name, "tee /dev/stderr | sha256sum >&2", data=data)
    assert done.returncode == 0
    assert done.stderr[: len(data)] == data
    assert hashlib.sha256(data).hexdigest() in done.stderr[len(data) :].decode()


def test_a_strange_key_does_not_come_in(fleet: Fleet, tmp_path: Path) -> None:
    strange = str(tmp_path / "key")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", strange], check=True)
    own = fleet.access.config.read_text(encoding="utf-8").replace(str(fleet.access.key), strange)
    config = tmp_path / "config"
    config.write_text(own, encoding="utf-8")
    command = ["ssh", "-F", str(config), "-o", "BatchMode=yes", "trixie", "true"]
    done = subprocess.run(command, capture_output=True, check=False, text=True)
    assert done.returncode == 255
    assert "Permission denied" in done.stderr


def test_hosts_have_keys_of_their_own(fleet: Fleet) -> None:
    assert len({member.key for member in fleet.members.values()}) == len(fleet.members)
    wrong = fleet.members["bookworm"].port
    # The key of trixie is not known for the port of bookworm.
    known = fleet.access.known_hosts.read_text(encoding="ascii").splitlines()
    [line] = [line for line in known if line.startswith(f"[127.0.0.1]:{fleet.members['trixie'].port} ")]
    other = fleet.folder / "other-known-hosts"
    other.write_text(f"[127.0.0.1]:{wrong} {line.split(' ', 1)[1]}\n", encoding="ascii")
    done = ssh(fleet, "-o", f"UserKnownHostsFile={other}", "bookworm", "true")
    assert done.returncode == 255
    assert b"Host key verification failed" in done.stderr


# --- what is in reach


def test_each_host_has_its_own_metadata_service(fleet: Fleet) -> None:
    seen = {name: instance_id(member.host) for name, member in fleet.members.items()}
    assert seen == {name: member.instance for name, member in fleet.members.items()}
    assert len(set(seen.values())) == len(seen)


def test_vault_is_where_the_machine_has_it(fleet: Fleet, stack: Stack, name: str) -> None:
    status, body = fetch(fleet.host(name), f"{stack.env['VAULT_ADDR']}/v1/sys/health", ca=CA)
    assert status == 200
    assert json.loads(body)["sealed"] is False


def test_nothing_else_is_in_reach(fleet: Fleet, stack: Stack) -> None:
    trixie = fleet.host("trixie")
    aws = urlsplit(stack.env["STACK_AWS_ENDPOINT"]).port
    assert knock(trixie, "127.0.0.1", aws or 0) == "Connection refused"
    assert knock(trixie, "127.0.0.1", fleet.members["bookworm"].port) == "Connection refused"
    for address in ("1.1.1.1", fleet.members["bookworm"].network.address):
        assert knock(trixie, address, 22) in ("Network is unreachable", "No route to host", "TimeoutError", "timed out")


def test_the_machines_own_network_is_left_alone(stack: Stack, tmp_path: Path) -> None:
    def state() -> str:
        return subprocess.run(
            ["sh", "-c", "ip -o addr; ip rule; ip route show table all; ls /run/netns 2>/dev/null || true"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    before = re.sub(r"\d+sec", "", state())
    with running(stack, tmp_path, {"alone": Wish("trixie", "")}) as fleet:
        assert re.sub(r"\d+sec", "", state()) == before
        assert ssh(fleet, "alone", "true").returncode == 0


def test_a_host_that_is_gone_resets_connections() -> None:
    with relays() as relay, network("10.0.0.1", relay) as net:
        port = net.publish(22)
        done = subprocess.run([sys.executable, "-c", KNOCK, "127.0.0.1", str(port)], capture_output=True, check=True)
        # Who is slow finds the reset already when it is told that there is a connection.
        assert done.stdout.strip() in (b"connected", b"Connection reset by peer")
        command = ["ssh", "-p", str(port), "-o", "BatchMode=yes", "127.0.0.1"]
        refused = subprocess.run(command, capture_output=True, check=False, text=True)
        assert "reset" in refused.stderr.lower()


# --- logins, without any endpoint told to the hosts


@pytest.mark.usefixtures("fresh")
def test_logins_of_both_types_on_every_host(player: Player) -> None:
    played = player.play(login("iam", **IAM), login("ec2", **EC2), play={"become": True})
    for name, member in player.fleet.members.items():
        iam, ec2 = (played.results[name][kind] for kind in ("iam", "ec2"))
        assert not iam["failed"], iam
        assert not ec2["failed"], ec2
        assert iam["login"]["auth"]["metadata"]["client_arn"].endswith(f":assumed-role/app/{member.instance}")
        assert ec2["login"]["auth"]["metadata"]["instance_id"] == member.instance
    tokens = {result[kind]["login"]["auth"]["client_token"] for result in played.results.values() for kind in result}
    assert len(tokens) == 2 * len(RELEASES)
    assert not any(token in played.shown for token in tokens)


@pytest.mark.usefixtures("fresh")
def test_metadata_off_or_too_far_away_has_its_own_hint(player: Player, stack: Stack) -> None:
    members = player.fleet.members
    stack.imds(members["bookworm"].instance, disabled=True)
    stack.imds(members["bullseye"].instance, hop_limit=True)
    played = player.play(login("ec2", timeout=20, **EC2), play={"strategy": "free"})
    results = {name: result["ec2"] for name, result in played.results.items()}
    assert not results["trixie"]["failed"], results["trixie"]
    assert "--http-endpoint enabled" in results["bookworm"]["msg"]
    assert "--http-put-response-hop-limit 2" in results["bullseye"]["msg"]


def test_a_host_outside_of_ec2_has_no_metadata(stack: Stack, tmp_path: Path) -> None:
    with running(stack, tmp_path, {"elsewhere": Wish("trixie", "")}) as fleet:
        assert knock(fleet.host("elsewhere"), "169.254.169.254", 80) == "Connection refused"
        played = Player(fleet, tmp_path).play(login("ec2", timeout=10, **EC2))
        assert "no instance metadata service at http://169.254.169.254" in played.results["elsewhere"]["ec2"]["msg"]


@pytest.mark.usefixtures("fresh")
def test_a_command_with_a_wrong_clock(player: Player) -> None:
    # Not so far ahead that the role's credentials, which last an hour, look expired; they are asked for anew before.
    seconds = {"trixie": -3600, "bookworm": 1800, "bullseye": 0}
    wrong = {name: clock.environment(player.fleet.host(name), value) for name, value in seconds.items()}
    which = f"({json.dumps(wrong)})[inventory_hostname]"
    results = {name: result["iam"] for name, result in player.play(login("iam", which, **IAM)).results.items()}
    assert not results["bullseye"]["failed"], results["bullseye"]
    assert "behind Vault's" in results["trixie"]["msg"]
    assert "ahead of Vault's" in results["bookworm"]["msg"]


def test_services_with_a_wrong_clock(fleet: Fleet, name: str) -> None:
    host = fleet.host(name)
    # Timeouts go by the other clock: this takes its time, no more and no less.
    program = "import threading, time; threading.Event().wait(0.3); print(time.time())"
    hardening = ["DynamicUser=yes", "ProtectSystem=strict", "MemoryDenyWriteExecute=yes", "PrivateDevices=yes"]
    settings = [f"--property={one}" for one in (*hardening, "SystemCallFilter=@system-service")]

    unit = ["systemd-run", "--quiet", "--pipe", "--wait", *settings]
    for seconds in (3600, -7200, 0):
        clock.skew(host, seconds)
        start, begun = time.monotonic(), time.time()
        told = float(host.run([*unit, "python3", "-c", program], timeout=40).stdout)
        assert time.monotonic() - start > 0.3
        # However long the unit took to start and to end.
        assert begun - 1 < told - seconds < time.time() + 1


# --- lives and deaths


def test_a_host_boots_again(fleet: Fleet, name: str) -> None:
    before = fleet.host(name)
    before.write("/etc/kept", "yes")
    before.write("/run/lost", "yes")
    host = fleet.reboot(name)
    assert host.leader != before.leader
    assert host.failed_units == ()
    assert host.run(["ls", "/etc/kept", "/run/lost"], check=False).stdout == "/etc/kept\n"
    assert instance_id(host) == fleet.members[name].instance
    assert ssh(fleet, name, "sudo cat /etc/kept").stdout == b"yes"
    host.run(["rm", "/etc/kept"])


def test_a_stopped_vault_is_seen_from_the_hosts(fleet: Fleet, stack: Stack) -> None:
    url = f"{stack.env['VAULT_ADDR']}/v1/sys/health"
    stack.stop_vault()
    try:
        failed = fleet.host("trixie").run(["python3", "-c", FETCH, url, "GET", "{}", CA], check=False)
        assert "reset" in failed.stderr.lower()
    finally:
        stack.start_vault()
    assert fetch(fleet.host("trixie"), url, ca=CA)[0] == 200


def hosts_of(pid: int) -> list[str]:
    """The hosts that a process has."""
    return [path.name for path in leftovers.FOLDERS.glob(f"{leftovers.PREFIX}-{pid}-*")]


def test_make_fleet_up_and_down(tmp_path: Path) -> None:
    place = tmp_path / "place"

    def fleet(command: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "tests.fleet", command, "--dir", str(place)],
            cwd=PROJECT,
            capture_output=True,
            check=True,
            text=True,
        )
        return done.stderr

    try:
        start = time.monotonic()
        fleet("up")
        assert time.monotonic() - start < 150  # 30 where nothing else runs
        assert "already up" in fleet("up")
        config = place / "hosts" / "ssh-config"
        for name in RELEASES:
            subprocess.run(["ssh", "-F", str(config), name, "sudo true"], check=True, stdin=subprocess.DEVNULL)
        server = json.loads((place / "run" / "fleet.json").read_text(encoding="utf-8"))["pid"]
        assert len(hosts_of(server)) == len(RELEASES)
        os.kill(server, signal.SIGKILL)
        deadline = time.monotonic() + 40
        while hosts_of(server) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert hosts_of(server) == []
    finally:
        fleet("down")
    assert sorted(path.name for path in place.iterdir()) == [MARK, "lock"]


def test_a_folder_of_others_is_refused(tmp_path: Path) -> None:
    (tmp_path / "letter").write_text("mine", encoding="utf-8")
    command = [sys.executable, "-m", "tests.fleet", "up", "--dir", str(tmp_path)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, check=False, text=True)
    assert done.returncode == 1
    assert "holds files that are not a fleet's" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["letter"]
