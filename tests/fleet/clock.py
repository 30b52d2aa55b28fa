# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A wrong clock for the services of a host, or for one command, by libfaketime.

Linux has one time of day for all processes of a machine, whatever their namespaces. To have libfaketime in all
processes of a host (/etc/ld.so.preload) breaks tools of systemd, whose timers it touches.
"""

from __future__ import annotations

from .host import Host


def environment(host: Host, seconds: int) -> dict[str, str]:
    """The variables that let a program of the host see a clock ``seconds`` ahead, or behind if negative."""
    library = host.run(["sh", "-euc", "echo /usr/lib/*/faketime/libfaketime.so.1"]).stdout.strip()
    # Timeouts are measured by the other clock, and must stay as they are.
    return {"LD_PRELOAD": library, "FAKETIME": f"{seconds:+d}", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


def skew(host: Host, seconds: int) -> None:
    """Let all services that start on the host from now on see a clock ``seconds`` ahead, or behind; 0: the right one.

    Those that run need a restart. Over with the next boot, and not for what ssh or ``Host.run`` starts.
    """
    wrong = environment(host, seconds)
    if seconds == 0:
        host.run(["systemctl", "unset-environment", *wrong])
    else:
        host.run(["systemctl", "set-environment", *(f"{name}={value}" for name, value in wrong.items())])
