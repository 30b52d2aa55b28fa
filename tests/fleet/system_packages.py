# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A release's own Python package that hosts do not have from the start, put onto one and taken away again."""

from __future__ import annotations

import contextlib
import shutil
import typing as t
from pathlib import Path

from tests.stack.cache import digest

from . import building
from .host import Host
from .image import ensure_image
from .releases import find_release

PACKAGE = "python3-cryptography"
PLACE = "usr/lib/python3/dist-packages"
# On a layer over the release's tree, so that the tree stays as it is.
INSTALL = """
mount -t tmpfs none "$2" && mkdir "$2/upper" "$2/work" "$2/host"
mount -t overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" none "$2/host"
cp /etc/resolv.conf "$2/host/etc/resolv.conf"
chroot "$2/host" apt-get -qq update
DEBIAN_FRONTEND=noninteractive chroot "$2/host" apt-get -qq --yes --no-install-recommends install "$4"
cp -r "$2/host/$5/." "$3"
"""


@contextlib.contextmanager
def cryptography(host: Host, release: str) -> t.Iterator[None]:
    """Have the release's own package of that name on the host for as long as the block lasts. Raises FleetError."""
    tree = _tree(find_release(release).name)
    place = Path(f"/proc/{host.leader}/root/{PLACE}")
    before = {entry.name for entry in place.iterdir()} if place.is_dir() else None
    shutil.copytree(tree, place, dirs_exist_ok=True)
    try:
        yield
    finally:
        for entry in list(place.iterdir()):
            if before is None or entry.name not in before:
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        if before is None:
            place.rmdir()


def _tree(release: str) -> Path:
    image = ensure_image(release)
    place = f"fleet-{PACKAGE}-{release}-{digest(image.name, PACKAGE, PLACE, INSTALL)}"
    return building.kept(place, f"Debian {release}: {PACKAGE}", lambda folder: _build(image, folder))


def _build(image: Path, folder: Path) -> None:
    scratch = folder.with_name("scratch")
    scratch.mkdir()
    alone = ["unshare", "--mount", "--propagation", "private", "sh", "-euc", INSTALL, "sh"]
    failure = f"could not install {PACKAGE} (is the mirror in reach?)"
    building.run([*alone, str(image), str(scratch), str(folder), PACKAGE, PLACE], failure)
