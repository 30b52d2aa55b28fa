# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A hostile environment, current directory and PATH, for the programs of a bundle as they are started."""

from __future__ import annotations

import dataclasses
import functools
import os
import stat
import sys
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

from ansible_collections.vaultfleet.aws.plugins.plugin_utils._bundle.build import Wish, bundles
from ansible_collections.vaultfleet.aws.tests.unit.support.vaults import LOGIN, LOOKUP, TOKEN
from ansible_collections.vaultfleet.aws.tests.unit.support.web import Reply, Seen, Web
from tests.chaos import front_ends as victims
from tests.chaos.trial import NO_SECRET, NO_WRONG_TOKEN, UNHARMED, Finding, Ground, Trial

GROUP = "hostile environment"
# What a program would import first, of Python's own and of the bundle's.
_PLANTED = (
    "json", "ssl", "hvac", "botocore", "requests", "urllib3", "socket", "os", "encodings", "typing", "logging",
    "sitecustomize", "usercustomize", "vaultfleet_agent",
)  # fmt: skip
_PLANT = """import builtins as b
with b.open({note!r}, "a") as note:
    note.write(__name__ + "\\n")
"""
_PATH = f"{Path(sys.executable).resolve().parent}:/usr/bin:/bin"


def trials() -> list[Trial]:
    """Each with the login command and the agent, out of a bundle."""
    return [
        Trial(GROUP, f"{GROUP}: {name}", functools.partial(_surrounded, surround), seconds=6)
        for name, surround in _SURROUNDINGS.items()
    ] + [
        Trial(GROUP, f"{GROUP}: TLS keys to a file", _tls_keys, seconds=6),
        Trial(GROUP, f"{GROUP}: umask 0", _umask, seconds=6),
        Trial(GROUP, f"{GROUP}: other proxies, certificates, passwords", _network, seconds=6),
    ]


