# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""OpenBao's own agent, whose sinks have the shapes that ours must have. It logs in with approle, as it has no AWS."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import typing as t
from collections.abc import Iterator
from pathlib import Path

from tests.live.agent.audit import Json
from tests.stack.handle import Stack

_MOUNT = "approle-live"


@contextlib.contextmanager
def written(stack: Stack, folder: Path, sinks: t.Sequence[Json], *, method: Json | None = None) -> Iterator[None]:
    """Have it log in once, write these sinks, and end; its tokens live as long as the block. method: more of its."""
    folder.mkdir(exist_ok=True)
    with contextlib.ExitStack() as after:
        stack.root("POST", f"sys/auth/{_MOUNT}", {"type": "approle"})
        after.callback(stack.root, "DELETE", f"sys/auth/{_MOUNT}")
        role = f"auth/{_MOUNT}/role/live"
        stack.root("POST", role, {"token_ttl": "1h", "token_policies": "default,demo-read"})
        ids = {
            "role": stack.root("GET", f"{role}/role-id")["data"]["role_id"],
            "secret": stack.root("POST", f"{role}/secret-id", {})["data"]["secret_id"],
        }
        for name, value in ids.items():
            (folder / name).write_text(value, encoding="ascii")
        theirs = {f"{name}_id_file_path": str(folder / name) for name in ids}
        config: Json = {
            "exit_after_auth": True,
            "vault": {"address": stack.env["VAULT_ADDR"], "ca_cert": stack.env["VAULT_CACERT"]},
            "auto_auth": {
                "method": [{"type": "approle", "mount_path": f"auth/{_MOUNT}", "config": theirs, **(method or {})}],
                "sink": list(sinks),
            },
        }
        file = folder / "agent.json"
        file.write_text(json.dumps(config), encoding="utf-8")
        command = [stack.env["STACK_BAO"], "agent", "-config", str(file)]
        environ = {**os.environ, "HOME": str(folder)}
        done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        yield
