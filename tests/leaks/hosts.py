# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The path of booted hosts: module and role by ssh, with pipelining and without; the agent as a service, also crashed.

The hosts write to disks of their own, which are looked through block by block: what was deleted is there, too.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import json
import os
import re
import secrets
import shutil
import subprocess
import time
import typing as t
from collections.abc import Iterator
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from tests.fleet import fleet as fleets
from tests.fleet import library
from tests.fleet.fleet import Fleet, Wish
from tests.fleet.host import Host
from tests.fleet.role.runs import ROLE
from tests.fleet.system_packages import cryptography
from tests.live.playbooks import login
from tests.stack.handle import Stack

from . import plants, playing
from .canaries import NONCE, PRIVATE_KEY, SECRET_KEY
from .evidence import HOST_DISK, HOST_MEMORY, HOST_OPEN, HOST_TREE, JOURNAL
from .ground import Ground, HuntError, Json
from .plants import Plant
from .plays import module_variables

PIPELINED = {"trixie": True, "bookworm": False}
NAME = "hunt"
DEMO = "secret/data/demo"
POLICY = "hunt"
_TEMPORARY = ("tmp", "var/tmp", "home/admin/.ansible", "root/.ansible", "dev/shm")
_MEMORY = ("run", "tmp", "dev/shm")
_DISK = 2 << 30  # bytes; most of it is never written
_BLOCK = 4096


@contextlib.contextmanager
def booted(stack: Stack, folder: Path) -> Iterator[Fleet]:
    """Hosts with disks in ``folder``, and a role for their agents on the server."""
    wishes = {}
    for (name, _pipelined), instance in zip(PIPELINED.items(), stack.instances, strict=False):
        disk = folder / f"{name}.disk"
        with disk.open("wb") as stream:
            stream.truncate(_DISK)
        subprocess.run(["mkfs.ext4", "-q", "-F", "-b", str(_BLOCK), str(disk)], check=True)
        stack.delete_accesslist(instance)
        stack.imds_reset(instance)
        wishes[name] = Wish(name, instance, disk=disk)
    rules = f'path "{DEMO}" {{ capabilities = ["read"] }}'
    stack.root("PUT", f"sys/policies/acl/{POLICY}", {"policy": rules})
    mount = stack.env["STACK_MOUNT"]
    bound = {"token_policies": POLICY, "token_ttl": "1h", "token_max_ttl": "2h"}
    iam = {"auth_type": "iam", "bound_iam_principal_arn": stack.env["STACK_APP_ROLE_ARN"]}
    ec2 = {"auth_type": "ec2", "bound_account_id": stack.env["STACK_ACCOUNT_ID"]}
    stack.root("PUT", f"auth/{mount}/role/hunt-iam", {**bound, **iam})
    stack.root("PUT", f"auth/{mount}/role/hunt-ec2", {**bound, **ec2})
    place = folder / "fleet"
    place.mkdir()
    with fleets.running(stack, place, wishes) as fleet, contextlib.ExitStack() as libraries:
        for name in PIPELINED:
            libraries.enter_context(cryptography(fleet.host(name), name))
        yield fleet
    for name in PIPELINED:
        (folder / f"{name}.disk").unlink()


def role(ground: Ground) -> None:
    """Everything on the hosts, and all that is left there."""
    fleet = _fleet(ground)
    for name in PIPELINED:
        root = _root(fleet.host(name))
        for folder in _TEMPORARY:
            ground.watch.add(f"{name}:/{folder}", root / folder)
    ground.secret(DEMO)
    for name, pipelined in PIPELINED.items():
        how = {"ANSIBLE_PIPELINING": str(pipelined)}
        what = "pipelining" if pipelined else "no pipelining"
        _module(ground, fleet, name, how, what)
        _agent(ground, fleet, name, how, what)
        _shaken(fleet.host(name))
    playing.collect(ground)
    collect(ground)


