# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Connection: into a tree that is not booted, by chroot, as whoever builds an image does."""

from __future__ import annotations

import shutil
import subprocess
import typing as t
from pathlib import Path

from ansible.errors import AnsibleFileNotFound
from ansible.plugins.connection import ConnectionBase

DOCUMENTATION = r"""
name: tree
short_description: Runs modules in a tree by chroot
description: With the machine's processes in sight, as image builders have it, and in a network of its own.
options:
  root:
    description: The tree.
    vars: [{name: ansible_host}]
    required: true
  network:
    description: The network namespace, as a path.
    vars: [{name: tree_network}]
    required: true
"""
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
}
ENTER = 'mount --bind /proc "$0/proc" && exec chroot "$0" /bin/sh -c "$1"'


class Connection(ConnectionBase):  # type: ignore[misc]  # Ansible has no types
    """The connection; Ansible finds it by this name."""

    transport = "tree"
    has_pipelining = True

    def _connect(self) -> Connection:
        self._connected = True
        return self

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> tuple[int, bytes, bytes]:
        """Run a command of the tree's shell."""
        super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        alone = ["nsenter", f"--net={self.get_option('network')}", "unshare", "--mount", "--propagation", "private"]
        done = subprocess.run(
            [*alone, "sh", "-euc", ENTER, self.get_option("root"), cmd],
            check=False,
            input=in_data or b"",
            capture_output=True,
            env=ENVIRONMENT,
        )
        return done.returncode, done.stdout, done.stderr

    def put_file(self, in_path: str, out_path: str) -> None:
        """Copy a file into the tree."""
        super().put_file(in_path, out_path)
        if not Path(in_path).exists():
            raise AnsibleFileNotFound(f"{in_path} is not there")
        shutil.copyfile(in_path, self._inside(out_path))

    def fetch_file(self, in_path: str, out_path: str) -> None:
        """Copy a file out of the tree."""
        super().fetch_file(in_path, out_path)
        shutil.copyfile(self._inside(in_path), out_path)

    def close(self) -> None:
        """Nothing stays open."""
        self._connected = False

    def _inside(self, path: str) -> t.Any:
        return Path(self.get_option("root")) / path.lstrip("/")
