# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Faults: a clear error or a correct token, never a wrong one, never a hang."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.vaultfleet.aws.plugins.plugin_utils._shared import _FAILURE_LASTS
from tests.live.core import keys
from tests.live.lookup.runs import NAME, Runs, meet, play, see
from tests.stack.handle import Stack

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")


def attempt(name: str, options: str) -> dict[str, t.Any]:
    """A task that may fail."""
    return see(name, f"lookup('{NAME}', {options})", ignore_errors=True)


def test_sinks(runs: Runs, stack: Stack) -> None:
    good, revoked = runs.folder / "good", runs.folder / "revoked"
    module: dict[str, t.Any] = {
        "name": "Log in",
        "vaultfleet.aws.aws_vault_login": {
            "role": "web",
            "sink": {"path": "{{ item }}"},
            "header_value": "{{ header }}",
        },
        "loop": [str(good), str(revoked)],
        "vars": {"header": stack.env["STACK_HEADER_VALUE"]},
    }
    runs.run(play(module))
    stack.vault.must("POST", "auth/token/revoke-self", {}, revoked.read_text(encoding="ascii"))
    (runs.folder / "ended").write_text(good.read_text(encoding="ascii"), encoding="ascii")
    record = Path(f"{good}.meta").read_text(encoding="utf-8")
    ends = record.partition('"expires_at": ')[2].split(",")[0]
    (runs.folder / "ended.meta").write_text(record.replace(ends, str(time.time() - 5)), encoding="utf-8")
    before = stack.logins("aws")
    ended = runs.run(
        play(
            attempt("good", f"sink='{good}'"),
            attempt("again", f"sink='{good}'"),
            attempt("answer", f"sink='{good}', **{{'return': 'login'}}).auth.client_token | string + (''"),
            attempt("missing", f"sink='{runs.folder}/missing'"),
            attempt("ended", f"sink='{runs.folder}/ended'"),
            attempt("revoked", f"sink='{revoked}'"),
            attempt("unasked", f"sink='{revoked}', check_interval=0"),
        )
    )
    assert stack.logins("aws") == before
    assert ended.tokens("good") == ended.tokens("again") == ended.tokens("answer")
    assert len(ended.tokens("unasked")) == 1
    for said in (
        f"sink: there is no token in {runs.folder}/missing",
        f"sink: the token in {runs.folder}/ended has ended",
        f"sink: the server refuses the token in {revoked}",
    ):
        assert said in ended.shown
    without = ["env", "-u", "VAULT_ADDR"]
    assert runs.run(play(attempt("good", f"sink='{good}'")), wrapper=without).tokens() == ended.tokens("good")


def test_wrong_options(runs: Runs, stack: Stack) -> None:
    before = stack.logins()
    ended = runs.run(
        play(
            attempt("unknown", "rolle='web'"),
            attempt("nothing", "mount_path='aws'"),
            attempt("wrapped", "role='web', wrap_ttl=60"),
            attempt("terms", "5, role='web'"),
        )
    )
    for said in (
        "rolle: is not an option -- did you mean role?",
        "role: is missing",
        "wrap_ttl: a wrapping token is for one use",
        "role: a term is not text",
    ):
        assert f"vault_aws_token: {said}" in ended.shown
    assert stack.logins() == before


def test_a_failed_login_is_not_tried_by_all(runs: Runs, stack: Stack) -> None:
    before = stack.logins("aws")
    ended = runs.run(play(attempt("one", "role='other'"), attempt("two", "role='other'")), hosts=10)
    # For so long a failure counts for all; only a busy machine needs longer for the play.
    assert 1 <= stack.logins("aws") - before <= 1 + ended.seconds // _FAILURE_LASTS
    assert ended.shown.count("does not belong to the role") >= 20


