# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The paths that are plays on the controller: module, lookup, examples, the bundle's build, ansible-runner."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
import typing as t
from pathlib import Path

from tests.live.playbooks import MODULE, login
from tests.tools.project import COLLECTIONS, ROOT
from tests.tools.pythons import newest_core
from tests.tools.venv import ensure_venv, venv_environment

from . import plants, playing
from .canaries import NONCE, SECRET_KEY, SESSION_TOKEN, TOKEN, WRAPPING_TOKEN
from .evidence import ARTIFACTS, MEMORY
from .ground import HUNT, Ground, HuntError, Json, crash
from .plants import Plant

LOOKUP = "vaultfleet.aws.vault_aws_token"
INJECTED = """
# Every answer of a server is an exception that has all that was sent in it, as bugs in libraries have.
import requests.adapters
_send = requests.adapters.HTTPAdapter.send
def send(self, request, *arguments, **options):
    answer = _send(self, request, *arguments, **options)
    raise RuntimeError(f"injected: {dict(request.headers)} {request.body} {answer.text}")
requests.adapters.HTTPAdapter.send = send
"""


def enter(ground: Ground, value: t.Any) -> int:
    """Enter all tokens and nonces of what tasks registered, however deep; how many tokens there were."""
    kinds = {"client_token": TOKEN, "nonce": NONCE}
    count = 0
    if isinstance(value, dict):
        for name, inner in value.items():
            if name in kinds and isinstance(inner, str) and inner:
                ground.book.add(kinds[name], inner)
                count += name == "client_token"
            elif name == "wrap_info" and isinstance(inner, dict) and inner.get("token"):
                ground.book.add(WRAPPING_TOKEN, inner["token"])
            else:
                count += enter(ground, inner)
    elif isinstance(value, list):
        count = sum(enter(ground, one) for one in value)
    return count


# --- the module


def module_variables(ground: Ground) -> Json:
    """What the tasks of ``module_tasks`` refer to."""
    access, secret = ground.keys()
    book = ground.book
    return {
        "access": access,
        "right_key": secret,
        "session": ground.session(),
        "wrong_nonce": book.add(NONCE, secrets.token_hex(16)),
        "wrong_key": book.add(SECRET_KEY, secrets.token_urlsafe(30)),
        "wrong_session": book.add(SESSION_TOKEN, secrets.token_urlsafe(90)),
        "wrong_wrapping": book.add(WRAPPING_TOKEN, f"s.{secrets.token_urlsafe(24)}"),
        "wrong_proxy": f"http://me:{book.add(SECRET_KEY, secrets.token_urlsafe(18))}@127.0.0.1:9",
        "header": ground.stack.env["STACK_HEADER_VALUE"],
        "instance_nonce": book.add(NONCE, secrets.token_hex(16)),
    }


def module_tasks(folder: str, certificate: tuple[Path, Path] | None) -> list[Json]:
    """Every way to get a token or a nonce, and every way to fail after one was sent. folder: for sinks."""
    given: Json = {"role": "web", "header_value": "{{ header }}", "access_key": "{{ access }}"}
    given["secret_key"] = "{{ right_key }}"
    ec2: Json = {"type": "ec2", "role": "node"}
    sink = {"path": f"{folder}/sink"}
    client: Json = {"client_cert": str(certificate[0]), "client_key": str(certificate[1])} if certificate else {}
    return [
        login("plain", **given),
        login("looped", {"loop": ["web", "web-short"]}, **{**given, "role": "{{ item }}"}),
        login("retried", {"until": "retried.attempts | default(0) > 1", "retries": 1, "delay": 0}, **given),
        login("thought_failed", {"failed_when": True}, **given),
        login("shown_by_user", {"no_log": False, "diff": True}, **given),
        login("of_session", **{**given, **{name: "{{ session." + name + " }}" for name in SESSION}, "role": "app"}),
        login("with_certificate", **given, **client),
        login("wrapped", **given, wrap_ttl=60),
        login("unwrapped", wrapping_token="{{ wrapped.login.wrap_info.token }}"),
        login("unwrapped_again", wrapping_token="{{ wrapped.login.wrap_info.token }}"),
        login("never_wrapped", wrapping_token="{{ wrong_wrapping }}"),
        login("first", **ec2),
        login("again", **ec2, nonce="{{ first.nonce }}"),
        login("mismatch", **ec2, nonce="{{ wrong_nonce }}"),
        login("kept", {"diff": True}, **given, sink=sink),
        login("kept_still", {"diff": True}, **given, sink=sink),
        login("kept_shown", {"diff": True}, **given, sink=sink, return_token=True),
        login("foretold", {"check_mode": True}, **given, sink={"path": f"{folder}/other"}),
        login("unwritable", **given, sink={"path": "/proc/nowhere/sink"}),
        login("refused", **{**given, "role": "other"}),
        login("unsigned", **{**given, "secret_key": "{{ wrong_key }}"}),
        login("session", **given, session_token="{{ wrong_session }}"),
        login("proxied", **given, proxies="{{ wrong_proxy }}"),
        login("bad_type", **given, retries="many"),
        login("bad_option", **given, rolle="web"),
        login("half_keys", role="web", secret_key="{{ right_key }}"),
        login("revoked", state="absent", sink=sink),
        login("kept_for_later", **given, sink=sink),
    ]


