# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the wheels of a lock come from: a folder that the user filled, or the package index, through pip.

Every wheel is checked against the hash in the lock, wherever it comes from. Nothing of it is run.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import typing as t

from ansible_collections.vaultfleet.aws.plugins.plugin_utils._bundle.errors import BundleError, explained
from ansible_collections.vaultfleet.aws.plugins.plugin_utils._bundle.files import locked, remove_leftovers, sha256_of
from ansible_collections.vaultfleet.aws.plugins.plugin_utils._bundle.pins import Lock, Pin

# Only wheels that fit every machine.
PURE = ("--only-binary", ":all:", "--implementation", "py", "--abi", "none", "--platform", "any")
# MarkupSafe has no such wheel; the Python in one for any machine is the same as in all others.
_COMPILED = ("--only-binary", ":all:", "--implementation", "cp", "--platform", "manylinux2014_x86_64")
_PATIENCE = 900  # seconds for pip, all its retries included
_OTHER_WAY = "or give wheelhouse, a folder with the wheels"


def from_wheelhouse(lock: Lock, folder: str) -> dict[Pin, str]:
    """Return the path of each wheel in the user's folder. Raises BundleError that names all that is wrong there."""
    with explained(f"wheelhouse: {folder} cannot be read", "give a folder that holds the wheels"):
        names = sorted(
            name for name in os.listdir(folder) if name.endswith(".whl" if lock.compiled else "-none-any.whl")
        )
    found: dict[Pin, str] = {}
    missing: list[str] = []
    others: list[str] = []
    for pin in lock.pins:
        candidates = [os.path.join(folder, name) for name in names if _is_of(name, pin)]
        with explained(f"wheelhouse: the wheel of {pin} cannot be read", "let the user who runs Ansible read it"):
            right = [path for path in candidates if sha256_of(path) == pin.sha256]
        if right:
            found[pin] = right[0]
        else:
            (others if candidates else missing).append(str(pin))
    hint = f"fill it with: pip download --require-hashes --no-deps {' '.join(_wanted(lock))}"
    hint += f" --dest {folder} --requirement {lock.path}"
    if others:
        raise BundleError(f"wheelhouse: the hash in the lock is not that of the wheel of {', '.join(others)}", hint)
    if missing:
        raise BundleError(f"wheelhouse: {folder} lacks the wheels of {', '.join(missing)}", hint)
    return found


def from_index(lock: Lock, cache: str) -> dict[Pin, str]:
    """Return the path of each wheel in the cache folder, to which pip fetches what it lacks. Raises BundleError."""
    with explained(f"the cache {cache} cannot be used", "set XDG_CACHE_HOME to a folder of yours"):
        os.makedirs(cache, mode=0o700, exist_ok=True)
        with locked(cache):
            remove_leftovers(cache)
            found = {pin: os.path.join(cache, f"{pin.sha256}.whl") for pin in lock.pins}
            lacking = [pin for pin, path in found.items() if not _is_whole(path, pin)]
            if lacking:
                _fetch(lock, lacking, cache)
    return found


def _wanted(lock: Lock) -> tuple[str, ...]:
    """What pip has to be told to give the wheels of a lock, on whatever machine."""
    kind = (*_COMPILED, "--abi", f"cp{lock.line.replace('.', '')}") if lock.compiled else PURE
    return (*kind, "--python-version", lock.line)


def _is_of(name: str, pin: Pin) -> bool:
    parts = name.split("-")
    return (re.sub(r"[-_.]+", "-", parts[0]).lower(), parts[1]) == (pin.name, pin.version)


def _is_whole(path: str, pin: Pin) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return sha256_of(path) == pin.sha256
    return False


def _fetch(lock: Lock, pins: t.Sequence[Pin], cache: str) -> None:
    folder = tempfile.mkdtemp(prefix=".new.", dir=cache)
    try:
        wanted = os.path.join(folder, "wanted.txt")
        with open(wanted, "w", encoding="utf-8") as stream:
            stream.writelines(f"{pin.name}=={pin.version} --hash=sha256:{pin.sha256}\n" for pin in pins)
        _pip(lock, folder, wanted)
        got = {
            sha256_of(path): path
            for path in (os.path.join(folder, name) for name in os.listdir(folder))
            if path.endswith(".whl")
        }
        for pin in pins:
            if pin.sha256 not in got:
                raise BundleError(
                    f"pip fetched something else than the wheel of {pin}", f"see its settings, {_OTHER_WAY}"
                )
            os.replace(got[pin.sha256], os.path.join(cache, f"{pin.sha256}.whl"))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _pip(lock: Lock, folder: str, wanted: str) -> None:
    line = lock.line
    command = [sys.executable, "-m", "pip", "download", "--no-input", "--no-color", "--progress-bar", "off", "--quiet"]
    command += ["--disable-pip-version-check", "--require-hashes", "--no-deps", *_wanted(lock)]
    command += ["--dest", folder, "--requirement", wanted]
    try:
        done = subprocess.run(
            command,
            check=False,
            cwd=folder,  # which Python searches first
            env={**os.environ, "TMPDIR": folder},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=_PATIENCE,
        )
    except subprocess.TimeoutExpired:
        raise BundleError(
            f"pip did not fetch the wheels for Python {line} within {_PATIENCE} s",
            f"see whether the package index is in reach, {_OTHER_WAY}",
        ) from None
    if done.returncode != 0:
        raise _failure(line, folder, done.stdout)


def _failure(line: str, folder: str, said: str) -> BundleError:
    if "No module named pip" in said:
        return BundleError(
            f"the Python that runs Ansible ({sys.executable}) has no pip to fetch the wheels for Python {line} with",
            f"install pip for it, {_OTHER_WAY}",
        )
    if "No space left on device" in said:
        return BundleError(f"no space is left in {os.path.dirname(folder)}", "free some, or set XDG_CACHE_HOME")
    if "DO NOT MATCH THE HASHES" in said:
        packages = re.findall(r"^ +(\S+)==(\S+) from ", said, re.MULTILINE)
        names = ", ".join(" ".join(package) for package in packages) or "a package"
        return BundleError(
            f"the hash in the lock is not that of what the package index gives for {names}",
            f'do not trust that index: see "pip config list" for which it is, {_OTHER_WAY}',
        )
    last = [text for text in said.splitlines() if text.startswith("ERROR:")] or said.strip().splitlines() or ["nothing"]
    unreachable = re.search(r"^WARNING: Retrying|ConnectionError|SSLError|ProxyError", said, re.MULTILINE)
    words = re.sub(r"//[^/@\s]+@", "//***@", last[-1])[:300]
    return BundleError(
        f"the wheels for Python {line} cannot be had from the package index"
        + (", which is not in reach" if unreachable else "")
        + f": pip says {words!r}",
        f"see to pip's index, proxy and certificate settings, {_OTHER_WAY}",
    )
