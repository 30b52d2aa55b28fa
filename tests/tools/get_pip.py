# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A stand-in for get-pip, put in the cache of ansible-test where its download is out of reach.

Takes get-pip's arguments (names and versions of packages to install) and installs them from the package index, with
the pip that Python itself brings along.
"""

from __future__ import annotations

import ensurepip
import runpy
import sys
import sysconfig
from pathlib import Path

# Distributions such as Debian keep the wheels in a folder of their own.
folders = [Path(ensurepip.__file__).parent / "_bundled", Path(sysconfig.get_config_var("WHEEL_PKG_DIR") or "/")]
wheels = [str(wheel) for folder in folders for wheel in folder.glob("pip-*.whl")]
if not wheels:
    sys.exit(f"Python {sys.version.split()[0]} brings no pip along. On Debian: apt-get install python3-venv")
sys.path.insert(0, wheels[0])
# "--no-setuptools" and "--no-wheel" are get-pip's own.
sys.argv = ["pip", "install", *(argument for argument in sys.argv[1:] if not argument.startswith("--no-"))]
runpy.run_module("pip", run_name="__main__", alter_sys=True)
