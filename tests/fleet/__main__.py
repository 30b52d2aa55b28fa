# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""python3 -m tests.fleet up|down|check|shell: a fleet beside a stack of its own; or one host, to look at or into it."""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import typing as t
from pathlib import Path

from .errors import FleetError
from .host import ENVIRONMENT, Host, booted, inside
from .place import Place, down, up
from .progress import say
from .releases import RELEASES


def main() -> int:
    """Run one command; 0 fine, 1 failed."""
    parser = argparse.ArgumentParser(prog="python3 -m tests.fleet", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (("up", "start the stack and a host of each release"), ("down", "end them")):
        commands.add_parser(name, help=text).add_argument(
            "--dir", type=Path, default=Path(".fleet"), help="where it keeps its files (default: %(default)s)"
        )
    for name, text in (("check", "boot a host and say what it is"), ("shell", "boot a host for a look into it")):
        commands.add_parser(name, help=text).add_argument(
            "--release", default="trixie", choices=tuple(RELEASES), help="default: %(default)s"
        )
    options = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupted)
    try:
        if options.command in ("up", "down"):
            {"up": up, "down": down}[options.command](Place(options.dir.resolve()))
        else:
            with booted(options.release) as host:
                {"check": _check, "shell": _shell}[options.command](host)
    except FleetError as exc:
        print(f"fleet: error: {exc}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("fleet: interrupted", file=sys.stderr)
        return 130
    return 0


def _interrupted(*_arguments: t.Any) -> None:
    # Once is enough: the clean-up that follows must not be cut short.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _check(host: Host) -> None:
    systemd = host.run(["systemctl", "--version"]).stdout.splitlines()[0]
    python = host.run(["python3", "--version"]).stdout.strip()
    say(f"{host.release}: {systemd}, {python}, booted in {host.boot_seconds:.1f} s")


def _shell(host: Host) -> None:
    environment = {**ENVIRONMENT, "TERM": "linux"}
    subprocess.run(inside(host.leader, host.group, ["bash", "--login"]), check=False, env=environment)


if __name__ == "__main__":
    sys.exit(main())
