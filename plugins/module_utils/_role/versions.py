# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The bundles on a host: each in a folder named by its version, which is whole or not there; agents have links."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import secrets
import shutil
import tarfile
import typing as t

from . import places

_VERSION = r"\d[\w.+-]{0,99}"
_LARGEST = 64 * 1024 * 1024  # bytes, of an archive and of what is in it
_OPEN = 0o755  # agents run from it, each as a user of its own
_NEW, _OLD = ".new-", ".old-"


class VersionError(Exception):
    """What is wrong, and what to do."""


@contextlib.contextmanager
def turn() -> t.Iterator[None]:
    """Let one run at a time change the bundles; the folder for them is made."""
    os.makedirs(places.BUNDLES, mode=_OPEN, exist_ok=True)
    os.chmod(places.BUNDLES, _OPEN)
    descriptor = os.open(places.BUNDLES, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def unpack(archive: str, sha256: str) -> str:
    """Unpack an archive, in one step as others see it, and return its version. Raises VersionError, OSError."""
    _remove_leftovers()
    if _digest(archive) != sha256:
        raise VersionError(
            "the archive is not the one of that SHA-256 -- see vault_agent_bundle_sha256, and what sent it"
        )
    new = f"{places.BUNDLES}/{_NEW}{secrets.token_hex(8)}"
    os.mkdir(new, 0o700)
    try:
        version = _extract(archive, new)
        with open(f"{new}/{version}/{places.ARCHIVE}", "w", encoding="ascii") as file:
            file.write(f"{sha256}\n")
        os.chmod(file.name, 0o644)
        os.sync()  # else a crash may leave the name without the content
        place = f"{places.BUNDLES}/{version}"
        if os.path.lexists(place):  # of another archive, or damaged
            os.rename(place, f"{places.BUNDLES}/{_OLD}{secrets.token_hex(8)}")
        os.rename(f"{new}/{version}", place)
    finally:
        _remove_leftovers()
    return version


def switch(name: str, version: str) -> None:
    """Have the agent ``name`` run from ``version`` at its next start. Raises VersionError, OSError."""
    if not re.fullmatch(_VERSION, version) or not os.path.isdir(f"{places.BUNDLES}/{version}"):
        raise VersionError(f"there is no bundle {version[:100]} on this host -- run the role again")
    temporary = f"{places.BUNDLES}/{_NEW}{secrets.token_hex(8)}"
    os.symlink(version, temporary)
    os.rename(temporary, places.link(name))


def unlink(name: str) -> bool:
    """Take the agent's link away; False if there was none. Raises OSError."""
    if not os.path.islink(places.link(name)):
        return False
    os.unlink(places.link(name))
    return True


def unused() -> list[str]:
    """The versions that no agent has a link to, and what broken-off runs left."""
    if not os.path.isdir(places.BUNDLES):
        return []
    entries = sorted(os.listdir(places.BUNDLES))
    used = {places.current(entry) for entry in entries}
    ours = [entry for entry in entries if re.fullmatch(_VERSION, entry) or entry.startswith((_NEW, _OLD, places.SENT))]
    return [entry for entry in ours if entry not in used]


def prune(entries: t.Iterable[str]) -> None:
    """Remove ``entries``, as ``unused`` names them. Raises OSError."""
    for entry in entries:
        path = f"{places.BUNDLES}/{entry}"
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        else:
            os.unlink(path)


def leave() -> bool:
    """Remove the folder of bundles if it is empty; whether it was. Raises OSError."""
    if os.listdir(places.BUNDLES):
        return False
    os.rmdir(places.BUNDLES)
    return True


def _remove_leftovers() -> None:
    prune(entry for entry in os.listdir(places.BUNDLES) if entry.startswith((_NEW, _OLD)))


def _digest(path: str) -> str:
    if os.path.getsize(path) > _LARGEST:
        raise VersionError("the archive is too large to be a bundle -- see vault_agent_bundle_src")
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def _extract(archive: str, place: str) -> str:
    """Unpack plain files and folders, all below one folder whose name is a version, and return that."""
    total = 0
    version = ""
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                parts = member.name.split("/")
                version = version or parts[0]
                total += member.size
                plain = member.isreg() or member.isdir()
                if not plain or parts[0] != version or any(part in ("", ".", "..") for part in parts):
                    raise _no_bundle(f"it has {member.name[:100]!r}")
                if total > _LARGEST:
                    raise _no_bundle("it is too large")
                _put(tar, member, f"{place}/{member.name}")
    except (tarfile.TarError, EOFError, ValueError) as e:
        raise _no_bundle(type(e).__name__) from None
    if not re.fullmatch(_VERSION, version) or not os.path.isfile(f"{place}/{version}/bin/vaultfleet-agent"):
        raise _no_bundle("it has no agent")
    return version


def _put(tar: tarfile.TarFile, member: tarfile.TarInfo, path: str) -> None:
    """By hand, since ``extractall`` takes owners and more from the archive, and its filters are too new."""
    if member.isdir():
        os.mkdir(path)
        os.chmod(path, _OPEN)
        return
    source = tar.extractfile(member)
    if source is None:
        raise _no_bundle(f"it has {member.name[:100]!r}")
    with open(path, "xb") as file:
        shutil.copyfileobj(source, file)
    os.chmod(path, _OPEN if member.mode & 0o100 else 0o644)


def _no_bundle(why: str) -> VersionError:
    return VersionError(f"the archive is no bundle of this collection ({why}) -- build it with vault_agent_bundle")
