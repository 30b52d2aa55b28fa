# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""python3 -m tests.fleet check|shell [--release NAME]: build and boot a host, look at it or into it, shut it down."""

from __future__ import annotations

import argparse
import subprocess
import sys

from .errors import FleetError
from .host import ENVIRONMENT, Host, booted, inside
from .progress import say
from .releases import RELEASES


def main() -> int:
    """Run one command; 0 fine, 1 failed."""
    parser = argparse.ArgumentParser(prog="python3 -m tests.fleet", description=__doc__)
    parser.add_argument("command", choices=("check", "shell"))
    parser.add_argument("--release", default="trixie", choices=tuple(RELEASES), help="default: %(default)s")
    options = parser.parse_args()
    commands = {"check": _check, "shell": _shell}
    try:
        with booted(options.release) as host:
            commands[options.command](host)
    except FleetError as exc:
        print(f"fleet: error: {exc}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _check(host: Host) -> None:
    systemd = host.run(["systemctl", "--version"]).stdout.splitlines()[0]
    python = host.run(["python3", "--version"]).stdout.strip()
    say(f"{host.release}: {systemd}, {python}, booted in {host.boot_seconds:.1f} s")


def _shell(host: Host) -> None:
    environment = {**ENVIRONMENT, "TERM": "linux"}
    subprocess.run(inside(host.leader, host.group, ["bash", "--login"]), check=False, env=environment)


if __name__ == "__main__":
    sys.exit(main())
