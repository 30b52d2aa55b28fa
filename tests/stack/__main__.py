# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""python3 -m tests.stack up|down|status|env [--dir DIR]: the stack, with any Python from 3.11 on."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
import typing as t
from pathlib import Path

from .cache import locked
from .control import clear, healthy, make_folders, read_env, states, stop_servers
from .errors import StackError
from .layout import Layout, layout
from .packages import environment
from .plugin import plugin_binary
from .progress import say

STARTED = "VAULTFLEET_STACK_STARTED"


def main() -> int:
    """Run one command; 0 fine, 1 failed, 3 (status) not ready."""
    parser = argparse.ArgumentParser(prog="python3 -m tests.stack", description=__doc__)
    parser.add_argument("command", choices=("up", "down", "status", "env"))
    parser.add_argument("--dir", default=".stack", help="where the stack lives (default: %(default)s)")
    options = parser.parse_args()
    commands = {"up": _up, "down": _down, "status": _status, "env": _env}
    try:
        return commands[options.command](layout(options.dir))
    except StackError as exc:
        print(f"stack: error: {exc}", file=sys.stderr)
        return 1
    except OSError as exc:
        print(f"stack: error: {exc.strerror or exc}: {exc.filename or options.dir}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stack: interrupted", file=sys.stderr)
        return 130


def _up(lay: Layout) -> int:
    if not Path("/proc/self/stat").exists():
        raise StackError("the stack runs on Linux only")
    if healthy(lay):
        say(f"already up in {lay.root}")
        return 0
    began = float(os.environ.setdefault(STARTED, str(time.time())))
    venv = environment("requirements.txt", "Python packages")
    if Path(sys.prefix) != venv:
        # The parts need packages: go on in the interpreter that has them.
        python = str(venv / "bin" / "python")
        os.execv(python, [python, "-m", "tests.stack", "up", "--dir", str(lay.root)])  # noqa: S606 - no shell needed
    plugin = plugin_binary()
    lay.root.mkdir(mode=0o700, parents=True, exist_ok=True)
    with locked(lay.lock):
        if healthy(lay):
            say(f"already up in {lay.root}")
            return 0
        if stop_servers(lay):
            say("what was left of an earlier stack is stopped")
        clear(lay, logs=True)
        make_folders(lay)
        _bring_up(lay, plugin)
    say(f"ready in {lay.root} after {time.time() - began:.1f} s; settings in {lay.env}")
    return 0


def _bring_up(lay: Layout, plugin: Path) -> None:
    from .up import bring_up

    def interrupted(*_: t.Any) -> None:
        # Once is enough: the clean-up that follows must not be cut short.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupted)
    try:
        bring_up(lay, plugin)
    except BaseException:
        # A Vault that is just starting does not listen to reason, and it holds nothing worth keeping.
        stop_servers(lay, patience=0.3)
        raise


def _down(lay: Layout) -> int:
    if not lay.root.exists():
        say(f"no stack in {lay.root}")
        return 0
    with locked(lay.lock):
        stopped = stop_servers(lay)
        clear(lay, logs=False)
    say(f"down: {', '.join(stopped)} stopped" if stopped else f"no stack runs in {lay.root}")
    return 0


def _status(lay: Layout) -> int:
    for name, (process, alive) in states(lay).items():
        say(f"{name}: running, process {process.pid}" if process and alive else f"{name}: not running")
    ready = healthy(lay)
    say("ready" if ready else "not ready")
    return 0 if ready else 3


def _env(lay: Layout) -> int:
    for key, value in read_env(lay).items():
        print(f"{key}={value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
