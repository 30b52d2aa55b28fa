# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the unit hands to the agent: secrets as credentials, and a runtime directory that need not be there yet."""

from __future__ import annotations

import hashlib
import json
import typing as t
from pathlib import Path

import pytest

from ansible_collections.vaultfleet.aws.plugins.module_utils._agent import config, handed


def written(folder: Path, sink: str, **login: t.Any) -> list[str]:
    """A configuration with one sink."""
    path = folder / "agent.json"
    method = {"type": "aws", "config": {"role": "node", **login}}
    auto_auth = {"method": [method], "sink": [{"type": "file", "config": {"path": sink}}]}
    path.write_text(json.dumps({"auto_auth": auto_auth}), encoding="utf-8")
    return [str(path)]


def test_a_nonce_is_taken_without_its_line_break(tmp_path: Path) -> None:
    (tmp_path / "nonce").write_text("one two\n", encoding="utf-8")
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    paths = written(tmp_path, str(tmp_path / "token"), type="ec2")
    assert config.load(paths, environ).login.nonce == "one two"
    assert config.load(paths, {}).login.nonce is None
    (tmp_path / "nonce").unlink()
    assert config.load(paths, environ).login.nonce is None


def test_the_file_beats_the_credential(tmp_path: Path) -> None:
    (tmp_path / "nonce").write_text("handed", encoding="utf-8")
    paths = written(tmp_path, str(tmp_path / "token"), type="ec2", nonce="written")
    assert config.load(paths, {"CREDENTIALS_DIRECTORY": str(tmp_path)}).login.nonce == "written"


def test_an_iam_login_takes_no_nonce(tmp_path: Path) -> None:
    (tmp_path / "nonce").write_text("handed", encoding="utf-8")
    paths = written(tmp_path, str(tmp_path / "token"), type="iam")
    assert config.load(paths, {"CREDENTIALS_DIRECTORY": str(tmp_path)}).login.nonce is None


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "is empty, which would switch off"),
        (b"\xff", "the credential 'nonce' of the unit cannot be read"),
        (b"a\nb", "holds a control character"),
        (b"x" * 5000, "is longer than 128 bytes"),
    ],
)
def test_a_nonce_that_is_none_is_refused_and_not_shown(tmp_path: Path, content: bytes, text: str) -> None:
    (tmp_path / "nonce").write_bytes(content)
    paths = written(tmp_path, str(tmp_path / "token"), type="ec2")
    with pytest.raises(config.ConfigErrors) as caught:
        config.load(paths, {"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert f"auto_auth.method.config.nonce: {text}" in str(caught.value)
    assert "xxx" not in str(caught.value)


def test_aws_keys(tmp_path: Path) -> None:
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert handed.aws_credentials(environ) is None
    (tmp_path / "aws-credentials").touch()
    assert handed.aws_credentials(environ) == str(tmp_path / "aws-credentials")
    assert handed.aws_credentials({}) is None


def test_a_sink_may_be_in_a_runtime_directory_that_comes_with_the_start(tmp_path: Path) -> None:
    runtime = tmp_path / "runtime"
    paths = written(tmp_path, str(runtime / "token"), type="iam")
    (sink,) = config.load(paths, {"RUNTIME_DIRECTORY": f"/run/other:{runtime}"}).sinks
    assert sink.path == str(runtime / "token")
    for environ in ({}, {"RUNTIME_DIRECTORY": str(tmp_path)}):
        with pytest.raises(config.ConfigErrors, match="cannot open the directory"):
            config.load(paths, environ)
    runtime.write_text("no directory", encoding="utf-8")
    with pytest.raises(config.ConfigErrors, match="cannot open the directory"):
        config.load(paths, {"RUNTIME_DIRECTORY": str(runtime)})


def test_which_files_a_configuration_is_of(tmp_path: Path) -> None:
    (path,) = written(tmp_path, str(tmp_path / "token"), type="iam")
    digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    assert config.load([path], {}).sha256 == digest
    assert config.load([path, path], {}).sha256 == f"{digest} {digest}"