def _module(ground: Ground, fleet: Fleet, name: str, how: dict[str, str], what: str) -> None:
    given: Json = {"role": "web", "header_value": "{{ header }}", "access_key": "{{ access }}"}
    given["secret_key"] = "{{ right_key }}"
    sink = {"path": "/run/module-sink"}
    tasks = [
        login("plain", **given),
        login("first", type="ec2", role="node"),
        login("again", type="ec2", role="node", nonce="{{ first.nonce }}"),
        login("mismatch", type="ec2", role="node", nonce="{{ wrong_nonce }}"),
        login("wrapped", **given, wrap_ttl=60),
        login("unwrapped", wrapping_token="{{ wrapped.login.wrap_info.token }}"),
        login("kept", **given, sink=sink, return_token=True),
        login("unsigned", **{**given, "secret_key": "{{ wrong_key }}"}),
        login("bad_option", **given, rolle="web"),
    ]
    for task in tasks:
        task["environment"] = {"PYTHONPATH": library.LIBRARY}
    group = {"url": "{{ fleet_vault_url }}", "ca_cert": "{{ fleet_vault_ca_cert }}", "retries": 0}
    _done, found = playing.play(
        ground,
        tasks,
        label=f"module on {name}, {what}",
        variables=module_variables(ground),
        environment=how,
        arguments=["--limit", name],
        inventory=fleet.inventory,
        become=True,
        module_defaults={"group/vaultfleet.aws.vault": group},
    )
    if not ((found.get("kept") or {}).get("login") or {}).get("auth"):
        raise HuntError(f"the module did not work on {name}: {(found.get('kept') or {}).get('msg')}")
    ground.stack.delete_accesslist(fleet.members[name].instance)


def _agent(ground: Ground, fleet: Fleet, name: str, how: dict[str, str], what: str) -> None:
    """The role with all that can be secret, and once more; the reader's keys are on the host before."""
    host = fleet.host(name)
    host.run(["useradd", "--create-home", "app"])
    session = ground.session()
    nonce = ground.book.add(NONCE, secrets.token_hex(16))
    wishes: Json = {
        "name": NAME,
        "url": "{{ fleet_vault_url }}",
        "ca_cert": "{{ fleet_vault_ca_cert }}",
        "readers": ["app"],
        "sinks": [
            {"path": f"/run/{NAME}/token"},
            {"path": f"/run/{NAME}/wrapped", "wrap_ttl": "1h"},
            {"path": f"/run/{NAME}/encrypted", "dh_type": "curve25519", "dh_path": "/etc/ssl/reader.json"},
        ],
        "templates": [
            {
                "contents": {"__ansible_unsafe": "{{ secret('" + DEMO + "').data.password }}"},
                "destination": f"/run/{NAME}/app.conf",
                "exec": {"command": ["/bin/cat", f"/run/{NAME}/app.conf"]},
            }
        ],
    }
    if PIPELINED[name]:
        wishes |= {"type": "ec2", "role": "hunt-ec2", "nonce": nonce}
    else:
        wishes |= {"role": "hunt-iam", "header_value": "{{ fleet_header_value }}", **session}
    _reader_keys(ground, host)
    variables = {f"vault_agent_{option}": value for option, value in wishes.items()}
    for label in ("first", "again"):
        playing.play(
            ground,
            [],
            label=f"role on {name}, {what}, {label}",
            variables=variables,
            environment=how,
            arguments=["--limit", name, "--diff"],
            inventory=fleet.inventory,
            become=True,
            roles=[ROLE],
            keep=False,
        )
    wrong = {**variables, "vault_agent_nonce": None}
    wrong |= {"vault_agent_secret_key": ground.book.add(SECRET_KEY, secrets.token_urlsafe(30))}
    playing.play(
        ground,
        [],
        label=f"role on {name}, {what}, refused",
        variables={**wrong, "vault_agent_rolle": "web"},
        environment=how,
        arguments=["--limit", name, "--diff"],
        inventory=fleet.inventory,
        become=True,
        roles=[ROLE],
        keep=False,
        codes=(1, 2, 4),
    )
    if not host.run(["cat", f"/run/{NAME}/token"], check=False).stdout:
        raise HuntError(f"the agent on {name} has no token")


def _reader_keys(ground: Ground, host: Host) -> None:
    """A reader's pair, made here; the public one goes to the host, and the private one is nobody's but the hunt's."""
    private = X25519PrivateKey.generate()
    ground.book.add(PRIVATE_KEY, base64.b64encode(private.private_bytes_raw()).decode())
    public = base64.b64encode(private.public_key().public_bytes_raw()).decode()
    host.write("/etc/ssl/reader.json", json.dumps({"curve25519_public_key": public}))


