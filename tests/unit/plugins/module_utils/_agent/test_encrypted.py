# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Encrypted sinks: written once, put back, and for the reader whose key was there first."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

import pytest

from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.encrypted import EncryptedFile
from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.sink_options import Encryption
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.errors import LoginError
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.sink import Sink
from ansible_collections.vaultfleet.aws.tests.unit.support import sealed
from ansible_collections.vaultfleet.aws.tests.unit.support.sealed import Reader

TOKEN = "hvs.canary"


@pytest.fixture
def public(tmp_path: Path) -> Path:
    """Where the reader's key is to be."""
    return tmp_path / "reader.json"


@pytest.fixture
def file(tmp_path: Path, public: Path) -> EncryptedFile:
    """A sink that was not written yet."""
    return EncryptedFile(Sink(str(tmp_path / "token")), Encryption(str(public), True, b"aad"))


def held(file: EncryptedFile, reader: Reader) -> str:
    """What the reader finds there."""
    text = Path(file.sink.path).read_text(encoding="ascii")
    return sealed.read(text, reader.private, True, b"aad").decode()


def test_it_holds_what_was_put_there_and_nothing_else(file: EncryptedFile, public: Path) -> None:
    reader = Reader()
    public.write_text(reader.public_file, encoding="ascii")
    assert not file.holds(TOKEN)
    assert not file.holds("")
    file.put(TOKEN)
    assert held(file, reader) == TOKEN
    assert file.holds(TOKEN)
    assert not file.holds("another")
    # A good one for the same reader, but from somebody else.
    Path(file.sink.path).write_text(sealed.write(b"planted", reader.public, True, b"aad"), encoding="ascii")
    assert not file.holds(TOKEN)


def test_the_first_key_counts(file: EncryptedFile, public: Path) -> None:
    first, second = Reader(), Reader()
    public.write_text(first.public_file, encoding="ascii")
    file.put(TOKEN)
    writer = json.loads(Path(file.sink.path).read_text(encoding="ascii"))["curve25519_public_key"]
    public.write_text(second.public_file, encoding="ascii")
    file.put("another")
    public.unlink()
    file.put(TOKEN)
    assert held(file, first) == TOKEN
    assert json.loads(Path(file.sink.path).read_text(encoding="ascii"))["curve25519_public_key"] == writer


def test_a_key_that_is_missing_or_of_no_use_names_sink_and_key(file: EncryptedFile, public: Path) -> None:
    """Until it is mended; nothing is written in the open."""
    zero = json.dumps({"curve25519_public_key": base64.b64encode(bytes(32)).decode()})
    for text, words in (
        (None, "there is no"),
        ("{", "is not JSON"),
        ('{"curve25519_public_key": "?"}', "that is not base64"),
        ('{"curve25519_public_key": "AAAA"}', "of 3 bytes instead of 32"),
        (zero, "nothing would be secret"),
    ):
        if text is not None:
            public.write_text(text, encoding="ascii")
        with pytest.raises(LoginError, match=words) as caught:
            file.put(TOKEN)
        assert str(caught.value).startswith(f"dh_path of {file.sink.path}: ")
        assert str(public) in str(caught.value)
        assert TOKEN not in str(caught.value)
        assert not Path(file.sink.path).exists()
    reader = Reader()
    public.write_text(reader.public_file, encoding="ascii")
    file.put(TOKEN)
    assert held(file, reader) == TOKEN


def test_a_key_that_is_a_fifo_holds_nobody_up(file: EncryptedFile, public: Path) -> None:
    """The reader is another user, who may put there what he likes."""
    os.mkfifo(public)
    with pytest.raises(LoginError, match=r"reader\.json is not a file"):
        file.put(TOKEN)
