# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""python3 -m tests.fleet.serve --dir DIR: the fleet beside the stack in DIR/stack, until the end of this process.

However that comes: hosts, networks and relays end with it.
"""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from tests.stack.errors import StackError
from tests.stack.handle import Stack

from .errors import FleetError
from .fleet import running
from .place import Place


def main() -> int:
    """Serve; 1 if the fleet could not be had."""
    parser = argparse.ArgumentParser(prog="python3 -m tests.fleet.serve", description=__doc__)
    parser.add_argument("--dir", type=Path, required=True)
    place = Place(parser.parse_args().dir)
    try:
        with running(Stack.load(place.stack), place.hosts):
            signal.pause()
    except (FleetError, StackError) as exc:
        print(f"fleet: error: {exc}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