def test_vault_dies_between_two_lookups(runs: Runs) -> None:
    last = attempt("again", "role='web-short', timeout=4")
    nap = {"name": "Nap", "ansible.builtin.command": "sleep 4", "changed_when": False}
    run = runs.start(
        play(
            see("one"),
            attempt("short", "role='web-short', timeout=4"),
            meet(runs.folder, "here"),
            see("two"),
            attempt("new", "role='web-batch', timeout=4"),
            nap,
            last,
            see("three"),
        ),
        variables={"VAULTFLEET_AWS_CHECK_INTERVAL": "2"},
    )
    run.reached("here")
    runs.stack.stop_vault()
    try:
        run.go("here")
        ended = run.end()
    finally:
        runs.stack.start_vault()
    assert ended.rc == 0, ended.shown
    assert "Traceback" not in ended.shown
    # While the server is away the lease counts; also when a look at the token is due.
    assert len(set(ended.tokens("one") + ended.tokens("two") + ended.tokens("three"))) == 1
    assert len(ended.tokens("three")) == 1
    assert not ended.tokens("new")
    assert not ended.tokens("again")
    assert "login with role web-batch at auth/aws failed" in ended.shown
    assert ended.seconds < 90  # three time-outs of 4 s, and what a busy machine takes


def test_a_worker_is_killed_while_it_logs_in(runs: Runs, stack: Stack) -> None:
    """Ansible gives up then; the lock does not outlive the worker, and the next run starts anew."""
    stack.aws_fault("hang", seconds=120, service="sts", count=1)
    run = runs.start(play(see("one")), hosts=3)
    give_up = time.monotonic() + 60
    holders: list[str] = []
    while not holders:
        assert time.monotonic() < give_up
        time.sleep(0.05)
        holders = [text for lock in runs.memory.glob("*/run-*/*.lock") if (text := lock.read_text().strip())]
    killed = int(holders[0])
    assert killed != run.process.pid
    os.kill(killed, signal.SIGKILL)
    start = time.monotonic()
    ended = run.end()
    assert time.monotonic() - start < 60  # of two minutes
    stack.aws_fault()
    assert ended.rc != 0
    assert len(set(runs.run(play(see("next")), hosts=2).tokens())) == 1


def test_a_hanging_aws_ends_in_time_for_all(runs: Runs, stack: Stack) -> None:
    stack.aws_fault("hang", seconds=120, service="sts")
    before = stack.logins("aws")
    ended = runs.run(play(attempt("one", "role='web', timeout=3, retries=0")), hosts=5)
    stack.aws_fault()
    assert ended.seconds < 60
    assert stack.logins("aws") == before + 1
    assert ended.shown.count("no answer within 3 s") >= 5


def test_a_bounded_wait_names_the_one_that_is_waited_for(runs: Runs, stack: Stack) -> None:
    stack.aws_fault("hang", seconds=8, service="sts", count=1)
    ended = runs.run(play(attempt("one", "role='web', cache_timeout=1")), hosts=3)
    assert ended.shown.count("has been logging in for 1 s") >= 2
    assert len(ended.tokens()) == 1


def test_broken_records(runs: Runs, stack: Stack) -> None:
    before = stack.logins("aws")
    spoil = "for f in {memory}/*/run-*/*; do case $f in *owner.json|*.lock) ;; *) {how} ;; esac; done"
    tasks = [see("at0")]
    for number, how in enumerate(
        ("truncate -s 40 $f", "echo '{}' > $f", 'sed -i \'s/"version": 1/"version": 9/\' $f'), 1
    ):
        command = spoil.replace("{memory}", str(runs.memory)).replace("{how}", how)
        tasks += [
            {"name": "Spoil", "ansible.builtin.shell": command, "changed_when": False, "run_once": True},
            see(f"at{number}"),
            see(f"at{number}"),
        ]
    ended = runs.run(play(*tasks))
    assert stack.logins("aws") == before + 4
    assert [len(set(ended.tokens(f"at{number}"))) for number in range(4)] == [1, 1, 1, 1]
    assert len(set(ended.tokens())) == 4


