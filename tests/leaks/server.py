# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Secrets that the server made or was sent: from an audit log without hashes, which only the hunt has."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

from tests.stack.handle import Stack

from .canaries import NONCE, TOKEN, WRAPPING_TOKEN, Book

DEVICE = """
audit "file" "hunt" {{
  options {{
    file_path = "{path}"
    log_raw = "true"
  }}
}}
"""


class Raw:
    """Everything that the server of ``stack`` is asked and answers from now on, in a file of ``folder``."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self._stack = stack
        self._path = folder / "raw"
        self._read = 0
        config = stack.lay.vault / "config.hcl"
        config.write_text(config.read_text(encoding="utf-8") + DEVICE.format(path=self._path), encoding="utf-8")
        stack.stop_vault()
        stack.start_vault()

    def skip(self) -> None:
        """Pass over what there is."""
        self._read = self._path.stat().st_size

    def enter(self, book: Book) -> None:
        """Enter the tokens and nonces since the last call, all but those of operators."""
        with self._path.open("rb") as stream:
            stream.seek(self._read)
            lines = stream.read().splitlines()
        self.skip()
        root = self._stack.root_token()
        for line in lines:
            entry = json.loads(line)
            answer = entry.get("response") or {}
            auth = answer.get("auth") or {}
            asked = entry.get("request") or {}
            data = asked.get("data") or {}
            of_operator = asked.get("client_token") == root
            _add(book, TOKEN, auth.get("client_token"))
            _add(book, NONCE, (auth.get("metadata") or {}).get("nonce"))
            if not of_operator:
                _add(book, NONCE, data.get("nonce"))
                _add(book, WRAPPING_TOKEN, (answer.get("wrap_info") or {}).get("token"))


def _add(book: Book, kind: str, value: t.Any) -> None:
    if isinstance(value, str) and len(value) >= 12:  # shorter ones are no secrets of ours
        book.add(kind, value)