def _shaken(host: Host) -> None:
    """The service is reloaded, killed and crashed, with cores allowed as far as its unit does."""
    host.run(["systemctl", "reload", NAME])
    for number in ("KILL", "SEGV"):
        before = host.run(["systemctl", "show", "--property=MainPID", "--value", NAME]).stdout
        host.run(["systemctl", "kill", f"--signal={number}", "--kill-whom=main", NAME])
        give_up = time.monotonic() + 30
        while True:
            now = host.run(["systemctl", "show", "--property=MainPID,ActiveState", "--value", NAME]).stdout
            if before.strip() not in now and "active\n" in now and "activating" not in now:
                break
            if time.monotonic() > give_up:
                raise HuntError(f"the agent did not come back on {host.name}")
            time.sleep(0.2)
    time.sleep(1)


def collect(ground: Ground) -> None:
    """Take the hosts' journals, files, memory and disks as evidence."""
    fleet = _fleet(ground)
    for name in PIPELINED:
        host = fleet.host(name)
        root = _root(host)
        for form in ("export", "verbose"):
            shown = host.run(["journalctl", "--all", "--no-pager", f"--output={form}"]).stdout
            ground.evidence.add(JOURNAL, f"{name}: journalctl --output={form}", shown.encode())
        ground.evidence.add_tree(HOST_TREE, root, f"{name}:", since=ground.begun)
        for folder in _MEMORY:
            ground.evidence.add_tree(HOST_MEMORY, root / folder, f"{name}:/{folder}")
        _collect_open(ground, host, name)
        host.run(["sync"])
        subprocess.run(["sync"], check=True)
        disk = ground.folder.parent / f"{name}.disk"
        ground.evidence.add_disk(HOST_DISK, disk, functools.partial(_owner, disk))


def _collect_open(ground: Ground, host: Host, name: str) -> None:
    """What processes of the host hold open though it was deleted, or never had a name."""
    ground.evidence.open(HOST_OPEN)
    for group in host.group.rglob("cgroup.procs"):
        for pid in group.read_text(encoding="ascii").split():
            with contextlib.suppress(OSError):
                for link in Path(f"/proc/{pid}/fd").iterdir():
                    with contextlib.suppress(OSError):
                        target = str(link.readlink())
                        if target.endswith(" (deleted)") and not target.startswith(("/dev/zero", "/SYSV")):
                            data = link.read_bytes()
                            label = re.sub(r"\d+", "N", target.removesuffix(" (deleted)"))
                            ground.evidence.add(HOST_OPEN, f"{name}: {label}", data)


def _owner(disk: Path, offset: int) -> str:
    """Whose block that is: a path of the host, or none, if its file was deleted, or it is the file system's own."""
    block = _debugfs(disk, f"icheck {offset // _BLOCK}")
    inode = block.split()[-1]
    if not inode.isdigit():
        return f"{disk.stem}: a block of no file"
    named = _debugfs(disk, f"ncheck {inode}").splitlines()[-1].split(maxsplit=1)
    path = named[1].removeprefix("/upper") if len(named) == 2 and named[0] == inode else "a file without a name"
    return f"{disk.stem}: {path}"


def _debugfs(disk: Path, request: str) -> str:
    program = shutil.which("debugfs", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if program is None:
        raise HuntError("debugfs is missing: apt-get install e2fsprogs")
    done = subprocess.run([program, "-R", request, str(disk)], capture_output=True, check=True, text=True)
    return done.stdout


def plant_on_hosts(ground: Ground, places: list[str]) -> dict[str, Plant]:
    """Leaks in a play, and in each place of a host."""
    found = plants.in_play(ground, places)
    fleet = _fleet(ground)
    host = fleet.host(next(iter(PIPELINED)))
    for place in (JOURNAL, HOST_TREE, HOST_MEMORY, HOST_DISK, HOST_OPEN):
        found[place] = plants.plant()
    host.run(["logger", "--stderr"], input=found[JOURNAL].text + "\n")
    host.write("/srv/leak", found[HOST_TREE].text)
    host.write("/run/leak", found[HOST_MEMORY].text)
    # It was there for a moment; sync stands for the seconds after which a disk has what was written.
    host.write("/srv/moment", found[HOST_DISK].text)
    host.run(["sync"])
    host.run(["rm", "/srv/moment"])
    host.write("/srv/open", found[HOST_OPEN].text)
    held = "exec 3</srv/open; rm /srv/open; sleep 600"
    host.run(["systemd-run", "--unit=leak", "--collect", "sh", "-c", held])
    time.sleep(1)
    collect(ground)
    host.run(["systemctl", "stop", "leak"])
    return found


def _fleet(ground: Ground) -> Fleet:
    return t.cast(Fleet, ground.around)


def _root(host: Host) -> Path:
    return Path(f"/proc/{host.leader}/root")
