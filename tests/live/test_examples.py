# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbooks in examples, run as they stand."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from tests.live.playbooks import PROJECT, Player
from tests.stack.handle import Stack


@pytest.fixture
def settings(stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What each example asks for; the client's credentials are where the SDK looks."""
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", stack.env["AWS_SHARED_CREDENTIALS_FILE"])
    folder = tmp_path / "app"
    folder.mkdir()
    return {
        "vault_url": stack.env["VAULT_ADDR"],
        "vault_ca_cert": stack.env["VAULT_CACERT"],
        "vault_server_id": stack.env["STACK_HEADER_VALUE"],
        "vault_nonce": secrets.token_hex(16),
        "token_file": str(folder / "token"),
        "demo_folder": str(folder),
    }


def run(player: Player, example: str, settings: dict[str, str]) -> str:
    """Run an example at the highest verbosity that users use, and return what it printed, the recap last."""
    file = player.folder / "settings.json"
    file.write_text(json.dumps(settings), encoding="utf-8")
    playbook = PROJECT / "examples" / example
    done = subprocess.run(
        [sys.executable, "-m", "ansible", "playbook", "-vvv", str(playbook), "--extra-vars", f"@{file}"],
        env={**os.environ, **player.settings()},
        cwd=player.folder,
        capture_output=True,
        check=False,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_iam(stack: Stack, player: Player, settings: dict[str, str]) -> None:
    before = stack.logins("aws")
    shown = run(player, "iam.yml", settings)
    assert stack.logins("aws") == before + 1
    assert "ok=2" in shown
    assert "changed=1" in shown


def test_lookup(stack: Stack, player: Player, settings: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANSIBLE_CALLBACKS_ENABLED", "vaultfleet.aws.vault_aws_tokens")
    before = stack.logins("aws")
    shown = run(player, "lookup.yml", settings)
    assert stack.logins("aws") == before + 1
    assert "User name demo, version 1" in shown
    assert "vault_aws_tokens: 1 logins, 1 hits, 0 renewals, 1 revoked" in shown


def test_ec2(stack: Stack, player: Player, settings: dict[str, str], instance: str) -> None:
    before = stack.logins("aws")
    assert "changed=1" in run(player, "ec2.yml", settings)
    token = Path(settings["token_file"]).read_text(encoding="ascii")
    answer = stack.vault.must("GET", "auth/token/lookup-self", None, token)
    assert answer["data"]["meta"]["role"] == "node"
    again = run(player, "ec2.yml", settings)
    assert "changed=0" in again
    assert stack.logins("aws") == before + 1
    assert token not in again


def test_demo(stack: Stack, player: Player, settings: dict[str, str], instance: str) -> None:
    folder = Path(settings["demo_folder"])
    first = run(player, "demo.yml", settings)
    assert "changed=3" in first
    assert "set header_value to iam_server_id_header_value" in first
    secret = stack.root("GET", "secret/data/demo")["data"]["data"]
    written = folder / "app.ini"
    assert written.read_text(encoding="utf-8").splitlines()[-1] == f"password = {secret['password']}"
    assert written.stat().st_mode & 0o777 == 0o600
    second = run(player, "demo.yml", settings)
    assert "changed=0" in second
    assert "rescued=1" in second
    hidden = [
        secret["password"],
        *((folder / name).read_text().strip() for name in ("iam-token", "ec2-token", "nonce")),
    ]
    assert not [one for one in hidden if one in first + second]
