# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The AWS auth method as a plugin binary, built once for each content of its sources."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from .cache import cache_root, cached, digest
from .errors import StackError
from .packages import environment
from .progress import say, step

SOURCES = Path(__file__).parent / "aws-auth-plugin"
OLDEST_GO = (1, 22)


def plugin_binary() -> Path:
    """The plugin's path, built if the cache does not have it. Raises StackError when the build fails."""
    sources = [(SOURCES / name).read_bytes() for name in ("main.go", "go.mod", "go.sum")]
    name = f"aws-auth-plugin-{digest(platform.system(), platform.machine(), *sources)}"
    if not (cache_root() / f"{name}.ok").exists():
        say("aws auth plugin: not in the cache; downloading its modules and building it takes a few minutes")
    return cached(name, _build) / "aws"


def _build(folder: Path) -> None:
    go = _system_go()
    # The chosen Go must not fetch another one, and the build must not look at the tree it lies in.
    env = {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly", "CGO_ENABLED": "0", "GOWORK": "off"}
    if go is not None:
        _compile(go, folder, env)
        return
    # Nobody who has no Go wants a gigabyte of its caches at home: they go when the build is done.
    with tempfile.TemporaryDirectory(prefix="go.", dir=folder.parent) as caches:
        env["GOFLAGS"] += " -modcacherw"
        _compile(
            _packaged_go(),
            folder,
            {**env, "GOPATH": f"{caches}/path", "GOCACHE": f"{caches}/build", "XDG_CONFIG_HOME": caches},
        )


def _compile(go: str, folder: Path, env: dict[str, str]) -> None:
    with step("aws auth plugin: modules downloaded"):
        _go([go, "mod", "download"], env)
    with step("aws auth plugin: built"):
        _go([go, "build", "-buildvcs=false", "-trimpath", "-ldflags", "-s -w", "-o", str(folder / "aws"), "."], env)


def _go(command: list[str], env: dict[str, str]) -> None:
    done = subprocess.run(
        command, cwd=SOURCES, env=env, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    if done.returncode != 0:
        raise StackError(
            f"'go {' '.join(command[1:3])}' failed for the AWS auth plugin:\n{done.stderr.strip()[-2000:]}"
        )


def _system_go() -> str | None:
    go = shutil.which("go")
    if go is None:
        return None
    env = {**os.environ, "GOTOOLCHAIN": "local"}
    done = subprocess.run(
        [go, "env", "GOVERSION"], env=env, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    found = re.match(r"go(\d+)\.(\d+)", done.stdout)
    if done.returncode != 0 or found is None or (int(found[1]), int(found[2])) < OLDEST_GO:
        return None
    return go


def _packaged_go() -> str:
    folder = environment("requirements-go.txt", "Go tool chain")
    return str(folder / "bin" / "go")
