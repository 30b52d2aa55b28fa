# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Several agents on a host, each for itself; and what hosts and agents may not share."""

from __future__ import annotations

import configparser
import contextlib
import json
import re
import subprocess
import typing as t
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fleet.fleet import CA, Fleet
from tests.fleet.host import Host
from tests.stack.handle import Stack

from . import bundles, looks
from .runs import Run, Runner, works
from .test_install import MOST_EXPOSED

HOSTS = ("trixie", "bullseye")
ONLY = ("--limit", ",".join(HOSTS))
NAMES = ("plain", "owned", "grouped", "keyed")
OWNED, OTHER = "/srv/owned agent", "0.1.0-other"
NONCE = "n0nc3-of-them-all"
EC2_HOST = "bookworm"
EC2_ONLY = ("--limit", EC2_HOST)


@dataclass(frozen=True)
class Keys:
    """Static AWS keys of a user."""

    access: str
    secret: str


@pytest.fixture(scope="module")
def keys(stack: Stack) -> Keys:
    """Of the user that the role ``web`` is for."""
    found = configparser.ConfigParser()
    found.read(stack.env["AWS_SHARED_CREDENTIALS_FILE"])
    return Keys(found["client"]["aws_access_key_id"], found["client"]["aws_secret_access_key"])


@pytest.fixture(scope="module")
def several(
    fleet: Fleet, plain: Runner, keys: Keys, tmp_path_factory: pytest.TempPathFactory
) -> t.Iterator[dict[str, Host]]:
    """Hosts with agents of all kinds, put there by one play; one runs from another bundle."""
    hosts = {name: fleet.host(name) for name in HOSTS}
    held = {name: _held(host) for name, host in hosts.items()}
    for host in hosts.values():
        host.run(["mkdir", OWNED])
    other = bundles.variables(tmp_path_factory.mktemp("other"), OTHER, lambda program: program + b"# other\n")
    sources = {name.removeprefix("vault_agent_"): value for name, value in other.items() if name != "made"}
    run = {"path": "/run/{{ vault_agent_name }}/token"}
    wishes: list[dict[str, t.Any]] = [
        {"name": "plain", "sinks": [run, {"path": "/run/plain/wrapped", "wrap_ttl": "5m"}]},
        {"name": "owned", "sinks": [run, {"path": f"{OWNED}/token", "mode": "0600", "owner": "games"}]},
        {"name": "grouped", "sinks": [{**run, "group": "games"}], **sources},
        {"name": "keyed", "role": "web", "access_key": keys.access, "secret_key": keys.secret},
    ]
    try:
        plain.several(wishes, *ONLY, "-e", json.dumps({"made": other["made"]})).judge_success()
        yield hosts
    finally:
        gone = plain.remove(NAMES, *ONLY)
        for host in hosts.values():
            host.run(["rmdir", OWNED])  # and nothing else is in it
    gone.judge_success()
    assert {name: _held(host) for name, host in hosts.items()} == held, "systemd still holds a token"


def test_each_is_for_itself(several: dict[str, Host], stack: Stack) -> None:
    """User, group, folder and unit of its own; none can read what another has."""
    for place, host in several.items():
        assert _held(host) >= len(NAMES), "else nobody can see whether it lets go of them"
        for name in NAMES:
            shown = host.run(["systemctl", "show", "--property=User,Group,ActiveState", name]).stdout.splitlines()
            assert sorted(shown) == ["ActiveState=active", f"Group={name}", f"User={name}"]
            assert host.run(["id", "-nG", name]).stdout.split() == [name]
            assert works(stack, looks.agent(host, name).token), (place, name)
            for other in NAMES:
                credentials = f"/etc/vault-agent/{other}.credentials"
                places = [f"/run/{other}/token", f"/run/{other}/status.json", f"/etc/vault-agent/{other}.json"]
                refused = [path for path in places if not _reads(host, name, path)]
                assert refused == ([] if name == other else places), (place, name, other)
                assert not _reads(host, name, f"{credentials}/aws-credentials")


def test_sinks_of_others(several: dict[str, Host], stack: Stack) -> None:
    """An owner of another name, and a group, get the token; the mode says who else."""
    for host in several.values():
        assert host.run(["stat", "--format=%U %a", f"{OWNED}/token"]).stdout == "games 600\n"
        assert host.run(["stat", "--format=%U %G %a", "/run/grouped/token"]).stdout == "grouped games 640\n"
        assert works(stack, _read(host, "games", f"{OWNED}/token"))
        assert not _reads(host, "owned", f"{OWNED}/token"), "only the service has the capabilities"


