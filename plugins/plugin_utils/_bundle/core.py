# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a bundle holds of this collection: auth core, agent, the login command, and what starts them."""

from __future__ import annotations

import os

from ansible_collections.vaultfleet.aws.plugins.plugin_utils._bundle.errors import BundleError, explained

_PLUGINS = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_LICENSE = os.path.join(os.path.dirname(_PLUGINS), "LICENSE")
_PACKAGES = ("_agent", "_auth", "_cli", "_agent/templates")
# Each program, and the package that it is the command line of.
_PROGRAMS = {"bin/vaultfleet-agent": "_agent", "bin/vault-aws-login": "_cli"}
_AGAIN = "install the collection again"

_HEADER = """\
# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""
_PACKAGE = _HEADER + '"""The agent of the Ansible collection vaultfleet.aws."""\n'
# Any Python can read this, so that one that is too old can say so.
_LAUNCHER = (
    "#!/usr/bin/env -S python3 -I\n"
    + _HEADER
    + '''\
"""A program of this bundle: PYTHON -I {program}"""

import os
import sys

if sys.version_info < (3, {minor}):
    sys.exit(
        "error: this bundle needs Python 3.{minor} or newer, and %s is Python %d.%d"
        " -- start it with a newer Python, or install the bundle for that one"
        % ((sys.executable,) + tuple(sys.version_info[:2]))
    )
here = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
library = os.path.dirname(os.__file__)
own = (library, os.path.join(library, "lib-dynload"))
# Nothing but this bundle and Python itself: packages of the host have no say.
sys.path[:] = [os.path.join(here, "lib")] + [path for path in sys.path if path in own]
sys.dont_write_bytecode = True  # the folder stays as it was unpacked

from vaultfleet_agent.{package}.cli import main

sys.exit(main())
'''
)


def programs(line: str) -> dict[str, bytes]:
    """The programs of a bundle by their path, for Python ``line`` or newer."""
    minor = line.partition(".")[2]
    return {
        program: _LAUNCHER.replace("{minor}", minor)
        .replace("{program}", program)
        .replace("{package}", package)
        .encode()
        for program, package in _PROGRAMS.items()
    }


def sources() -> dict[str, bytes]:
    """The collection's own files of a bundle, by their path. Raises BundleError if they cannot be read."""
    found = {"lib/vaultfleet_agent/__init__.py": _PACKAGE.encode(), "LICENSE": _read(_LICENSE)}
    for package in _PACKAGES:
        folder = os.path.join(_PLUGINS, "module_utils", package)
        for name in sorted(_python_files(folder)):
            found[f"lib/vaultfleet_agent/{package}/{name}"] = _read(os.path.join(folder, name))
    return found


def _python_files(folder: str) -> list[str]:
    with explained(f"{folder} cannot be read", _AGAIN):
        names = [name for name in os.listdir(folder) if name.endswith(".py")]
    if "__init__.py" not in names:
        raise BundleError(f"{folder} is not whole", _AGAIN)
    return names


def _read(path: str) -> bytes:
    with explained(f"{path} cannot be read", _AGAIN), open(path, "rb") as stream:
        return stream.read()
