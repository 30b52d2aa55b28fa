# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The paths that are programs of ours on this machine: the agent with all its sinks, and the commands."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
import typing as t
from pathlib import Path

from ansible_collections.vaultfleet.aws.tests.unit.plugins.module_utils._agent.manager import Manager
from tests.live.agent.agents import Agents, imds
from tests.live.agent.process import PACKAGE, Agent
from tests.tools.project import COLLECTIONS

from . import plants
from .canaries import NONCE, PRIVATE_KEY, SECRET_KEY, TEMPLATE_SECRET, TOKEN, WRAPPING_TOKEN
from .evidence import LOG, MESSAGES, STATUS
from .ground import Ground, HuntError, Json, crash
from .plants import Plant
from .plays import INJECTED, enter_file

LONG = {"token_ttl": "1h", "token_max_ttl": "2h"}
DEMO = "secret/data/demo"


# --- the agent


def agent(ground: Ground) -> None:
    """Agents of both types with every kind of sink; reloaded, refused, killed, crashed, started again."""
    folder = ground.folder / "agents"
    folder.mkdir()
    ground.secret(DEMO)
    ground.keys()
    agents = Agents(ground.stack, folder)
    try:
        for scenario in (_all_sinks, _ec2, _session, _refused, _short):
            scenario(ground, agents)
    finally:
        agents.close()
    ground.collect(skip=[f"agents/{path.parent.name}/log" for path in folder.glob("*/log")])
    for log in folder.glob("*/log"):
        ground.evidence.add_tree(LOG, log, "the agent's log")


def _prepared(ground: Ground, one: Agent) -> Manager:
    """Everything that it can tell is switched on, and watched."""
    one.environ.update(TMPDIR=str(ground.temporary))
    one.write(auto_auth={**one.config["auto_auth"], "metrics_file": str(one.runtime / "metrics.prom")})
    ground.watch.add(f"runtime of {one.name.rpartition('-')[2]}", one.runtime, STATUS)
    return one.managed()


def _finish(ground: Ground, one: Agent, manager: Manager) -> None:
    """End it, and take what it told its manager."""
    ground.evidence.add(MESSAGES, "notifications", repr(manager.messages).encode())
    with contextlib.suppress(ProcessLookupError):
        one.kill()


def _all_sinks(ground: Ground, agents: Agents) -> None:
    one = agents.iam("sinks", role=LONG)
    certificate, key = ground.client_certificate()
    folder = one.folder
    private, public = folder / "private.json", folder / "public.json"
    made = one.command("keygen", "--key", str(private), "--public", str(public))
    if made.returncode:
        raise HuntError(f"keygen failed: {made.stderr}")
    ground.book.add(PRIVATE_KEY, json.loads(private.read_text(encoding="ascii"))["curve25519_private_key"])
    encrypted = {"dh_type": "curve25519", "dh_path": str(public), "derive_key": True, "aad": "hunt"}
    sinks: list[Json] = [
        {"type": "file", "config": {"path": str(one.sink)}},
        {"type": "file", "wrap_ttl": "1h", "config": {"path": str(folder / "wrapped")}},
        {"type": "file", **encrypted, "config": {"path": str(folder / "encrypted")}},
        {"type": "file", "wrap_ttl": "1h", **encrypted, "config": {"path": str(folder / "both")}},
    ]
    template = {
        "contents": "{{ secret('" + DEMO + "').data.password }}",
        "destination": str(folder / "rendered"),
        "exec": {"command": ["/bin/cat", str(folder / "rendered")]},
    }
    broken = {"contents": "{{ secret('" + DEMO + "').data.password.none.such }}", "destination": str(folder / "broken")}
    one.write(
        vault={**one.config["vault"], "client_cert": str(certificate), "client_key": str(key)},
        auto_auth={**one.config["auto_auth"], "sink": sinks},
        jinja_template=[template, broken],
    )
    manager = _prepared(ground, one)
    one.start()
    one.until(lambda: all((folder / name).exists() for name in ("token", "wrapped", "encrypted", "both", "rendered")))
    ground.book.add(TOKEN, one.serves())
    options = ["--key", str(private), "--derive-key", "--aad", "hunt"]
    token = one.command("decrypt", *options, str(folder / "encrypted"))
    both = one.command("decrypt", *options, str(folder / "both"))
    if token.stdout != one.token() or both.returncode:
        raise HuntError("an encrypted sink could not be read")
    for text in ((folder / "wrapped").read_text(encoding="ascii"), both.stdout):
        ground.book.add(WRAPPING_TOKEN, json.loads(text)["token"])
    for arguments in (["--key", str(private), str(folder / "encrypted")], [*options, str(one.sink)]):
        failed = one.command("decrypt", *arguments)
        ground.evidence.add(LOG, "a decryption that failed", (failed.stdout + failed.stderr).encode())
    for command in (["status", "--name", "x"], ["status", "--name", "x", "--json"]):
        shown = one.command(*command)
        ground.evidence.add(STATUS, "status command", (shown.stdout + shown.stderr).encode())
    one.send(signal.SIGHUP)
    one.until(lambda: one.said("reloaded the configuration"))
    for strike in (signal.SIGKILL, signal.SIGSEGV):
        one.send(strike)
        one.ended()
        one.start()
        one.until(lambda: _serves(one))
    ground.book.add(TOKEN, one.serves())
    _finish(ground, one, manager)


