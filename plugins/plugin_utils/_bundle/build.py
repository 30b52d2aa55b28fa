# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bundles, built when there is none yet of the same lock and the same code."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import stat
import typing as t

from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.version import VERSION
from ansible_collections.vaultfleet.aws.plugins.plugin_utils._bundle import archive, contents, core, sbom, wheels
from ansible_collections.vaultfleet.aws.plugins.plugin_utils._bundle.errors import BundleError, explained
from ansible_collections.vaultfleet.aws.plugins.plugin_utils._bundle.files import (
    locked,
    opened,
    remove_leftovers,
    sha256_of,
    write,
)
from ansible_collections.vaultfleet.aws.plugins.plugin_utils._bundle.pins import (
    Lock,
    Pin,
    joined,
    read,
    read_of_templates,
)

_OTHER_DEST = "choose a folder of yours with dest"


@dataclasses.dataclass(frozen=True)
class Bundle:
    """A built bundle. size, unpacked_size: bytes. version: the name of the folder in it, by its content."""

    path: str
    sha256: str
    size: int
    unpacked_size: int
    version: str


@dataclasses.dataclass(frozen=True)
class Wish:
    """What to build. pythons: lines of Python. dest: the folder of bundles. wheelhouse: wheels, or None for the index.

    templates: with what renders templates. dry: build without writing to dest.
    """

    pythons: tuple[str, ...]
    dest: str
    wheelhouse: str | None = None
    templates: bool = False
    dry: bool = False


def cache_folder() -> str:
    """The user's cache folder of this project; it need not be there."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(base, "vaultfleet-aws")


def bundles(wish: Wish) -> tuple[dict[str, Bundle], bool]:
    """Return the bundle of each line of Python, and whether any had to be built. Raises BundleError."""
    locks = [[read(python), *([read_of_templates(python)] if wish.templates else [])] for python in wish.pythons]
    if wish.wheelhouse is not None and not os.path.isdir(wish.wheelhouse):
        raise BundleError(f"wheelhouse: {wish.wheelhouse} is no folder", "give the folder that holds the wheels")
    sources = core.sources()
    with _place(wish):
        made = {parts[0].line: _ensure(parts, sources, wish) for parts in locks}
    return {line: bundle for line, (bundle, _new) in made.items()}, any(new for _bundle, new in made.values())


@contextlib.contextmanager
def _place(wish: Wish) -> t.Iterator[None]:
    """Hold the folder of bundles, made if need be."""
    with contextlib.ExitStack() as stack:
        with _dest_explained(wish):
            if not wish.dry:
                os.makedirs(wish.dest, mode=0o755, exist_ok=True)
            there = os.path.isdir(wish.dest)
            if there and os.stat(wish.dest).st_mode & stat.S_IWOTH:
                raise BundleError(f"dest: everybody may write to {wish.dest}, and hosts run what is there", _OTHER_DEST)
            if not wish.dry:
                stack.enter_context(locked(wish.dest))
                remove_leftovers(wish.dest)
        yield


def _dest_explained(wish: Wish) -> t.ContextManager[None]:
    return explained(f"dest: {wish.dest} cannot be used", _OTHER_DEST)


def _ensure(parts: t.Sequence[Lock], sources: t.Mapping[str, bytes], wish: Wish) -> tuple[Bundle, bool]:
    lock = joined(parts)
    record = os.path.join(wish.dest, f".py{lock.line}-{_key(lock, sources)[:20]}.json")
    with _dest_explained(wish):
        known = _known(record, wish.dest)
    if known is not None:
        return known, False
    found: dict[Pin, str] = {}
    for part in parts:
        if wish.wheelhouse is None:
            found.update(wheels.from_index(part, os.path.join(cache_folder(), "wheels")))
        else:
            found.update(wheels.from_wheelhouse(part, wish.wheelhouse))
    version, files = assemble(lock, found, sources)
    packed = archive.pack(version, files, core.programs(lock.line))
    name = f"vaultfleet-agent-{version}-py{lock.line}.tar.gz"
    bundle = Bundle(
        path=os.path.join(wish.dest, name),
        sha256=hashlib.sha256(packed).hexdigest(),
        size=len(packed),
        unpacked_size=sum(map(len, files.values())),
        version=version,
    )
    if not wish.dry:
        with _dest_explained(wish):
            write(bundle.path, packed)
            write(record, json.dumps({**dataclasses.asdict(bundle), "path": name}).encode())
    return bundle, True


def assemble(lock: Lock, found: t.Mapping[Pin, str], sources: t.Mapping[str, bytes]) -> tuple[str, dict[str, bytes]]:
    """Return the version and all files of a bundle. Raises BundleError."""
    files = {**sources, **core.programs(lock.line), "lock.txt": lock.text.encode()}
    metadata = {}
    for pin, path in found.items():
        kept = contents.read_wheel(path, pin)
        for name, content in kept.items():
            if f"lib/{name}" in files:
                raise BundleError(f"two wheels have a file {name}", "see whether the lock was changed")
            files[f"lib/{name}"] = content
        metadata[pin] = next((text for name, text in kept.items() if name.endswith(".dist-info/METADATA")), b"")
    files["sbom.cdx.json"] = sbom.render(VERSION, metadata)
    version = f"{VERSION}-{_digest(files)[:12]}"
    files["VERSION"] = f"{version}\n".encode()
    return version, files


def _known(record: str, dest: str) -> Bundle | None:
    """The bundle that a record tells of, if it is still there and what it was."""
    try:
        with opened(record) as stream:
            fields = json.load(stream)
        bundle = Bundle(**{**fields, "path": os.path.join(dest, os.path.basename(fields["path"]))})
        return bundle if sha256_of(bundle.path) == bundle.sha256 else None
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def _key(lock: Lock, sources: t.Mapping[str, bytes]) -> str:
    """What a bundle is made of, in short: the lock, our code, and the code that builds."""
    builder = {}
    here = os.path.dirname(os.path.abspath(__file__))
    for name in os.listdir(here):
        if name.endswith(".py"):
            with open(os.path.join(here, name), "rb") as stream:
                builder[name] = stream.read()
    return _digest({**sources, **builder, "line": lock.line.encode(), "lock": lock.text.encode()})


def _digest(files: t.Mapping[str, bytes]) -> str:
    lines = [f"{hashlib.sha256(files[name]).hexdigest()} {name}\n" for name in sorted(files)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()
