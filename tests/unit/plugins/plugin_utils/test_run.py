# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs: whose process this is, and who is dead."""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
import signal
import subprocess
import sys
import typing as t

import pytest

from ansible_collections.vaultfleet.aws.plugins.plugin_utils import _hit, _run
from ansible_collections.vaultfleet.aws.plugins.plugin_utils._run import Run, run_of, this_run


def here() -> Run:
    run = this_run()
    assert run is not None
    return run


def of_process(pid: int) -> Run:
    started = _hit.started(pid)
    assert started is not None
    return dataclasses.replace(here(), pid=pid, started=started)


def test_a_worker_is_of_its_parents_run() -> None:
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    worker = context.Process(target=lambda: theirs.send(this_run()))
    worker.start()
    assert ours.recv() == here()
    worker.join()
    assert here().pid == os.getpid()


def test_alive() -> None:
    assert not here().is_dead()


def test_killed_and_then_collected() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        run = of_process(process.pid)
        assert not run.is_dead()
        process.send_signal(signal.SIGKILL)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert run.is_dead()  # a zombie: nobody has collected it yet
    assert run.is_dead()


def test_recycled_pid() -> None:
    assert dataclasses.replace(here(), started=here().started - 1).is_dead()


@pytest.mark.parametrize("place", [{"boot_id": "another"}, {"pid_namespace": "pid:[1]"}])
def test_in_doubt_it_lives(place: dict[str, t.Any]) -> None:
    gone = dataclasses.replace(here(), started=0)
    assert gone.is_dead()
    assert not dataclasses.replace(gone, **place).is_dead()


def test_in_doubt_it_lives_when_proc_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    run = here()

    def refuse(_pid: int) -> int | None:
        raise PermissionError

    monkeypatch.setattr(_run, "_started", refuse)
    assert not run.is_dead()
    assert this_run() is None


def test_without_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    run = here()
    monkeypatch.setattr(_run, "_BOOT_ID", "/nowhere/boot_id")
    assert this_run() is None
    assert not run.is_dead()


def test_kept_as_json() -> None:
    assert run_of(dataclasses.asdict(here())) == here()


@pytest.mark.parametrize(
    "change", [{"pid": "1"}, {"started": None}, {"boot_id": 1}, {"pid_namespace": []}, {"more": 1}]
)
def test_garbled(change: dict[str, t.Any]) -> None:
    assert run_of({**dataclasses.asdict(here()), **change}) is None
    assert run_of({}) is None
