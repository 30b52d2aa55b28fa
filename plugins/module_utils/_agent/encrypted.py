# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A sink that is encrypted for one reader."""

from __future__ import annotations

from .._auth.errors import LoginError
from .._auth.sink import Sink
from . import peer_keys, sealing
from .sink_options import Encryption
from .sinks import TokenFile


class EncryptedFile(TokenFile):
    """An encrypted sink, with a key pair of its own.

    The reader's key is read when it is first needed, and that one counts from then on, as for Vault Agent: whoever
    swaps the file later gets nothing. A reload or a restart reads it anew.
    """

    def __init__(self, sink: Sink, encryption: Encryption) -> None:
        super().__init__(sink)
        self._encryption = encryption
        self._own = sealing.new_pair()
        self._reader: bytes | None = None
        self._last = ("", "")  # a text, and what it was encrypted to

    def put(self, text: str) -> None:
        """Write ``text`` encrypted, as ``TokenFile.put``. Raises LoginError, too, if the reader's key is of no use."""
        how = self._encryption
        try:
            reader = self._reader or peer_keys.read_public(how.peer_file)
            self._last = (text, sealing.seal(text, reader, self._own, how.derive_key, how.aad))
            self._reader = reader
        except LoginError as e:
            e.what = f"dh_path of {self.sink.path}: {e.what}"
            raise
        except ValueError as e:
            hint = "let the reader make its key pair anew"
            raise LoginError(f"dh_path of {self.sink.path}: {how.peer_file} {e}", hint=hint) from None
        super().put(self._last[1])

    def holds(self, text: str) -> bool:
        """Whether the file holds ``text`` as we encrypted it last, as ``TokenFile.holds``."""
        return self._last[0] == text and super().holds(self._last[1])