def test_a_wrapped_sink(several: dict[str, Host], stack: Stack) -> None:
    """A reader unwraps what is in it, and has the token."""
    for host in several.values():
        held = json.loads(host.read("/run/plain/wrapped"))
        answer = stack.vault.must("POST", "sys/wrapping/unwrap", None, held["token"])
        assert answer["data"]["token"] == looks.agent(host, "plain").token
        sinks = looks.config(host, "plain")["auto_auth"]["sink"]
        assert [sink.get("wrap_ttl") for sink in sinks] == [None, "300s"]


def test_all_are_hardened(several: dict[str, Host]) -> None:
    """systemd finds little exposed, whatever the sinks take."""
    for place, host in several.items():
        for name in NAMES:
            rated = host.run(["systemd-analyze", "security", f"{name}.service"]).stdout
            (exposure,) = re.findall(r"Overall exposure level for \S+: ([\d.]+)", rated)
            print(f"{place}: {name}: {exposure}")
            assert float(exposure) <= MOST_EXPOSED, (place, name, rated)


def test_each_runs_from_its_own_bundle(several: dict[str, Host]) -> None:
    """Nobody's bundle is pruned."""
    for host in several.values():
        versions = {name: looks.agent(host, name).version for name in NAMES}
        assert {name for name, version in versions.items() if version == OTHER} == {"grouped"}
        there = host.run(["ls", "/opt/vaultfleet-agent"]).stdout.split()
        assert {*there} >= {*NAMES, *versions.values()}
        assert host.run(["pgrep", "-f", f"/opt/vaultfleet-agent/grouped/.*--name {'grouped'}"], check=False).stdout


def test_static_keys_are_in_roots_file_only(several: dict[str, Host], keys: Keys) -> None:
    """systemd hands them over: not by configuration, unit, environment or command line; and nobody logs them."""
    for place, host in several.items():
        wanted = f"{keys.access}\n{keys.secret}\n"
        search = "grep -rlaF -f - /etc /opt /usr/local /home /root /tmp /var /proc/[0-9]*/cmdline /proc/[0-9]*/environ"
        found = host.run(["sh", "-c", f"journalctl --sync; {search}"], check=False, input=wanted).stdout.split()
        assert found == ["/etc/vault-agent/keyed.credentials/aws-credentials"], place
        assert host.run(["stat", "--format=%U %a", *found]).stdout == "root 600\n"
        shown = host.run(["systemctl", "show", "keyed"]).stdout + host.run(["systemctl", "cat", "keyed"]).stdout
        assert "LoadCredential=aws-credentials:" in shown
        told = host.run(["journalctl", "--unit=keyed", "--output=cat"]).stdout
        assert keys.secret not in shown + told
        pid = looks.agent(host, "keyed").pid
        environ = host.read(f"/proc/{pid}/environ")
        assert "CREDENTIALS_DIRECTORY=/run/credentials/keyed.service" in environ
        assert "AWS_" not in environ


def test_the_other_agent_takes_the_configuration(several: dict[str, Host], stack: Stack, tmp_path: Path) -> None:
    """OpenBao's agent reads it, integer modes and numeric owners too; only the method aws is not known to it.

    That is HashiCorp's alone, and its agent cannot be had here.
    """
    text = several["trixie"].read("/etc/vault-agent/owned.json")
    for path, here in ((CA, stack.env["VAULT_CACERT"]), ("/run/owned", tmp_path), (OWNED, tmp_path)):
        text = text.replace(f'"{path}', f'"{here}')
    config = json.loads(text)
    owned = config["auto_auth"]["sink"][1]["config"]
    assert (owned["mode"], type(owned["owner"])) == (0o600, int)
    assert _told_by_bao(stack, tmp_path, text) == ['Error creating aws auth method: unknown auth method "aws"']
    # It judges sinks before methods: a mode as text is refused.
    owned["mode"] = "0600"
    (refusal,) = _told_by_bao(stack, tmp_path, json.dumps(config))
    assert "could not parse 'mode' as integer" in refusal


@pytest.fixture(scope="module")
def ec2(fleet: Fleet, plain: Runner, stack: Stack) -> t.Iterator[Run]:
    """The installation of an agent of type ec2, on a mount that no other has, whose store is taken away."""
    host, mount = fleet.host(EC2_HOST), stack.env["STACK_OPEN_MOUNT"]
    drop_in = "/etc/systemd/system/first.service.d/store.conf"
    host.write(drop_in, "[Service]\nFileDescriptorStoreMax=0\n")
    try:
        yield plain.several([_ec2("first", stack)], *EC2_ONLY)
    finally:
        host.run(["rm", "-r", str(Path(drop_in).parent)])
        gone = plain.remove(["first"], *EC2_ONLY)
        stack.delete_accesslist(fleet.members[EC2_HOST].instance, mount=mount)
    gone.judge_success()


