# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A fleet: hosts that are instances of the stack's EC2, each with its own network, reached by ssh."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import shlex
import time
import typing as t
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tests.stack.handle import Stack
from tests.stack.layout import write_private

from . import library, ssh
from .host import Bind, Host, booted
from .image import ensure_image
from .network import LOOPBACK, METADATA, Network, network
from .progress import say
from .relay import Relay, relays
from .releases import RELEASES

CA = "/etc/ssl/vault-ca.pem"  # on the hosts: what signed the stack's certificate
ELSEWHERE = "10.0.0.10"  # a host that is no instance has it to itself

_Thing = t.TypeVar("_Thing")


@dataclass(frozen=True)
class Wish:
    """A host to be had: its release, and the instance that it is; "" is one outside of EC2, without metadata.

    tree, disk: what it boots and writes to, as ``host.booted`` takes them.
    """

    release: str
    instance: str
    tree: Path | None = None
    disk: Path | None = None


@dataclass(frozen=True)
class Member:
    """A host of a fleet.

    ``port`` of this machine's 127.0.0.1 is its ssh server, whose public key is ``key``.
    """

    host: Host
    network: Network
    instance: str
    port: int
    key: str


@dataclass(frozen=True)
class Fleet:
    """Hosts that run. ``folder`` holds ``inventory``, for Ansible, and ``access``, for ssh."""

    stack: Stack
    folder: Path
    access: ssh.Access
    members: dict[str, Member]

    @property
    def inventory(self) -> Path:
        """The inventory, with all that Ansible has to know to reach the hosts."""
        return self.folder / "inventory.ini"

    def host(self, name: str) -> Host:
        """A host, as it is since its last ``reboot``."""
        return self.members[name].host

    def reboot(self, name: str, up_with: str = "") -> Host:
        """Boot a host again and wait until ssh is there; ``up_with`` as of ``Host.reboot``. Raises FleetError."""
        member = self.members[name]
        host = member.host.reboot(up_with)
        self.members[name] = dataclasses.replace(member, host=host)
        return host


def default_wishes(stack: Stack) -> dict[str, Wish]:
    """A host of each release, named for it."""
    return {release: Wish(release, instance) for release, instance in zip(RELEASES, stack.instances, strict=False)}


@contextlib.contextmanager
def running(
    stack: Stack, folder: Path, wishes: t.Mapping[str, Wish] | None = None, binds: t.Sequence[Bind] = ()
) -> t.Iterator[Fleet]:
    """A fleet: one host of each release, or as ``wishes`` name them; ``binds`` are shown to all of them.

    The hosts reach the stack's Vault where this machine does, and the metadata service of their instance at
    169.254.169.254; nothing else. ``folder`` must be there, and empty. Raises FleetError.
    """
    wanted = default_wishes(stack) if wishes is None else wishes
    shown = {}
    for release in {wish.release for wish in wanted.values()}:
        # What is missing is made here, one after the other: that is quicker than to fight for the processors.
        ensure_image(release)
        shown[release] = [*library.binds(release), *binds]
    start = time.monotonic()
    access = ssh.new_key(folder)
    with relays() as relay:
        boots = [_member(stack, relay, access, name, wish, shown[wish.release]) for name, wish in wanted.items()]
        with _at_once(boots) as members:
            fleet = Fleet(stack, folder, access, dict(zip(wanted, members, strict=False)))
            ssh.write_known(access, {name: (one.port, one.key) for name, one in fleet.members.items()})
            write_private(fleet.inventory, _inventory(fleet))  # the last: it says that all is there
            say(f"{', '.join(wanted)}: up in {time.monotonic() - start:.1f} s")
            yield fleet


def _inventory(fleet: Fleet) -> str:
    hosts = [
        f"{name} ansible_port={one.port} fleet_instance={one.instance or 'none'} fleet_release={one.host.release}"
        for name, one in fleet.members.items()
    ]
    shared = {
        "ansible_host": LOOPBACK,
        "ansible_user": ssh.USER,
        "ansible_ssh_private_key_file": fleet.access.key,
        "ansible_ssh_common_args": f"-F {shlex.quote(str(fleet.access.config))}",
        "ansible_python_interpreter": "/usr/bin/python3",
        "fleet_vault_url": fleet.stack.env["VAULT_ADDR"],
        "fleet_vault_ca_cert": CA,
        "fleet_header_value": fleet.stack.env["STACK_HEADER_VALUE"],
    }
    lines = ["[fleet]", *hosts, "", "[fleet:vars]", *(f"{name}={value}" for name, value in shared.items())]
    return "".join(f"{line}\n" for line in lines)


@contextlib.contextmanager
def _member(
    stack: Stack, relay: Relay, access: ssh.Access, name: str, wish: Wish, binds: t.Sequence[Bind]
) -> t.Iterator[Member]:
    """A host that can be reached."""
    address = stack.private_address(wish.instance) if wish.instance else ELSEWHERE
    with network(address, relay) as net:
        net.reach(int(urlsplit(stack.env["VAULT_ADDR"]).port or 0))
        if wish.instance:
            net.reach(stack.imds_port(wish.instance), (METADATA, 80))
        with booted(wish.release, binds, net, name, wish.tree, wish.disk) as host:
            key = ssh.let_in(host, access)
            host.write(CA, Path(stack.env["VAULT_CACERT"]).read_text(encoding="ascii"))
            yield Member(host, net, wish.instance, net.publish(ssh.PORT), key)


@contextlib.contextmanager
def _at_once(managers: t.Sequence[t.ContextManager[_Thing]]) -> t.Iterator[list[_Thing]]:
    """Enter all of them side by side, and leave them so."""
    exits = [contextlib.ExitStack() for _manager in managers]
    with concurrent.futures.ThreadPoolExecutor(max_workers=4) as pool:
        entered = [pool.submit(one.enter_context, manager) for one, manager in zip(exits, managers, strict=False)]
        try:
            yield [one.result() for one in entered]
        finally:
            concurrent.futures.wait(entered)
            for left in [pool.submit(one.close) for one in exits]:
                left.result()
