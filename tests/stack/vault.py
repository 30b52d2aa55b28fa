# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The OpenBao server: its configuration, start, initialisation and unsealing. Standard library only."""

from __future__ import annotations

import os
import time
import typing as t
from pathlib import Path

from .errors import StackError
from .layout import Layout, write_private
from .processes import Process, running, spawn
from .wire import Answer, call

CONFIG = """\
ui = false
log_level = "info"
api_addr = "https://127.0.0.1:{port}"
cluster_addr = "https://127.0.0.1:{cluster_port}"
plugin_directory = "{vault}/plugins"

storage "raft" {{
  path = "{vault}/raft"
  node_id = "stack"
  performance_multiplier = 1
}}

listener "tcp" {{
  address = "127.0.0.1:{port}"
  cluster_address = "127.0.0.1:{cluster_port}"
  tls_cert_file = "{pki}/server.pem"
  tls_key_file = "{pki}/server-key.pem"
}}

audit "file" "to-file" {{
  options {{
    file_path = "{audit}"
  }}
}}
"""


def write_config(lay: Layout, port: int, cluster_port: int) -> None:
    """Write the server's configuration for these two ports."""
    text = CONFIG.format(port=port, cluster_port=cluster_port, vault=lay.vault, pki=lay.pki, audit=lay.audit)
    write_private(lay.vault / "config.hcl", text)


def start_server(lay: Layout, binary: str) -> Process:
    """Start the server from its configuration; it comes up sealed."""
    env = {"PATH": os.defpath, "HOME": str(lay.vault), "LANG": "C.UTF-8"}
    return spawn(lay.run, "vault", [binary, "server", f"-config={lay.vault}/config.hcl"], lay.log / "vault.log", env)


class Vault(t.NamedTuple):
    """Where the server is, and which CA to trust."""

    address: str
    cafile: str

    def call(
        self,
        method: str,
        path: str,
        body: t.Mapping[str, t.Any] | None = None,
        token: str | None = None,
        namespace: str | None = None,
        timeout: float = 30.0,
    ) -> Answer:
        """One API call below /v1/. Raises OSError where no answer came."""
        headers = {"Content-Type": "application/json", "X-Vault-Request": "true"}
        if token is not None:
            headers["X-Vault-Token"] = token
        if namespace is not None:
            headers["X-Vault-Namespace"] = namespace
        return call(f"{self.address}/v1/{path}", method, body, headers, self.cafile, timeout)

    def must(self, method: str, path: str, body: t.Any = None, token: t.Any = None, namespace: t.Any = None) -> t.Any:
        """The body of a call that has to work. Raises StackError with the server's own words where it does not."""
        answer = self.call(method, path, body, token, namespace)
        if answer.status >= 300:
            raise StackError(f"Vault refused {method} {path} with {answer.status}: {answer.errors}")
        return answer.body


def health(vault: Vault) -> int:
    """The status of sys/health (200 active, 429 standby, 501 not initialised, 503 sealed), 0 without an answer."""
    try:
        return vault.call("GET", "sys/health", timeout=5.0).status
    except OSError:
        return 0


def await_health(vault: Vault, wanted: t.Container[int], process: Process, log: Path, seconds: float = 60.0) -> int:
    """Wait until sys/health answers one of ``wanted``. Raises StackError if the server dies or the time is over."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        status = health(vault)
        if status in wanted:
            return status
        if not running(process):
            raise StackError(f"the Vault server ended; its last words:\n{tail(log)}")
        time.sleep(0.02)
    raise StackError(f"the Vault server was not ready within {seconds:.0f} s (health {health(vault)}); see {log}")


def initialise(vault: Vault, lay: Layout) -> None:
    """Initialise with one key share; the unseal key and the root token go into files for the owner only."""
    made = vault.must("POST", "sys/init", {"secret_shares": 1, "secret_threshold": 1})
    write_private(lay.vault / "unseal-key", made["keys_base64"][0])
    write_private(lay.vault / "root-token", made["root_token"])


def unseal(vault: Vault, lay: Layout) -> None:
    """Unseal with the stored key."""
    vault.must("POST", "sys/unseal", {"key": (lay.vault / "unseal-key").read_text(encoding="ascii")})


def tail(log: Path, lines: int = 8) -> str:
    """The end of a log file."""
    try:
        return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return "(no log)"