def test_a_store_without_the_nonce(fleet: Fleet, ec2: Run, stack: Stack) -> None:
    """The run fails, as the next crash would lock the host out; the token is there nevertheless."""
    words = ec2.failed[EC2_HOST]
    assert "systemd does not hold it" in words, words
    assert "FileDescriptorStoreMax" in words, words
    assert works(stack, looks.agent(fleet.host(EC2_HOST), "first").token)


def test_a_second_agent_for_one_nonce(fleet: Fleet, plain: Runner, ec2: Run, stack: Stack) -> None:
    """It is refused beside one that is there, and before anything is done where both come in one play."""
    host = fleet.host(EC2_HOST)
    done = plain.several([_ec2("second", stack)], *EC2_ONLY)
    assert "the agent first of this host logs in by ec2 to the same" in done.failed[EC2_HOST], done.shown
    assert done.executed[EC2_HOST] == ["vaultfleet.aws.vault_agent_host"]
    foretold = plain.several([_ec2("first", stack), _ec2("third", stack)], "--check", *EC2_ONLY)
    assert "the agent first of this host logs in by ec2 to the same" in foretold.failed[EC2_HOST], foretold.shown
    assert foretold.executed[EC2_HOST].count("vaultfleet.aws.vault_agent_host") == 1, "the second is not looked at"
    for name in ("second", "third"):
        assert host.run(["id", name], check=False).returncode != 0


@pytest.mark.parametrize("play", [{}, {"serial": 1}, {"strategy": "free"}], ids=str)
def test_one_nonce_for_several_hosts(plain: Runner, play: dict[str, t.Any]) -> None:
    """No host is touched, not even the first of several batches."""
    given = {"name": "same", "type": "ec2", "role": "node", "header_value": None, "nonce": NONCE}
    done = plain.several([given], play=play)
    assert done.rc != 0
    assert done.failed, done.shown
    for words in done.failed.values():
        assert re.match(r"vault_agent_nonce: \w+, \w+ of this play would have the same one -- ", words), words
    assert not any(done.executed.values()), done.executed
    assert NONCE not in done.shown


def test_what_is_too_old_is_named(fleet: Fleet, plain: Runner) -> None:
    """Python and systemd at once, before anything is changed."""
    host = fleet.host("bullseye")
    host.write("/usr/local/bin/old-python", "#!/bin/sh\necho 3.6\n", 0o755)
    host.write("/usr/local/bin/systemctl", "#!/bin/sh\necho 'systemd 239 (239-78.el8)'\n", 0o755)
    before = looks.files(host)
    try:
        done = plain.role("--limit", "bullseye", name="old", python="/usr/local/bin/old-python")
    finally:
        after = looks.files(host)
        host.run(["rm", "/usr/local/bin/old-python", "/usr/local/bin/systemctl"])
    systemd, python = done.failed["bullseye"].splitlines()
    assert systemd.startswith("systemd 239 is too old: the agent's service needs 247 or newer"), systemd
    assert python.startswith("/usr/local/bin/old-python is Python 3.6, which is too old -- install Python 3.9"), python
    assert after == before


def _held(host: Host) -> int:
    """How many pieces of memory the host's systemd holds for agents."""
    found = 0
    for link in Path(f"/proc/{host.leader}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # one that was just being closed
            found += "memfd:vaultfleet" in str(link.readlink())
    return found


def _ec2(name: str, stack: Stack) -> dict[str, t.Any]:
    mount = stack.env["STACK_OPEN_MOUNT"]
    return {"name": name, "type": "ec2", "role": "node", "header_value": None, "mount_path": mount}


def _reads(host: Host, user: str, path: str) -> bool:
    done = host.run(["runuser", "-u", user, "--", "cat", path], check=False)
    assert done.returncode == 0 or "Permission denied" in done.stderr or "No such file" in done.stderr, done.stderr
    return done.returncode == 0


def _read(host: Host, user: str, path: str) -> str:
    return host.run(["runuser", "-u", user, "--", "cat", path]).stdout


def _told_by_bao(stack: Stack, folder: Path, config: str) -> list[str]:
    """All that OpenBao's agent has to complain of in this configuration."""
    path = folder / "agent.json"
    path.write_text(config, encoding="utf-8")
    command = [stack.env["STACK_BAO"], "agent", f"-config={path}"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=30)
    return [line for line in (done.stdout + done.stderr).splitlines() if line and "[INFO]" not in line]