def _serves(one: Agent) -> bool:
    """Whether this process of it does, and not the one before; with a template that is broken it is at risk soon."""
    assert one.process is not None
    told = one.status()
    return told.get("pid") == one.process.pid and told.get("state") in ("serving", "at risk")


def _ec2(ground: Ground, agents: Agents) -> None:
    for name, options in (("own", {}), ("given", {"nonce": ground.book.add(NONCE, secrets.token_hex(16))})):
        instance = ground.stack.instances[2]
        one = agents.ec2(instance, name, role=LONG, login_options=options)
        manager = _prepared(ground, one)
        one.start()
        ground.book.add(TOKEN, one.serves())
        one.tells("serving")
        one.kill()
        one.start()
        one.until(lambda one=one: one.said("went on with the token"))  # type: ignore[misc]
        _finish(ground, one, manager)
        # A nonce that does not fit is refused, and the message about it is a long one.
        lost = agents.ec2(instance, f"{name}lost", role=LONG)
        lost.stack.delete_accesslist(instance)
        first = agents.ec2(instance, f"{name}first", role=LONG, login_options={"nonce": "the-first"}).start()
        ground.book.add(TOKEN, first.serves())
        first.kill()
        lost.change(nonce=ground.book.add(NONCE, secrets.token_hex(16)))
        manager = _prepared(ground, lost)
        lost.start()
        lost.until(lambda lost=lost: lost.state() == "blocked")  # type: ignore[misc]
        _finish(ground, lost, manager)
        ground.stack.delete_accesslist(instance)


def _session(ground: Ground, agents: Agents) -> None:
    """Keys of a session, in a file of the user's."""
    session = ground.session()
    lines = {
        "aws_access_key_id": session["access_key"],
        "aws_secret_access_key": session["secret_key"],
        "aws_session_token": session["session_token"],
    }
    text = "[default]\n" + "".join(f"{name} = {value}\n" for name, value in lines.items())
    file = ground.given("session", text)
    bound = {**LONG, "bound_iam_principal_arn": ground.stack.env["STACK_APP_ROLE_ARN"]}
    one = agents.iam("session", {"AWS_SHARED_CREDENTIALS_FILE": str(file)}, role=bound)
    manager = _prepared(ground, one)
    one.start()
    ground.book.add(TOKEN, one.serves())
    _finish(ground, one, manager)


def _refused(ground: Ground, agents: Agents) -> None:
    """A wrong secret key, which Vault shows in no answer; and crashes while it asks."""
    access, _secret = ground.keys()
    wrong = ground.book.add(SECRET_KEY, secrets.token_urlsafe(30))
    file = ground.given("wrong", f"[default]\naws_access_key_id = {access}\naws_secret_access_key = {wrong}\n")
    one = agents.iam("refused", {"AWS_SHARED_CREDENTIALS_FILE": str(file)}, role=LONG)
    manager = _prepared(ground, one)
    one.start()
    one.until(lambda: one.said("login failed|refused|error"))
    one.send(signal.SIGSEGV)
    one.ended()
    _finish(ground, one, manager)


