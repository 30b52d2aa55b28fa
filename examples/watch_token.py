# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a program is told of a new token at once, to hand it on: inotify of Linux, Python 3.9 or newer, nothing else.

python3 watch_token.py /run/vault-agent/token
"""

from __future__ import annotations

import ctypes
import os
import pathlib
import select
import sys
import time
import typing as t

from read_token import TokenFile

# Linux's sys/inotify.h
IN_CLOSE_WRITE, IN_MOVED_TO, IN_DELETE_SELF, IN_MOVE_SELF = 0x8, 0x80, 0x400, 0x800
LONGEST_WAIT = 60.0  # seconds; what no event tells of is seen by then


def changes(path: str) -> t.Iterator[str]:
    """Yield the token now, and each that replaces it, for ever. Raises OSError where there is no inotify."""
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.inotify_init1(os.O_CLOEXEC)
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), "no inotify")
    # The folder, not the file: the token comes by a new file that takes the name, and a watch stays with the old one.
    folder = os.fsencode(pathlib.Path(path).absolute().parent)
    tokens = TokenFile(path)
    last = ""
    try:
        while True:
            # At each turn, in case the folder is another one by now; of the same folder there is only one watch ever.
            watch = libc.inotify_add_watch(
                descriptor, folder, IN_CLOSE_WRITE | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF
            )
            token = _token(tokens)
            if token and token != last:
                last = token
                yield token
            if select.select([descriptor], [], [], LONGEST_WAIT if watch >= 0 else 1.0)[0]:
                os.read(descriptor, 65536)
    finally:
        os.close(descriptor)


def _token(tokens: TokenFile) -> str:
    try:
        return tokens.token()
    except OSError:
        return ""  # not yet


def main() -> None:
    """Tell of each new token, as the program would hand it on here."""
    for _new in changes(sys.argv[1]):
        print(f"{time.time():.3f} a new token", flush=True)


if __name__ == "__main__":
    main()