SESSION = ("access_key", "secret_key", "session_token")


def module(ground: Ground) -> None:
    """The module on the controller: logins, failures, crashes, exceptions; three callbacks for the screen."""
    instance = ground.stack.instances[0]
    ground.stack.delete_accesslist(instance)
    ground.stack.imds_reset(instance)
    variables = module_variables(ground)
    tasks = module_tasks(str(ground.folder), ground.client_certificate())
    metadata = {
        "AWS_EC2_METADATA_DISABLED": "false",
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": ground.stack.imds_endpoint(instance),
    }
    defaults = module_defaults(ground)
    _done, found = playing.play(
        ground,
        tasks,
        label="logins and failures",
        variables=variables,
        environment=metadata,
        module_defaults=defaults,
        gather_facts=True,
    )
    if (tokens := enter(ground, found)) < 12:
        raise HuntError(f"only {tokens} tokens were had")
    enter_file(ground, TOKEN, ground.folder / "sink")
    few = [task for task in tasks if task["name"] in ("plain", "first", "again", "unsigned", "bad_option")]
    apart = {"environment": {"HUNT": "1"}}  # with it the work is not done in Ansible's own process
    for callback in ("ansible.posix.json", "ansible.builtin.minimal"):
        ground.stack.delete_accesslist(instance)
        _done, found = playing.play(
            ground,
            few if callback == "ansible.posix.json" else [{**task, **apart} for task in few],
            label=callback,
            callback=callback,
            variables=variables,
            environment=metadata,
            module_defaults=defaults,
        )
        enter(ground, found)
    broken = ground.folder / "broken"
    broken.mkdir()
    (broken / "sitecustomize.py").write_text(INJECTED, encoding="utf-8")
    _done, found = playing.play(
        ground,
        [tasks[0], {**next(task for task in tasks if task["name"] == "with_certificate"), **apart}],
        label="exceptions injected",
        variables=variables,
        environment={"PYTHONPATH": str(broken)},
        module_defaults=defaults,
    )
    if enter(ground, found):
        raise HuntError("a login went well in spite of the exception that was injected")
    for how in (lambda pid: os.kill(pid, signal.SIGKILL), crash):
        _crashed_module(ground, {**tasks[0], **apart}, variables, defaults, how)
    ground.stack.delete_accesslist(instance)
    failing = [{**login("failed", **{**tasks[0][MODULE], "role": "other"}), "ignore_errors": False}]
    playing.play(
        ground, failing, label="a failed play", variables=variables, module_defaults=defaults, keep=False, codes=(2,)
    )
    playing.collect(ground)


def module_defaults(ground: Ground, **more: t.Any) -> Json:
    """The stack's address for the module."""
    env = ground.stack.env
    group = {"url": env["VAULT_ADDR"], "ca_cert": env["VAULT_CACERT"], "retries": 0, **more}
    return {"group/vaultfleet.aws.vault": group}


def enter_file(ground: Ground, kind: str, path: Path) -> str:
    """Enter what a file holds, which must be there."""
    text = path.read_text(encoding="utf-8").strip()
    if not text:
        raise HuntError(f"{path.name} is empty")
    return ground.book.add(kind, text)


