# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The certificates of the unit tests, by name. ``python make_certificates.py`` wrote them; Python 3.9 hosts of the
tests have nothing to make any.
"""

from __future__ import annotations

import ssl
from pathlib import Path

_FOLDER = Path(__file__).with_name("pem")
CA = str(_FOLDER / "ca.pem")
CA_HASH = "fe93100d"  # of its name, as openssl x509 -hash prints it; it stays when make_certificates.py runs
OTHER_CA = str(_FOLDER / "other-ca.pem")
CLIENT = str(_FOLDER / "client.pem")
SERVER = str(_FOLDER / "server.pem")  # for 127.0.0.1, localhost and vault.test
EXPIRED = str(_FOLDER / "expired.pem")  # the same, until 2021
ELSEWHERE = str(_FOLDER / "elsewhere.pem")  # for elsewhere.test


def server_side(certificate: str = SERVER, *, client_ca: str | None = None) -> ssl.SSLContext:
    """A context for a server that shows ``certificate``, and demands one of clients if ``client_ca`` is given."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(certificate)
    if client_ca:
        made.verify_mode = ssl.CERT_REQUIRED
        made.load_verify_locations(client_ca)
    return made
