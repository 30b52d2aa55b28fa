# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The side of those who read an encrypted sink: their keys, and what the sink holds."""

from __future__ import annotations

import os
import typing as t

from .._auth import sink
from .._auth.errors import ConfigError, LoginError, Retry
from .._auth.sink import Sink
from . import peer_keys, sealing


def keygen(private: str, public: str) -> None:
    """Make a key pair, and write it to two new files: ``private`` for its owner alone, ``public`` for all to read.

    Raises LoginError; a file that is there is never replaced, as what is encrypted for its key could not be read again.
    """
    places = [Sink(os.path.abspath(path), mode) for path, mode in ((private, 0o600), (public, 0o644))]
    if places[0].path == places[1].path:
        raise ConfigError("--public", "is the same file as --key", hint="give each its own")
    for option, place in zip(("--key", "--public"), places):
        if os.path.lexists(place.path):
            raise ConfigError(option, f"{place.path} is there already", hint="give a new file, or remove that one")
        sink.check_writable(place)
    sealing.load()
    pair = sealing.new_pair()
    sink.write(places[0], peer_keys.text_of(peer_keys.PRIVATE, pair.private))
    sink.write(places[1], peer_keys.text_of(peer_keys.PUBLIC, pair.public))


def aad(text: str, variable: str | None, environ: t.Mapping[str, str]) -> bytes:
    """Return the additional data that was given, or that of an environment variable. Raises ConfigError."""
    if variable:
        text = environ.get(variable, "")
        if not text:
            raise ConfigError("--aad-env-var", f"{variable} is not set in the environment", hint="set it")
    return text.encode("utf-8", "surrogateescape")


def decrypt(path: str, key_file: str, aad: bytes, derive_key: bool) -> str:
    """Return what the sink at ``path`` holds. Raises LoginError: a ConfigError if key or options are of no use, a
    transient one if the sink is not there yet, else a permanent one.
    """
    try:
        private = peer_keys.read_private(key_file)
    except LoginError as e:
        raise ConfigError("--key", e.what, hint=e.hint) from None
    path = os.path.abspath(path)
    text = sink.read(path)
    if text is None:
        raise LoginError(f"there is no {path}", hint="see whether the agent runs (its status)", retry=Retry.TRANSIENT)
    sealing.load()
    try:
        return sealing.unseal(text, private, derive_key, aad)
    except ValueError as e:
        raise LoginError(f"{path} {e}", hint="see the sink's keys in the agent's configuration") from None