def _crashed_module(ground: Ground, task: Json, variables: Json, defaults: Json, how: t.Callable[[int], None]) -> None:
    """The module ends by a signal while it waits for the answer to its login."""
    ended: list[int] = []

    def strike() -> None:
        give_up = time.monotonic() + 60
        while time.monotonic() < give_up and not ended:
            for pid in modules(ground):
                time.sleep(3)  # it has loaded its libraries and read its options, and asks
                how(pid)
                ended.append(pid)
                return
            time.sleep(0.02)

    ground.stack.aws_fault("hang", seconds=15, service="sts", count=1)
    thread = threading.Thread(target=strike)
    thread.start()
    try:
        playing.play(ground, [task], label="a crashed module", variables=variables, module_defaults=defaults)
    finally:
        thread.join()
        ground.stack.aws_fault()
    if not ended:
        raise HuntError("no module was seen that could crash")


def modules(ground: Ground) -> list[int]:
    """The processes of this path's modules: a Python that got its program through a pipe has no other argument."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and (entry / "cmdline").read_bytes() == f"{sys.executable}\0".encode():
                environment = (entry / "environ").read_bytes()
                found += [int(entry.name)] if str(ground.folder).encode() in environment else []
    return found


# --- the lookup


def lookup(ground: Ground) -> None:
    """The lookup with its callback: shared tokens, failures, a run that is killed, and the one after that."""
    memory = Path(ground.private / "memory")
    memory.mkdir(mode=0o700)
    env = {**lookup_environment(ground), "XDG_RUNTIME_DIR": str(memory)}
    seen = {"name": "Use it", "ansible.builtin.debug": {"msg": f"{{{{ lookup('{LOOKUP}') | hash('sha256') }}}}"}}
    ways = [f"lookup('{LOOKUP}')", f"lookup('{LOOKUP}', role='web-short')"]
    bad = [
        f"lookup('{LOOKUP}', role='other')",
        f"lookup('{LOOKUP}', access_key=access, secret_key=wrong_key)",
        f"lookup('{LOOKUP}', url='https://127.0.0.1:9', retries=0)",
        f"lookup('{LOOKUP}', rolle='web', secret_key=wrong_key)",
    ]
    failing = [
        {"name": f"Fail {number}", "ansible.builtin.debug": {"msg": f"{{{{ {way} }}}}"}, "ignore_errors": True}
        for number, way in enumerate(bad)
    ]
    keep = [
        {
            "name": f"Hand over {number}",
            "hunt_keep": {"path": str(ground.private / f"token-{number}"), "values": "{{ " + way + " }}"},
            "no_log": True,
            "ignore_errors": True,
        }
        for number, way in enumerate(ways)
    ]
    access, _secret = ground.keys()
    variables = {"access": access, "wrong_key": ground.book.add(SECRET_KEY, secrets.token_urlsafe(30))}
    every: list[Json] = [seen, *keep, *failing]
    for callback in ("", "ansible.posix.json", "ansible.builtin.minimal"):
        playing.play(
            ground, every, label=callback or "default", callback=callback, variables=variables, environment=env
        )
        _enter_kept(ground)
    # One that is killed while it holds a token, and one that cleans up after it.
    pause = {"name": "Wait", "ansible.builtin.command": {"cmd": "sleep 60"}, "changed_when": False}
    _kill_when(
        ground,
        lambda: any(memory.rglob("*")) and (ground.private / "token-0").exists(),
        lambda: playing.play(
            ground, [seen, keep[0], pause], label="killed", variables=variables, environment=env, codes=None
        ),
    )
    _enter_kept(ground)
    playing.play(ground, [seen, keep[0]], label="after the killed one", variables=variables, environment=env)
    _enter_kept(ground)
    ground.evidence.open(MEMORY)
    for path in (path for path in memory.rglob("*") if path.is_file()):
        ground.evidence.add_tree(MEMORY, path, path.name)
    playing.collect(ground)


def plant_in_lookup(ground: Ground, places: list[str]) -> dict[str, Plant]:
    """Plays that leak, and a file that a run left in its memory."""
    found = plants.in_play(ground, places)
    found[MEMORY] = plants.plant()
    words = ground.given("left", found[MEMORY].text)
    memory = ground.private / "memory"
    memory.mkdir()
    subprocess.run(["cp", str(words), str(memory / "token")], check=True)
    ground.evidence.add_tree(MEMORY, memory)
    return found


def lookup_environment(ground: Ground) -> dict[str, str]:
    """What a user of the lookup sets; the identity is found in the shared credentials file."""
    env = ground.stack.env
    return {
        "VAULT_ADDR": env["VAULT_ADDR"],
        "VAULT_CACERT": env["VAULT_CACERT"],
        "VAULTFLEET_AWS_HEADER_VALUE": env["STACK_HEADER_VALUE"],
        "VAULTFLEET_AWS_ROLE": "web",
        "AWS_SHARED_CREDENTIALS_FILE": env["AWS_SHARED_CREDENTIALS_FILE"],
    }


def _enter_kept(ground: Ground) -> None:
    for path in sorted(ground.private.glob("token-*")):
        text = str(json.loads(path.read_text(encoding="utf-8")))
        ground.book.add(TOKEN, text)
        path.unlink()


def _kill_when(ground: Ground, ready: t.Callable[[], bool], run: t.Callable[[], object]) -> None:
    """Kill ansible-playbook and all that it started, with SIGKILL, once it is ``ready``."""
    killed: list[int] = []

    def strike() -> None:
        give_up = time.monotonic() + 60
        while time.monotonic() < give_up and not ready():
            time.sleep(0.05)
        time.sleep(1)
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    arguments = (entry / "cmdline").read_bytes()
                    mine = str(ground.folder).encode() in (entry / "environ").read_bytes()
                except OSError:
                    continue
                if mine and (b"ansible" in arguments or arguments.startswith(b"sleep\0")):
                    os.kill(int(entry.name), signal.SIGKILL)
                    killed.append(int(entry.name))

    thread = threading.Thread(target=strike)
    thread.start()
    run()
    thread.join()
    if not killed:
        raise HuntError("nothing was killed")


# --- the examples


def examples(ground: Ground) -> None:
    """The example playbooks as they stand, and the programs that read a sink."""
    stack = ground.stack
    instance = stack.instances[1]
    stack.delete_accesslist(instance)
    stack.imds_reset(instance)
    ground.keys()
    ground.secret("secret/data/demo")
    app = ground.folder / "app"
    app.mkdir()
    settings = {
        "vault_url": stack.env["VAULT_ADDR"],
        "vault_ca_cert": stack.env["VAULT_CACERT"],
        "vault_server_id": stack.env["STACK_HEADER_VALUE"],
        "vault_nonce": ground.book.add(NONCE, secrets.token_hex(16)),
        "token_file": str(app / "token"),
        "demo_folder": str(app),
    }
    file = ground.given("settings.json", settings)
    memory = ground.private / "memory"
    memory.mkdir(mode=0o700)
    environment = {
        "XDG_RUNTIME_DIR": str(memory),
        "AWS_SHARED_CREDENTIALS_FILE": stack.env["AWS_SHARED_CREDENTIALS_FILE"],
        "AWS_EC2_METADATA_DISABLED": "false",
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": stack.imds_endpoint(instance),
    }
    for example in ("iam.yml", "lookup.yml", "ec2.yml", "ec2.yml", "demo.yml", "demo.yml"):
        if example == "demo.yml":
            stack.delete_accesslist(instance)
        playbook = str(ROOT / "examples" / example)
        playing.ansible(ground, [playbook, "-e", f"@{file}"], label=example, environment=environment)
    enter_file(ground, NONCE, app / "nonce")
    for name in ("token", "iam-token", "ec2-token"):
        enter_file(ground, TOKEN, app / name)
    for program, words in (
        ("read_token.py", ["secret/data/demo"]),
        ("read_token_hvac.py", ["secret", "demo"]),
    ):
        command = ["timeout", "2", sys.executable, str(ROOT / "examples" / program), str(app / "iam-token"), *words]
        variables = {"VAULT_ADDR": stack.env["VAULT_ADDR"], "VAULT_CACERT": stack.env["VAULT_CACERT"]}
        ground.run(command, variables, label=program, codes=(124,))
    playing.collect(ground)


# --- the bundle


def bundle(ground: Ground) -> None:
    """A bundle is built where keys and a token are in the environment; its files hold none of them."""
    _access, secret = ground.keys()
    environment = {
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_SESSION_TOKEN": ground.book.add(SESSION_TOKEN, secrets.token_urlsafe(90)),
        "VAULT_TOKEN": ground.book.add(TOKEN, f"s.{secrets.token_urlsafe(24)}"),
    }
    task = {
        "name": "Build",
        "vaultfleet.aws.vault_agent_bundle": {"pythons": ["3.13"], "dest": str(ground.folder / "bundles")},
        "register": "built",
    }
    bad = {"name": "Fail", "vaultfleet.aws.vault_agent_bundle": {"pythons": ["2.7"], "dest": str(ground.folder / "b")}}
    playing.play(ground, [task, {**bad, "ignore_errors": True}], label="build", environment=environment)
    if not list((ground.folder / "bundles").glob("*.tar.gz")):
        raise HuntError("no bundle was built")
    playing.collect(ground)


# --- ansible-runner


def runner(ground: Ground) -> None:
    """ansible-runner with module and lookup: what it keeps of a job."""
    venv = ensure_venv("neighbours", newest_core()[1])
    private = ground.folder / "private"
    for name in ("project", "inventory", "env"):
        (private / name).mkdir(parents=True)
    kept = ground.private / "kept-runner"
    access, secret = ground.keys()
    given = {"role": "web", "header_value": "{{ header }}", "access_key": "{{ access }}", "secret_key": "{{ key }}"}
    wrong = {**given, "secret_key": "{{ wrong }}"}
    values = f"{{{{ [login, lookup('{LOOKUP}')] }}}}"
    tasks = [
        login("login", **given),
        login("unsigned", **wrong),
        {"name": "Keep", "hunt_keep": {"path": str(kept), "values": values}, "no_log": True},
    ]
    book = {"hosts": "all", "gather_facts": False, "connection": "local", "tasks": tasks}
    book["module_defaults"] = module_defaults(ground)
    (private / "project" / "site.json").write_text(json.dumps([book]), encoding="utf-8")
    (private / "inventory" / "hosts").write_text("localhost\n", encoding="utf-8")
    extra = {
        "header": ground.stack.env["STACK_HEADER_VALUE"],
        "access": access,
        "key": secret,
        "wrong": ground.book.add(SECRET_KEY, secrets.token_urlsafe(30)),
    }
    # Secrets of a job come from a file of the user's, as AWX has them in a mounted one.
    file = ground.given("runner.json", extra)
    memory = ground.private / "memory"
    memory.mkdir(mode=0o700)
    environment = {
        **lookup_environment(ground),
        "PATH": venv_environment(venv)["PATH"],
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "ANSIBLE_ACTION_PLUGINS": str(HUNT / "plugins" / "action"),
        "XDG_RUNTIME_DIR": str(memory),
    }
    ground.run(
        ["ansible-runner", "run", str(private), "-p", "site.json", "--ident", "job", f"--cmdline=-vvvvv -e @{file}"],
        environment,
        label="ansible-runner",
        codes=(0,),
    )
    one, of_lookup = json.loads(kept.read_text(encoding="utf-8"))
    kept.unlink()
    enter(ground, one)
    ground.book.add(TOKEN, of_lookup)
    ground.evidence.add_tree(ARTIFACTS, private / "artifacts", "artifacts")
    ground.collect(skip=("private/artifacts",))


def plant_in_runner(ground: Ground, _places: list[str]) -> dict[str, Plant]:
    """A job that leaks, beside what every program has."""
    found = plants.in_program(ground, [])
    private = ground.folder / "private"
    found[ARTIFACTS] = plants.plant()
    task = {"name": "Leak", "ansible.builtin.debug": {"msg": found[ARTIFACTS].text.splitlines()}}
    book = {"hosts": "all", "gather_facts": False, "connection": "local", "tasks": [task]}
    (private / "project" / "leak.json").write_text(json.dumps([book]), encoding="utf-8")
    venv = ensure_venv("neighbours", newest_core()[1])
    subprocess.run(
        ["ansible-runner", "run", str(private), "-p", "leak.json", "--ident", "leak", "--cmdline=-v", "-q"],
        env={**ground.environment(), "PATH": venv_environment(venv)["PATH"]},
        check=True,
        capture_output=True,
    )
    ground.evidence.add_tree(ARTIFACTS, private / "artifacts" / "leak", "artifacts/leak")
    return found
