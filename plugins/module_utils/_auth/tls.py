# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""TLS as the options say, with errors that name the option."""

from __future__ import annotations

import os
import ssl
import typing as t

from .config import VaultConnection
from .errors import ConfigError
from .lib_hvac import urllib3

_FILES = ("ca_cert", "ca_path", "client_cert", "client_key")


def context(connection: VaultConnection) -> ssl.SSLContext:
    """Return the TLS context for ``connection``; without ca_cert and ca_path it trusts the system's store.

    Raises ConfigError for a file that is no certificate or key.
    """
    # Not create_default_context: its strict mode (Python 3.13) refuses many a company's CA that Vault's clients accept.
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if not connection.validate_certs:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    elif connection.ca_cert or connection.ca_path:
        # As with Vault's clients (Go), an intermediate or the server's own certificate can be what is trusted.
        made.verify_flags |= getattr(ssl, "VERIFY_X509_PARTIAL_CHAIN", 0x80000)
        _load(
            "ca_cert" if connection.ca_cert else "ca_path",
            "give a file of CA certificates in PEM form",
            lambda: made.load_verify_locations(cafile=connection.ca_cert, capath=connection.ca_path),
        )
    else:
        made.load_default_certs()
    if t.cast(t.Any, urllib3).__version__.startswith("1."):
        # It compares the certificate's name itself, and cannot let the context do it for an IP address.
        made.check_hostname = False
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    if connection.client_cert:
        _load(
            "client_key" if connection.client_key else "client_cert",
            "give a certificate and its key in PEM form, the key without a passphrase",
            # An encrypted key must not make OpenSSL ask at a terminal.
            lambda: made.load_cert_chain(str(connection.client_cert), connection.client_key, password=lambda: b""),
        )
    return made


def fingerprint(connection: VaultConnection) -> tuple[object, ...]:
    """Something that differs once a file behind the context was changed or replaced."""
    seen: list[object] = []
    for name in _FILES:
        path = getattr(connection, name)
        try:
            stat = os.stat(path) if path else None
        except OSError:
            stat = None
        seen.append(stat and (stat.st_ino, stat.st_mtime_ns, stat.st_size))
    return tuple(seen)


def _load(option: str, hint: str, load: t.Callable[[], None]) -> None:
    try:
        load()
    except (OSError, ValueError) as e:  # ssl.SSLError is an OSError
        reason = getattr(e, "reason", None) or getattr(e, "strerror", None) or type(e).__name__
        raise ConfigError(option, f"cannot be loaded: {reason}", hint=hint) from None
