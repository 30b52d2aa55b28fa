# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Free ports on loopback."""

from __future__ import annotations

import contextlib
import secrets
import socket
from pathlib import Path

from .errors import StackError

_LOWEST, _ATTEMPTS = 10000, 1000
_GIVEN_AWAY = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_ports(count: int) -> list[int]:
    """``count`` different ports that nobody listens on. Held together until all are known, so that none comes twice.

    Below those that the kernel gives to whoever asks for any one: else a port could be somebody's before its server
    has it, or while that is restarted.
    """
    end = int(_GIVEN_AWAY.read_text(encoding="ascii").split()[0])
    held: list[socket.socket] = []
    with contextlib.ExitStack() as stack:
        for _attempt in range(_ATTEMPTS):
            one = stack.enter_context(socket.socket())
            # Where the kernel gives away nearly all ports, there is nothing better than what it gives.
            wished = secrets.choice(range(_LOWEST, end)) if end > 2 * _LOWEST else 0
            with contextlib.suppress(OSError):
                one.bind(("127.0.0.1", wished))
                held.append(one)
            if len(held) == count:
                return [sock.getsockname()[1] for sock in held]
    raise StackError(f"there are no {count} free ports from {_LOWEST} on")
