# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Code on a host, compiled for its Python: the agent's with the packages that it imports, and Ansible."""

from __future__ import annotations

import platform
import re
import sys
from pathlib import Path

from tests.stack.cache import digest

from . import building
from .errors import FleetError
from .host import Bind, Host
from .image import ensure_image
from .releases import Release, find_release

PROJECT = Path(__file__).parents[2]
# botocore and hvac, with all that they import. Their pure Python forms, so that no compiler has a say.
PACKAGES = (
    "botocore",
    "certifi",
    "charset-normalizer",
    "hvac",
    "idna",
    "jmespath",
    "python-dateutil",
    "requests",
    "six",
    "urllib3",
)
BASE = "/opt/vaultfleet-test"
LIBRARY = f"{BASE}/library"
CODE = f"{BASE}/code"
SOURCE = f"{BASE}/source"
UTILS = "ansible_collections/vaultfleet/aws/plugins/module_utils"
ANSIBLE = "/opt/ansible"
# With this, `python3 -m ansible_collections.vaultfleet.aws.plugins.module_utils._agent.cli` runs on the host.
PYTHONPATH = f"{CODE}:{LIBRARY}"

# The host's own Python compiles, in a namespace of ours: hosts see the packages read-only, and would compile each time.
COMPILE = 'mount --bind "$1" "$2/mnt" && exec chroot "$2" python3 -m compileall -q -s /mnt -p "$3" /mnt'


def binds(release: str = "trixie") -> tuple[Bind, ...]:
    """What ``booted`` has to show to a host of this release, for ``install``. Raises FleetError."""
    return Bind(_library(find_release(release)), LIBRARY), Bind(PROJECT / "plugins" / "module_utils", SOURCE)


def install(host: Host) -> None:
    """Put the project's module_utils as they are now onto a host that was booted with ``binds``, and compile them."""
    place = f"{CODE}/{UTILS}"
    copy = 'mkdir -p "$2" && cp -r "$1/." "$2" && find "$2" -name __pycache__ -prune -exec rm -r {} +'
    host.run(["sh", "-euc", copy, "sh", SOURCE, place])
    host.run(["python3", "-m", "compileall", "-q", place])


def ansible(release: str) -> Bind:
    """What ``booted`` has to show to a host of this release that runs playbooks itself, at ANSIBLE. Raises FleetError.

    ANSIBLE/bin on PATH and ANSIBLE on PYTHONPATH make the programs work.
    """
    found = find_release(release)
    line = found.python.replace(".", "")
    machine = platform.machine()
    fit = [f"--abi={abi}" for abi in (f"cp{line}", "abi3", "none")]
    fit += [f"--platform=manylinux{glibc}_{machine}" for glibc in ("_2_34", "_2_28", "_2_17", "2014")]
    lock = (PROJECT / "tests" / "requirements" / "ansible.txt").read_text(encoding="utf-8")
    return Bind(_tree("ansible", found, lock, ["--implementation=cp", *fit, "--platform=any"], ANSIBLE), ANSIBLE)


def _library(release: Release) -> Path:
    lock = _needed((PROJECT / "tests" / "requirements" / release.lock).read_text(encoding="utf-8"))
    return _tree("library", release, lock, ["--implementation=py", "--abi=none", "--platform=any"], LIBRARY)


def _tree(name: str, release: Release, lock: str, fit: list[str], target: str) -> Path:
    """The packages of a lock, from the cache; ``fit`` is what pip has to know of the host's Python beside its line."""
    image = ensure_image(release.name)
    place = f"fleet-{name}-{release.name}-{digest(lock, image.name, COMPILE, target)}"
    what = f"Debian {release.name}: packages for Python {release.python}"
    return building.kept(place, what, lambda folder: _build(release, lock, fit, image, folder, target))


def _needed(lock: str) -> str:
    """The part of a lock that is about PACKAGES."""
    blocks = re.findall(r"^\S+==[^\n]*(?:\n +[^\n]*)*", lock, re.MULTILINE)
    found = {block.partition("==")[0]: block for block in blocks}
    missing = [name for name in PACKAGES if name not in found]
    if missing:
        raise FleetError(f"the lock for the host's Python does not hold {', '.join(missing)}")
    return "".join(f"{found[name]}\n" for name in PACKAGES)


def _build(release: Release, lock: str, fit: list[str], image: Path, folder: Path, target: str) -> None:
    wanted = folder.with_name("requirements.txt")
    wanted.write_text(lock, encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install", "--no-input"]
    pip += ["--no-deps", "--no-compile", "--require-hashes", "--only-binary", ":all:"]
    pip += ["--python-version", release.python, *fit]
    building.run(
        [*pip, "--target", str(folder), "--requirement", str(wanted)],
        "could not install packages (is the package index there?)",
    )
    for program in folder.glob("bin/*"):  # pip's are for the Python that pip runs with
        text = program.read_text(encoding="utf-8")
        program.write_text(f"#!/usr/bin/python3\n{text.partition(chr(10))[2]}", encoding="utf-8")
    alone = ["unshare", "--mount", "--propagation", "private", "sh", "-euc", COMPILE, "sh"]
    building.run([*alone, str(folder), str(image), target], "could not compile packages with the host's Python")
