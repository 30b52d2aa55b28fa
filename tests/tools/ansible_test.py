# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ansible-test needs of the machine: the real interpreters, and get-pip."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
import urllib.request
from pathlib import Path

from .project import ToolError
from .pythons import TARGETS, Python, find_python

STAND_IN = Path(__file__).with_name("get_pip.py")


def ansible_test_environment(environment: dict[str, str], python: Python) -> dict[str, str]:
    """The variables for ansible-test: real interpreters are on PATH, and no wrappers of them, which it can't use."""
    found = filter(None, map(find_python, TARGETS))
    folders = [str(python.path.parent), *(str(target.path.parent) for target in found)]
    result = dict(environment)
    # The folder of the virtual environment, first on PATH, stays first: ansible-test is there.
    first, *rest = environment["PATH"].split(os.pathsep)
    rest = [folder for folder in rest if Path(folder).name != "shims"]
    result["PATH"] = os.pathsep.join([first, *dict.fromkeys(folders), *rest])
    for name in ("ANSIBLE_COLLECTIONS_PATH", "PYTHONPATH", "VIRTUAL_ENV"):
        result.pop(name, None)
    return result


def provide_get_pip(venv: Path) -> None:
    """Put a stand-in for get-pip in the cache of ansible-test, only if it is missing and out of reach."""
    sources = list(venv.glob("lib/python*/site-packages/ansible_test/_internal/python_requirements.py"))
    setup = list(venv.glob("lib/python*/site-packages/ansible_test/_util/target/setup/requirements.py"))
    if not sources or not setup:
        raise ToolError(f"ansible-test was not found in {venv}; remove that folder and try again")
    address = re.search(r"'(https://[^']+%s[^']*)' % pip_version", setup[0].read_text())
    for version in sorted(set(re.findall(r"\bpip='([\d.]+)'", sources[0].read_text()))):
        wanted = Path.home() / ".ansible" / "test" / "cache" / f"get_pip_{version.replace('.', '_')}.py"
        if wanted.exists() or (address is not None and _in_reach(address[1] % version)):
            continue
        wanted.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=wanted.parent, suffix=".new", delete=False) as fresh:
            fresh.write(STAND_IN.read_bytes())
        # A link, not a rename: what came there meanwhile is not overwritten.
        with contextlib.suppress(FileExistsError):
            os.link(fresh.name, wanted)
        Path(fresh.name).unlink()


def _in_reach(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 (an https address of ansible-test's own)
            return bool(answer.status == 200)
    except OSError:
        return False