def _plant(folder: Path, note: Path) -> Path:
    """A folder of modules that tell when they are loaded."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in _PLANTED:
        (folder / f"{name}.py").write_text(_PLANT.format(note=str(note)), encoding="utf-8")
    return folder


def _python_path(ground: Ground, note: Path) -> Mapping[str, str]:
    return {"PYTHONPATH": str(_plant(ground.folder / "path", note))}


def _start_up(ground: Ground, note: Path) -> Mapping[str, str]:
    file = _plant(ground.folder / "start", note) / "json.py"
    return {
        "PYTHONSTARTUP": str(file),
        "PYTHONINSPECT": "1",
        "PYTHONBREAKPOINT": "json",
        "PYTHONWARNINGS": "error::json.Planted",
        "PYTHONPLATLIBDIR": str(file.parent),
        "PYTHONDEBUG": "1",
        "PYTHONVERBOSE": "1",
        "PYTHONDUMPREFS": "1",
        "PYTHONOPTIMIZE": "2",
        "PYTHONMALLOCSTATS": "1",
        "PYTHONTRACEMALLOC": "5",
        "PYTHONFAULTHANDLER": "1",
        "PYTHONIOENCODING": "utf-16",
    }


def _home(ground: Ground, note: Path) -> Mapping[str, str]:
    planted = _plant(ground.folder / "home", note)
    line = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    for part in ("lib", "local/lib"):
        for packages in ("", "site-packages", "dist-packages"):
            _plant(planted / part / line / packages, note)
            (planted / part / line / packages / "planted.pth").write_text("import json, hvac\n", encoding="utf-8")
    return {"PYTHONHOME": str(planted)}


def _user_site(ground: Ground, note: Path) -> Mapping[str, str]:
    line = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    packages = _plant(ground.folder / "user" / "lib" / line / "site-packages", note)
    (packages / "planted.pth").write_text(f"import sys; sys.path.insert(0, {str(packages)!r}); import json, hvac\n")
    return {"PYTHONUSERBASE": str(ground.folder / "user"), "HOME": str(ground.folder / "user")}


def _directory(ground: Ground, note: Path) -> Mapping[str, str]:
    """The current directory of victims is the folder of the trial."""
    _plant(ground.folder, note)
    return {}


def _path(ground: Ground, note: Path) -> Mapping[str, str]:
    """Programs of ours by the names of those that somebody might start."""
    programs = ground.folder / "programs"
    programs.mkdir()
    for name in (
        "python",
        "sh",
        "env",
        "bash",
        "id",
        "ldconfig",
        "gcc",
        "ld",
        "uname",
        "systemctl",
        "kill",
        "objdump",
        "cc",
    ):
        program = programs / name
        program.write_text(f'#!/bin/sh\necho "{name} $*" >> {note}\n', encoding="utf-8")
        program.chmod(0o755)
    return {"PATH": f"{programs}:{_PATH}"}


_SURROUNDINGS: Mapping[str, Callable[[Ground, Path], Mapping[str, str]]] = {
    "PYTHONPATH with modules": _python_path,
    "PYTHONSTARTUP and its like": _start_up,
    "PYTHONHOME": _home,
    "user site with modules": _user_site,
    "current directory with modules": _directory,
    "PATH with programs": _path,
}


def _bundle(folder: Path) -> Path:
    """The folder of a bundle for the Python that runs, unpacked: as a host has it."""
    line = f"{sys.version_info[0]}.{sys.version_info[1]}"
    made, _new = bundles(Wish((line,), str(folder / "bundles")))
    with tarfile.open(made[line].path) as archive:
        archive.extractall(folder / "unpacked", filter="data")
    return folder / "unpacked" / made[line].version


def _answers(seen: Seen) -> Reply:
    return Reply(200, LOGIN if seen.path.endswith("/login") else LOOKUP)


def _programs(ground: Ground, url: str, environment: Mapping[str, str]) -> dict[str, victims.Ran]:
    """The two programs: the agent as its service starts it, the command by its first line."""
    bundle = _bundle(ground.folder)
    world = victims.World(ground.folder, url, {"PYTHONPATH": "", "PATH": _PATH, **environment})
    interpreter = str(Path(sys.executable).resolve())
    login = [str(bundle / "bin" / "vault-aws-login"), "--role", "web"]
    agent = [interpreter, "-I", str(bundle / "bin" / "vaultfleet-agent"), "run", "--once", "--config"]
    agent.append(str(victims.agent_file(world)))
    return {
        "vault-aws-login": victims.run(login, world.variables(), ground.folder),
        "agent": victims.run(agent, world.variables(), ground.folder),
    }


def _surrounded(surround: Callable[[Ground, Path], Mapping[str, str]], ground: Ground) -> list[Finding]:
    note = ground.folder / "note"
    environment = surround(ground, note)
    with Web(_answers) as web:
        ran = _programs(ground, web.url, environment)
    loaded = sorted(set(note.read_text().split("\n"))) if note.exists() else []
    return [
        *victims.judge(ran, refused=False),
        Finding(
            UNHARMED,
            not loaded,
            f"ran what was planted: {' '.join(loaded)}"[:200] if loaded else "nothing planted was run",
        ),
        _token(ran["vault-aws-login"]),
    ]


def _token(ran: victims.Ran) -> Finding:
    return Finding(NO_WRONG_TOKEN, ran.out == f"{TOKEN}\n", "the token alone on standard output")


def _tls_keys(ground: Ground) -> list[Finding]:
    """SSLKEYLOGFILE makes libraries write the secrets of TLS connections: tokens can be read from what was recorded."""
    keys = ground.folder / "tls-keys"
    stack = ground.stack.env
    environment = {
        "SSLKEYLOGFILE": str(keys),
        "VAULT_CACERT": stack["VAULT_CACERT"],
        "AWS_SHARED_CREDENTIALS_FILE": stack["AWS_SHARED_CREDENTIALS_FILE"],
        "AWS_ACCESS_KEY_ID": "",
        "AWS_SECRET_ACCESS_KEY": "",
        "VAULTFLEET_AWS_HEADER_VALUE": stack["STACK_HEADER_VALUE"],
    }
    world = victims.World(ground.folder, stack["VAULT_ADDR"], environment)
    ran = victims.side_by_side(
        {
            "vault-aws-login": lambda: victims.command(world),
            "module": lambda: victims.module(
                world, ca_cert=stack["VAULT_CACERT"], header_value=stack["STACK_HEADER_VALUE"]
            ),
            "lookup": lambda: victims.lookup(world, header_value=stack["STACK_HEADER_VALUE"]),
            "agent": lambda: victims.agent(
                victims.World(world.folder, world.url, environment, {"header_value": stack["STACK_HEADER_VALUE"]})
            ),
        }
    )
    written = keys.stat().st_size if keys.exists() else 0
    return [
        *victims.judge(ran, refused=False),
        Finding(NO_SECRET, not keys.exists(), f"{written} bytes of TLS secrets were written"),
    ]


def _umask(ground: Ground) -> list[Finding]:
    """Nothing that is made is for others to read or write, whatever the umask."""
    before = set(ground.folder.rglob("*"))
    old = os.umask(0)
    try:
        with Web(_answers) as web:
            (ground.folder / "home").mkdir(mode=0o700)
            world = victims.World(ground.folder, web.url, {"HOME": str(ground.folder / "home")})
            victims.agent_file(world, pid_file=str(ground.folder / "agent.pid"))
            ran = victims.side_by_side(
                {
                    "vault-aws-login": lambda: victims.command(world, "--store"),
                    "module": lambda: victims.module(world, sink={"path": str(ground.folder / "module-token")}),
                    "lookup": lambda: victims.lookup(world),
                    "agent": lambda: victims.agent(world),
                }
            )
    finally:
        os.umask(old)
    # Ansible's own folders are its own affair.
    made = [
        one for one in set(ground.folder.rglob("*")) - before if "ansible" not in one.parts and one.name != ".ansible"
    ]
    open_ones = [
        one
        for one in made
        if one.name != "agent.json" and not one.is_symlink() and stat.S_IMODE(one.lstat().st_mode) & 0o022
    ]
    tokens = [one for one in made if one.is_file() and TOKEN.encode() in one.read_bytes()]
    shared = [one for one in tokens if stat.S_IMODE(one.stat().st_mode) & 0o077]
    names = ", ".join(str(one.relative_to(ground.folder)) for one in (*open_ones, *shared))
    # The module tells its result where the action plugin takes it from.
    ran["module"] = dataclasses.replace(ran["module"], out="")
    return [
        *victims.judge(ran, refused=False),
        Finding(
            NO_SECRET, not open_ones and not shared, names or f"{len(tokens)} files with a token, all for their owner"
        ),
        Finding(NO_WRONG_TOKEN, len(tokens) >= 3, f"{len(tokens)} files with the token"),
    ]


def _network(ground: Ground) -> list[Finding]:
    """What steers requests, curl and the SDK is not meant for us: no .netrc, no other CA, no old token."""
    with Web(Reply(200, LOGIN)) as thief, Web(_answers) as web:
        (ground.folder / ".netrc").write_text("machine 127.0.0.1 login u password canary-of-netrc\n", encoding="utf-8")
        (ground.folder / ".netrc").chmod(0o600)
        (ground.folder / ".vault-token").write_text("hvs.canaryOfAStaleToken0000000000", encoding="utf-8")
        environment = {
            "NETRC": str(ground.folder / ".netrc"),
            "REQUESTS_CA_BUNDLE": str(ground.folder / "none.pem"),
            "CURL_CA_BUNDLE": str(ground.folder / "none.pem"),
            "AWS_CA_BUNDLE": str(ground.folder / "none.pem"),
            "AWS_ENDPOINT_URL": thief.url,
            "AWS_ENDPOINT_URL_STS": thief.url,
            "VAULT_TOKEN": "hvs.canaryOfAStaleToken0000000000",
            "VAULT_NAMESPACE": "",
            "HTTP_PROXY": "",
            "NO_PROXY": "127.0.0.1",
            "ALL_PROXY": thief.url,
            "HTTPS_PROXY": thief.url,
            "OPENSSL_CONF": str(ground.folder / "none.cnf"),
        }
        ran = _programs(ground, web.url, environment)
        told = sum(
            "canary" in f"{seen.headers} {seen.body!r}" and victims.SECRET_KEY not in str(seen) for seen in web.seen
        )
        stolen = len(thief.seen)
    return [
        *victims.judge(ran, refused=False),
        Finding(NO_SECRET, not told, f"{told} requests with a stale token or a password"),
        Finding(NO_SECRET, not stolen, f"{stolen} requests to another place"),
    ]
