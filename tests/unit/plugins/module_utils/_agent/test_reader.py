# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The readers' commands, ``keygen`` and ``decrypt``: what they print and write, and the codes they end with."""

from __future__ import annotations

import base64
import json
import stat
import sys
import typing as t
from pathlib import Path

import pytest

from ansible_collections.vaultfleet.aws.plugins.module_utils._agent import cli, sealing
from ansible_collections.vaultfleet.aws.tests.unit.support import sealed
from ansible_collections.vaultfleet.aws.tests.unit.support.sealed import Reader

TOKEN = "hvs.canary"
Run = t.Callable[..., "tuple[int, str, str]"]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command in this process: its code, stdout, stderr."""

    def run(*arguments: object) -> tuple[int, str, str]:
        try:
            code = cli.main([str(argument) for argument in arguments])
        except SystemExit as e:
            code = int(str(e.code))
        seen = capsys.readouterr()
        return code, seen.out, seen.err

    return run


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    """Somebody whose private key is in ``key``, for whom ``sink`` holds a token."""
    one = Reader()
    (tmp_path / "key").write_text(one.private_file, encoding="ascii")
    (tmp_path / "sink").write_text(sealed.write(TOKEN.encode(), one.public, False, b""), encoding="ascii")
    return one


def test_keygen(command: Run, tmp_path: Path) -> None:
    """Two files that fit each other; the private one is its owner's alone, and neither is told."""
    private, public = tmp_path / "private", tmp_path / "public"
    assert command("keygen", "--key", private, "--public", public) == (0, "", "")
    assert (stat.S_IMODE(private.stat().st_mode), stat.S_IMODE(public.stat().st_mode)) == (0o600, 0o644)
    keys = json.loads(public.read_text(encoding="ascii"))
    assert list(keys) == ["curve25519_public_key"]
    (tmp_path / "sink").write_text(
        sealing.seal(TOKEN, base64.b64decode(keys["curve25519_public_key"]), sealing.new_pair(), True, b"aad"),
        encoding="ascii",
    )
    found = command("decrypt", "--key", private, "--derive-key", "--aad", "aad", tmp_path / "sink")
    assert found == (0, TOKEN, "")


def test_keygen_replaces_nothing(command: Run, tmp_path: Path) -> None:
    """Neither of two files; and what it cannot write it finds out before it writes anything."""
    there, new = tmp_path / "there", tmp_path / "new"
    there.write_text("mine", encoding="ascii")
    for option, arguments in (
        ("--key", ("--key", there, "--public", new)),
        ("--public", ("--key", new, "--public", there)),
        ("--public", ("--key", new, "--public", new)),
    ):
        code, out, err = command("keygen", *arguments)
        assert (code, out, err.count("\n")) == (1, "", 1)
        assert err.startswith(f"error: {option}: ")
    code, _out, err = command("keygen", "--key", new, "--public", tmp_path / "absent" / "file")
    assert (code, err.count("\n")) == (1, 1)
    assert not new.exists()
    assert there.read_text(encoding="ascii") == "mine"


@pytest.mark.parametrize("private", ["", "{}", '{"curve25519_private_key": "AAAA"}', None])
def test_a_private_key_that_is_none(command: Run, reader: Reader, tmp_path: Path, private: str | None) -> None:
    key = tmp_path / "key"
    key.unlink() if private is None else key.write_text(private, encoding="ascii")
    code, out, err = command("decrypt", "--key", key, tmp_path / "sink")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith("error: --key: ")
    assert str(key) in err
    assert "keygen" in err


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        (None, 3, "there is no"),
        ("", 2, "is not JSON"),
        (TOKEN, 2, "is not JSON"),
        ('{"token":"hvs.canary"}', 2, "has no curve25519_public_key"),
        (sealed.write(TOKEN.encode(), Reader().public, False, b""), 2, "cannot be decrypted"),
    ],
    ids=["missing", "empty", "plain", "wrapped", "for another"],
)
def test_a_sink_that_is_none(
    command: Run, reader: Reader, tmp_path: Path, text: str | None, code: int, words: str
) -> None:
    """One line, which tells nothing of what is there."""
    sink = tmp_path / "sink"
    sink.unlink() if text is None else sink.write_text(text, encoding="ascii")
    found = command("decrypt", "--key", tmp_path / "key", sink)
    assert (found[0], found[1], found[2].count("\n")) == (code, "", 1)
    assert words in found[2]
    assert str(sink) in found[2]
    assert "canary" not in found[2]


def test_the_aad_of_the_environment(
    command: Run, reader: Reader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sink").write_text(sealed.write(b"x", reader.public, False, "für".encode()), encoding="ascii")
    arguments = ("decrypt", "--key", tmp_path / "key", "--aad-env-var", "SINK_AAD", tmp_path / "sink")
    code, out, err = command(*arguments)
    assert (code, out) == (1, "")
    assert "--aad-env-var: SINK_AAD is not set" in err
    monkeypatch.setenv("SINK_AAD", "für")
    assert command(*arguments) == (0, "x", "")
    code, out, err = command(*arguments, "--aad", "für")
    assert (code, out) == (1, "")
    assert "not allowed with" in err


def test_a_terminal_is_shown_the_token_only_if_asked(
    command: Run, reader: Reader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    code, out, err = command("decrypt", "--key", tmp_path / "key", tmp_path / "sink")
    assert (code, out) == (1, "")
    assert "add it, or send the secret to a pipe" in err
    assert command("decrypt", "--key", tmp_path / "key", "--show", tmp_path / "sink") == (0, f"{TOKEN}\n", "")
