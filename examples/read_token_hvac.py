# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The same as read_token.py with hvac, for a secret of a KV version 2 engine:

VAULT_ADDR=https://vault.example.org:8200 python3 read_token_hvac.py /run/vault-agent/token secret app
"""

from __future__ import annotations

import os
import sys
import time
import typing as t

import hvac
import hvac.exceptions
from read_token import TokenFile

Answer = t.TypeVar("Answer")


class Vault:
    """A client whose token is that of the file, at every request."""

    def __init__(self, tokens: TokenFile) -> None:
        self._tokens = tokens
        # A token is given, or hvac looks for one of its own in VAULT_TOKEN and ~/.vault-token.
        self._client = hvac.Client(
            url=os.environ["VAULT_ADDR"], token=tokens.token(), verify=os.environ.get("VAULT_CACERT", True)
        )

    def ask(self, request: t.Callable[[hvac.Client], Answer]) -> Answer:
        """Return what ``request(client)`` returns. Raises hvac's exceptions, and OSError if there is no token."""
        self._client.token = token = self._tokens.token()
        try:
            return request(self._client)
        except hvac.exceptions.Forbidden:
            # The token may have been replaced after it was read. If it was not, asking again would not help.
            self._client.token = self._tokens.token()
            if self._client.token == token:
                raise
        return request(self._client)


def main() -> None:
    """Read the secret five times a second, and tell whenever the token was replaced."""
    file, mount, path = sys.argv[1:]
    tokens = TokenFile(file)
    vault = Vault(tokens)
    last = ""
    while True:
        answer = vault.ask(lambda client: client.secrets.kv.v2.read_secret_version(path=path, mount_point=mount))
        if tokens.token() != last:
            last = tokens.token()
            print(f"{time.time():.3f} a new token; the secret has {sorted(answer['data'])}", flush=True)
        time.sleep(0.2)


if __name__ == "__main__":
    main()
