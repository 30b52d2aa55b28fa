# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A wrapped and an encrypted sink, by the role, on hosts of each release; a reader decrypts and unwraps what is his."""

from __future__ import annotations

import contextlib
import json
import typing as t

from tests.fleet.fleet import Fleet
from tests.fleet.host import Host
from tests.fleet.system_packages import cryptography
from tests.stack.handle import Stack

from . import looks
from .runs import Runner, works

NAME = "sealed"
PROGRAM = "/opt/vaultfleet-agent/vault-agent/bin/vaultfleet-agent"  # of the agent that is there all the time
KEY, PUBLIC = "/home/app/private.json", "/etc/ssl/sealed.json"
AAD = "of the application"
SINKS: list[dict[str, t.Any]] = [
    {"path": f"/run/{NAME}/token"},
    {"path": f"/run/{NAME}/wrapped", "wrap_ttl": "1h"},
    {
        "path": f"/run/{NAME}/encrypted",
        "dh_type": "curve25519",
        "dh_path": PUBLIC,
        "derive_key": True,
        "aad": AAD,
    },
    {"path": f"/run/{NAME}/both", "wrap_ttl": 3600, "dh_type": "curve25519", "dh_path": PUBLIC},
]
GIVEN: dict[str, t.Any] = {"name": NAME, "sinks": SINKS, "readers": ["app"]}


def test_wrapped_and_encrypted_sinks(fleet: Fleet, stack: Stack, runner: Runner) -> None:
    """Refused without the host's library; with it, all four sinks are of use to the reader, and to nobody else."""
    refused = runner.role(**GIVEN)
    assert set(refused.failed) == set(fleet.members), refused.shown
    for words in refused.failed.values():
        assert "install the package python3-cryptography" in words
    with contextlib.ExitStack() as after:
        after.callback(clean_up, fleet, runner)
        for name in fleet.members:
            after.enter_context(cryptography(fleet.host(name), name))
            make_keys(fleet.host(name))
        done = runner.role(**GIVEN)
        done.judge_success()
        for name in fleet.members:
            judge(fleet.host(name), stack)
        again = runner.role(**GIVEN)
        again.judge_success()
        assert again.changed == {name: [] for name in fleet.members}


def make_keys(host: Host) -> None:
    """The reader makes his keys, and root puts the public one where the agent looks for it."""
    as_app(host, "keygen", "--key", KEY, "--public", "/home/app/public.json")
    host.run(["mv", "/home/app/public.json", PUBLIC])


def judge(host: Host, stack: Stack) -> None:
    """See all sinks of a host as the application does."""
    token = looks.agent(host, NAME).token
    assert works(stack, token)
    assert host.run(["systemctl", "show", "--property=ActiveState", "--value", NAME]).stdout == "active\n"

    wrapped = host.run(["runuser", "-u", "app", "--", "cat", f"/run/{NAME}/wrapped"]).stdout
    assert unwrapped(stack, wrapped) == token

    options = ["--key", KEY, "--derive-key", "--aad", AAD]
    assert as_app(host, "decrypt", *options, f"/run/{NAME}/encrypted") == token
    assert token not in host.read(f"/run/{NAME}/encrypted")
    foreign = host.run([PROGRAM, "decrypt", "--key", KEY, "--derive-key", f"/run/{NAME}/encrypted"], check=False)
    assert (foreign.returncode, foreign.stdout) == (2, "")
    assert "cannot be decrypted" in foreign.stderr

    assert unwrapped(stack, as_app(host, "decrypt", "--key", KEY, f"/run/{NAME}/both")) == token
    # The next reader gets one after a reload.
    host.run(["systemctl", "reload", NAME])
    looks.until(lambda: host.read(f"/run/{NAME}/wrapped") != wrapped, "it was not wrapped anew")
    assert unwrapped(stack, host.read(f"/run/{NAME}/wrapped")) == token


def unwrapped(stack: Stack, text: str) -> str:
    """The token in what a wrapped sink holds."""
    found = json.loads(text)
    assert found["creation_path"] == "sys/wrapping/wrap"
    return str(stack.vault.must("POST", "sys/wrapping/unwrap", None, found["token"])["data"]["token"])


def as_app(host: Host, *command: str) -> str:
    """A command of the agent's, run by the application's user."""
    return host.run(["runuser", "-u", "app", "--", PROGRAM, *command]).stdout


def clean_up(fleet: Fleet, runner: Runner) -> None:
    """Take away what was put onto the hosts."""
    runner.remove([NAME]).judge_success()
    for name in fleet.members:
        fleet.host(name).run(["rm", "-f", KEY, PUBLIC])