def _short(ground: Ground, agents: Agents) -> None:
    """Renewals, and new tokens; each of them is entered."""
    one = agents.iam("short")
    manager = _prepared(ground, one)
    one.start()
    token = ground.book.add(TOKEN, one.serves())
    ground.book.add(TOKEN, one.replaced(token))
    _finish(ground, one, manager)


def plant_in_agent(ground: Ground, places: list[str]) -> dict[str, Plant]:
    """A program that leaks as an agent could."""
    found = plants.in_program(ground, places)
    for place in (LOG, STATUS, MESSAGES):
        found[place] = plants.plant()
    folder = ground.folder / "planted"
    folder.mkdir()
    with Path(folder, "log").open("wb") as log:
        words = ground.given("leak", found[LOG].text)
        subprocess.run(["cat", str(words)], stdout=log, check=True)
    ground.evidence.add_tree(LOG, folder / "log", "planted")
    runtime = folder / "runtime"
    runtime.mkdir()
    ground.watch.add("runtime of planted", runtime, STATUS)
    (runtime / "status.json").write_text(found[STATUS].text, encoding="ascii")
    time.sleep(0.5)
    manager = Manager(folder / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.connect(str(folder / "notify"))
        for line in found[MESSAGES].text.splitlines():
            sender.send(f"STATUS={line}".encode())
    manager.wait(lambda: len(manager.messages) == len(found[MESSAGES].canaries))
    ground.evidence.add(MESSAGES, "planted", repr(manager.messages).encode())
    manager.close()
    return found


# --- the commands


ASKED = "token on stdout"


def command(ground: Ground) -> None:
    """vault-aws-login, keygen and decrypt: every way to give keys, every way to fail, and crashes."""
    stack = ground.stack
    access, secret = ground.keys()
    keys = {"AWS_ACCESS_KEY_ID": access, "AWS_SECRET_ACCESS_KEY": secret}
    shared = {"AWS_SHARED_CREDENTIALS_FILE": stack.env["AWS_SHARED_CREDENTIALS_FILE"]}
    session = ground.session()
    temporary = {
        "AWS_ACCESS_KEY_ID": session["access_key"],
        "AWS_SECRET_ACCESS_KEY": session["secret_key"],
        "AWS_SESSION_TOKEN": session["session_token"],
    }
    wrong = {**keys, "AWS_SECRET_ACCESS_KEY": ground.book.add(SECRET_KEY, secrets.token_urlsafe(30))}
    for arguments, given, stdin in (
        (["--role", "web"], keys, ""),
        (["--role", "web", "--show"], shared, ""),
        (["--role", "app"], temporary, ""),
        (["--role", "web", "--access-key", access, "--secret-key-file", "-"], {}, secret),
        (["--role", "web", "--format", "json"], shared, ""),
        (["--role", "web", "--format", "env"], shared, ""),
        (["--role", "web", "--wrap-ttl", "1m"], shared, ""),
    ):
        shown = _login(ground, arguments, given, stdin, ASKED, (0,))
        _enter_shown(ground, shown, wrapped="--wrap-ttl" in arguments)
    _login(ground, ["--role", "web", "--store"], shared, "", "stored", (0,))
    enter_file(ground, TOKEN, ground.home / ".vault-token")
    _login(ground, ["--role", "web", "--check"], keys, "", "checked", (0,))
    for arguments, given in (
        (["--role", "other"], keys),
        (["--role", "web"], wrong),
        (["--role", "web", "--url", "https://127.0.0.1:9", "--retries", "0"], keys),
        (["--rolle", "web"], keys),
        (["--role", "web", "--wrap-ttl", "1m", "--store"], keys),
    ):
        _login(ground, arguments, given, "", "refused", (1, 2, 3, 4))
    _nonces(ground)
    broken = ground.folder / "broken"
    broken.mkdir()
    (broken / "sitecustomize.py").write_text(INJECTED, encoding="utf-8")
    path = f"{broken}:{COLLECTIONS}"
    _login(ground, ["--role", "web"], {**keys, "PYTHONPATH": path}, "", "exceptions injected", (1, 2, 3))
    for strike in (crash, lambda pid: os.kill(pid, signal.SIGKILL)):
        _crashed_login(ground, keys, strike)
    _reader(ground)
    ground.collect()


def _login(
    ground: Ground, arguments: list[str], given: t.Mapping[str, str], stdin: str, label: str, codes: t.Container[int]
) -> str:
    program = [sys.executable, "-m", PACKAGE.replace("_agent", "_cli.cli"), *arguments]
    return ground.run(program, {**_variables(ground), **given}, given=stdin, label=label, codes=codes).stdout


def _variables(ground: Ground) -> dict[str, str]:
    env = ground.stack.env
    return {
        "PYTHONPATH": str(COLLECTIONS),
        "VAULT_ADDR": env["VAULT_ADDR"],
        "VAULT_CACERT": env["VAULT_CACERT"],
        "VAULTFLEET_AWS_HEADER_VALUE": env["STACK_HEADER_VALUE"],
    }


def _enter_shown(ground: Ground, shown: str, *, wrapped: bool) -> None:
    text = shown.strip()
    if text.startswith("{"):
        text = json.loads(text)["auth"]["client_token"]
    elif "\n" in text or "=" in text:
        text = next(line for line in text.splitlines() if "TOKEN=" in line).partition("=")[2].strip("'\"; ")
    if not text:
        raise HuntError("no token was shown that was asked for")
    ground.book.add(WRAPPING_TOKEN if wrapped else TOKEN, text)


def _nonces(ground: Ground) -> None:
    """An instance, with the nonce of a file, and with one that does not fit."""
    instance = ground.stack.instances[3]
    ground.stack.delete_accesslist(instance)
    ground.stack.imds_reset(instance)
    metadata = {**imds(ground.stack, instance), "VAULTFLEET_AWS_HEADER_VALUE": ""}
    for name, label, codes in (("nonce", ASKED, (0,)), ("nonce", ASKED, (0,)), ("wrong", "refused", (2,))):
        file = ground.private / "given" / f"{name}-file"
        if not file.exists():
            ground.given(file.name, ground.book.add(NONCE, secrets.token_hex(16)))
        shown = _login(
            ground, ["--type", "ec2", "--role", "node", "--nonce-file", str(file)], metadata, "", label, codes
        )
        if shown:
            ground.book.add(TOKEN, shown.strip())
    ground.stack.delete_accesslist(instance)


def _crashed_login(ground: Ground, keys: t.Mapping[str, str], strike: t.Callable[[int], None]) -> None:
    """The command ends by a signal while it waits for Vault's answer."""
    program = [sys.executable, "-m", PACKAGE.replace("_agent", "_cli.cli"), "--role", "web"]
    struck: list[int] = []

    def find() -> None:
        give_up = time.monotonic() + 20
        while time.monotonic() < give_up and not struck:
            for entry in Path("/proc").iterdir():
                with contextlib.suppress(OSError):
                    mine = entry.name.isdigit() and str(ground.folder).encode() in (entry / "environ").read_bytes()
                    if mine and (entry / "cmdline").read_bytes().split(b"\0")[:-1] == [one.encode() for one in program]:
                        time.sleep(1.5)
                        strike(int(entry.name))
                        struck.append(int(entry.name))
                        return
            time.sleep(0.05)

    ground.stack.aws_fault("hang", seconds=6, service="sts", count=1)
    thread = threading.Thread(target=find)
    thread.start()
    try:
        ground.run(program, {**_variables(ground), **keys}, label="crashed")
    finally:
        thread.join()
        ground.stack.aws_fault()
    if not struck:
        raise HuntError("no command was seen that could crash")


def _reader(ground: Ground) -> None:
    """keygen never writes a key twice, and says nothing of it."""
    program = [sys.executable, "-m", f"{PACKAGE}.cli"]
    key, public = ground.folder / "private.json", ground.folder / "public.json"
    for codes in ((0,), (1, 2)):
        arguments = ["keygen", "--key", str(key), "--public", str(public)]
        ground.run([*program, *arguments], _variables(ground), label="keygen", codes=codes)
    ground.book.add(PRIVATE_KEY, json.loads(key.read_text(encoding="ascii"))["curve25519_private_key"])
    sink = ground.given("not-a-sink", ground.book.add(TEMPLATE_SECRET, secrets.token_urlsafe(30)))
    arguments = ["decrypt", "--key", str(key), str(sink)]
    ground.run([*program, *arguments], _variables(ground), label="a decryption that failed", codes=(1, 2))
