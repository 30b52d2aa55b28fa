# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every unit test starts in an empty world: no AWS, no Vault, no proxy, no home of a real user, and short pauses."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.vaultfleet.aws.plugins.module_utils._auth import retry, vault

_PREFIXES = ("AWS_", "VAULT_", "BAO_", "VAULTFLEET_AWS_", "ANSIBLE_HASHI_VAULT_", "SSL_CERT_")
_NAMES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "requests_ca_bundle", "curl_ca_bundle", "boto_config")


@pytest.fixture(autouse=True)
def empty_world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Tests that need a variable set it; nothing of the machine reaches them."""
    for name in list(os.environ):
        if name.startswith(_PREFIXES) or name.lower() in _NAMES:
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    # The machine's store is not a test's to trust, and reading it takes 20 ms a connection.
    monkeypatch.setenv("SSL_CERT_FILE", str(home / "no-certificates.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(home / "no-certificates"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")  # a real instance's service must not answer
    monkeypatch.setattr(retry, "_FIRST_PAUSE", 0.01)
    monkeypatch.setattr(retry, "_LEAST_PAUSE", 0.001)
    monkeypatch.setattr(vault, "_SETTLING", 0.01)