@as_root
def test_no_file_system_in_memory(runs: Runs, stack: Stack) -> None:
    """As on macOS: /dev/shm is on a disk, and there is no XDG_RUNTIME_DIR."""
    disk = Path("/var/tmp") / f"vaultfleet-live-{os.getpid()}"
    disk.mkdir()
    disk.chmod(0o1777)
    mount = f'mount --bind {disk} /dev/shm && unset XDG_RUNTIME_DIR && exec "$@"'
    before = stack.logins("aws")
    try:
        ended = runs.run(
            play(see("one"), see("two")),
            hosts=2,
            callback=True,
            wrapper=["unshare", "--mount", "sh", "-c", mount, "sh"],
        )
        assert not list(disk.glob("vaultfleet*"))
    finally:
        subprocess.run(["rm", "-rf", str(disk)], check=True)
    assert len(set(ended.tokens())) == 4
    assert stack.logins("aws") == before + 4
    assert ended.shown.count("[WARNING]: vault_aws_token: there is no file system in memory") == 1
    assert ended.shown.count("[WARNING]: vault_aws_tokens: there is no file system in memory") == 1


@as_root
@pytest.mark.parametrize("kind", ["full", "planted"])
def test_a_store_that_cannot_be_used(kind: str, runs: Runs) -> None:
    """It works without sharing, and says so once."""
    if kind == "planted":
        folder = runs.memory / "vaultfleet-aws-0"
        folder.mkdir()
        os.chown(folder, 65534, 65534)
        said = "is not a folder of this user alone"
        wrapper: list[str] = []
    else:
        said = "No space left"
        fill = (
            f"mount -t tmpfs -o size=4k,mode=0700 none {runs.memory} && head -c 9000 /dev/zero > {runs.memory}/ballast"
        )
        wrapper = ["unshare", "--mount", "sh", "-c", f'{fill} 2>/dev/null; exec "$@"', "sh"]
    ended = runs.run(play(see("one"), see("two")), hosts=2, wrapper=wrapper)
    assert len(set(ended.tokens())) == 4
    assert ended.shown.count("[WARNING]") == 1, ended.shown
    assert said in " ".join(ended.shown.split())


@as_root
def test_a_store_that_fills_up(runs: Runs, stack: Stack) -> None:
    """A token that cannot be kept is revoked, and the error says what to do."""
    fill = {
        "name": "Fill",
        "ansible.builtin.shell": f"head -c 999999 /dev/zero > {runs.memory}/ballast || true",
        "changed_when": False,
    }
    mount = f'mount -t tmpfs -o size=64k,mode=0700 none {runs.memory} && exec "$@"'
    ended = runs.run(
        play(see("one"), fill, see("two"), attempt("new", "role='web-nolookup'")),
        wrapper=["unshare", "--mount", "sh", "-c", mount, "sh"],
    )
    assert ended.tokens("one") == ended.tokens("two")
    assert not ended.tokens("new")
    assert "No space left" in ended.shown
    assert "or set cache to none" in ended.shown


def test_secret_key_from_ansible_vault(runs: Runs, place_of_keys: dict[str, str]) -> None:
    """An encrypted variable is one of the ways to hand static keys to a lookup."""
    password = runs.folder / "password"
    password.write_text("canary-password", encoding="ascii")
    encrypted = subprocess.run(
        [
            sys.executable,
            "-m",
            "ansible",
            "vault",
            "encrypt_string",
            "--vault-password-file",
            str(password),
            place_of_keys["secret_key"],
        ],
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    variables = runs.folder / "vars.yml"
    variables.write_text(
        f"vaultfleet_aws_access_key: {place_of_keys['access_key']}\nvaultfleet_aws_secret_key: {encrypted}\n",
        encoding="utf-8",
    )
    ended = runs.run(
        play(see("one"), vars_files=[str(variables)]),
        arguments=["-vvvv", "--vault-password-file", str(password)],
        wrapper=["env", "-u", "AWS_SHARED_CREDENTIALS_FILE"],
    )
    assert len(ended.tokens()) == 1
    assert place_of_keys["secret_key"] not in ended.shown


@pytest.fixture
def place_of_keys(stack: Stack) -> dict[str, str]:
    """The client's static keys."""
    return keys(stack)._asdict()
