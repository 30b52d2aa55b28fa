# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What makes a login another one, and what does not."""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

import pytest

from ansible_collections.vaultfleet.aws.plugins.plugin_utils import _hit, _shared
from ansible_collections.vaultfleet.aws.tests.unit.plugins.plugin_utils.fakes import wish

URL = "https://vault.example.test:8200"


def key(**changes: t.Any) -> str:
    return _shared._key(wish(changes.pop("url", URL), **changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"url": "https://other.example.test:8200"},
        {"namespace": "team"},
        {"mount_path": "aws-open"},
        {"role": "db"},
        {"type": "ec2", "access_key": None, "secret_key": None, "nonce": "0123456789abcdef"},
        {"region": "eu-central-1"},
        {"sts_endpoint": "regional"},
        {"header_value": "vault.example.test"},
        {"access_key": "AKIAANOTHER"},
        {"secret_key": "another-secret-key-1"},
        {"session_token": "session-token-of-it"},
        {"access_key": None, "secret_key": None, "profile": "other"},
        {"assume_role_arn": "arn:aws:iam::123456789012:role/app"},
        {"validate_certs": False},
        {"tls_server_name": "other.example.test"},
        {"revoke": False},
    ],
    ids="-".join,
)
def test_another_login(changes: dict[str, t.Any]) -> None:
    assert key(**changes) != key()


@pytest.mark.parametrize(
    "changes",
    [
        {"timeout": 60},
        {"retries": 9},
        {"proxies": "http://proxy.example.test:3128"},
        {"min_ttl": 5},
        {"check_interval": 0},
        {"patience": 5},
        {"mount_path": "auth/aws/"},
        {"role": "WEB"},
        {"url": f"{URL}/"},
    ],
    ids="-".join,
)
def test_the_same_login(changes: dict[str, t.Any]) -> None:
    assert key(**changes) == key()


@pytest.mark.parametrize(
    "name", ["AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_REGION", "AWS_ROLE_ARN", "AWS_CONTAINER_CREDENTIALS_FULL_URI"]
)
def test_variables_of_the_sdk(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = key()
    monkeypatch.setenv(name, "other")
    assert key() != before
    monkeypatch.delenv(name)
    assert key() == before


def test_other_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    before = key()
    monkeypatch.setenv("EDITOR", "other")
    assert key() == before


@pytest.mark.parametrize("name", [*_hit.CREDENTIAL_FILES])
def test_files_of_the_sdk(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "file"
    monkeypatch.setenv(name, str(file))
    keys = [key()]
    file.write_text("one")
    keys.append(key())
    times = file.stat()
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns + 1))
    keys.append(key())
    fresh = tmp_path / "fresh"
    fresh.write_text("one")
    os.utime(fresh, ns=(times.st_atime_ns, times.st_mtime_ns + 1))
    fresh.rename(file)  # another inode of the same times
    keys.append(key())
    assert len(set(keys)) == 4


@pytest.mark.parametrize("path", [".aws/config", ".aws/credentials", ".boto"])
def test_files_in_their_usual_place(path: str, tmp_path: Path) -> None:
    before = key()
    file = tmp_path / "home" / path
    file.parent.mkdir(exist_ok=True)
    file.touch()
    assert key() != before


def test_user(monkeypatch: pytest.MonkeyPatch) -> None:
    before = key()
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    assert key() != before


def test_no_secret_in_the_name() -> None:
    assert set(key()) <= set("0123456789abcdef")
