# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How an application uses the token that an agent keeps fresh in a file: Python 3.9 or newer, nothing else.

It reads a secret again and again, and tells whenever the token was replaced:

    VAULT_ADDR=https://vault.example.org:8200 python3 read_token.py /run/vault-agent/token secret/data/app
"""

from __future__ import annotations

import json
import os
import pathlib
import ssl
import sys
import time
import typing as t
import urllib.error
import urllib.request


class TokenFile:
    """The token in a file that is replaced, whole, by another one from time to time."""

    def __init__(self, path: str) -> None:
        self._path = pathlib.Path(path)
        self._seen: tuple[int, ...] = ()
        self._token = ""

    def token(self) -> str:
        """Return the token; the file is read only if it is another one than at the last call.

        While there is no file, or an empty one, the last token goes on. Raises OSError if there was none yet.
        """
        try:
            if self._stamp(self._path.stat()) != self._seen:
                self._read()
        except OSError:
            if not self._token:
                raise
        return self._token

    def _read(self) -> None:
        # Opened anew, as an open file stays the old one for ever; what was opened is whole, whatever happens meanwhile.
        with self._path.open(encoding="ascii") as file:
            text, stamp = file.read().strip(), self._stamp(os.fstat(file.fileno()))
        if not text:
            raise FileNotFoundError(f"there is no token in {self._path} yet")
        self._token, self._seen = text, stamp

    @staticmethod
    def _stamp(found: os.stat_result) -> tuple[int, ...]:
        return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size


def read_secret(tokens: TokenFile, path: str) -> dict[str, t.Any]:
    """Return the server's answer for ``path``. Raises urllib.error.HTTPError, and OSError if there is no token."""
    token = tokens.token()
    try:
        return _get(path, token)
    except urllib.error.HTTPError as e:
        # The token may have been replaced after it was read. If it was not, asking again would not help.
        if e.code != 403 or tokens.token() == token:
            raise
    return _get(path, tokens.token())


def _get(path: str, token: str) -> dict[str, t.Any]:
    request = urllib.request.Request(f"{os.environ['VAULT_ADDR']}/v1/{path}", headers={"X-Vault-Token": token})
    trusted = ssl.create_default_context(cafile=os.environ.get("VAULT_CACERT"))
    with urllib.request.urlopen(request, timeout=10, context=trusted) as answer:
        return t.cast("dict[str, t.Any]", json.load(answer))


def main() -> None:
    """Read the secret five times a second."""
    file, path = sys.argv[1:]
    tokens = TokenFile(file)
    last = ""
    while True:
        answer = read_secret(tokens, path)
        if tokens.token() != last:
            last = tokens.token()
            print(f"{time.time():.3f} a new token; the secret has {sorted(answer['data'])}", flush=True)
        time.sleep(0.2)


if __name__ == "__main__":
    main()
