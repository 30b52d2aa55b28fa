# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The example of a reader: no torn token however often the file is replaced, and what it does when it is refused."""

from __future__ import annotations

import importlib.util
import os
import re
import threading
import types
import typing as t
import urllib.error
from pathlib import Path

import pytest

from ansible_collections.vaultfleet.aws.tests.unit.support.web import Reply, Seen, Web

PROJECT = Path(__file__).parents[3]
GUIDE = PROJECT / "docs" / "docsite" / "rst" / "guide_reading_the_token.rst"
EXAMPLES = ("read_token.py", "read_token_hvac.py")


def example() -> types.ModuleType:
    """The example as a module."""
    spec = importlib.util.spec_from_file_location("read_token", PROJECT / "examples" / "read_token.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


EXAMPLE = example()


def put(file: Path, token: str) -> None:
    """Replace the token as the agent does."""
    new = file.with_name("new")
    new.write_text(token, encoding="ascii")
    new.replace(file)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file with a token."""
    path = tmp_path / "token"
    put(path, "first")
    return path


def test_never_torn(file: Path) -> None:
    """Thousands of tokens of different lengths: each read is one of them, whole, and never an older one than before."""
    over = threading.Event()

    def replace() -> None:
        for number in range(3000):
            put(file, f"{number}." + "x" * (number % 700))
        over.set()

    tokens = EXAMPLE.TokenFile(str(file))
    assert tokens.token() == "first"
    thread = threading.Thread(target=replace)
    thread.start()
    last, seen = -1, 0
    while not over.is_set():
        token = tokens.token()
        if token == "first":
            continue
        number, _dot, rest = token.partition(".")
        assert rest == "x" * (int(number) % 700)
        assert int(number) >= last
        seen += int(number) > last
        last = int(number)
    thread.join()
    assert tokens.token().startswith("2999.")
    assert seen > 10


def test_it_reads_only_what_is_new(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = EXAMPLE.TokenFile(str(file))
    opened: list[object] = []
    original = Path.open

    def counted(path: Path, *args: t.Any, **kwargs: t.Any) -> t.Any:
        opened.append(path)
        return original(path, *args, **kwargs)

    monkeypatch.setattr(Path, "open", counted)
    assert [tokens.token() for _time in range(3)] == ["first"] * 3
    assert len(opened) == 1


@pytest.mark.parametrize("trouble", ["gone", "empty"])
def test_the_last_token_goes_on(file: Path, trouble: str) -> None:
    """While there is none; without any, that is an error."""
    tokens = EXAMPLE.TokenFile(str(file))
    assert tokens.token() == "first"
    if trouble == "gone":
        file.unlink()
    else:
        put(file, "")
    assert tokens.token() == "first"
    with pytest.raises(FileNotFoundError):
        EXAMPLE.TokenFile(str(file)).token()
    put(file, "second")
    assert tokens.token() == "second"


def secret(monkeypatch: pytest.MonkeyPatch, web: Web, tokens: t.Any) -> t.Any:
    """The example's answer of that server."""
    monkeypatch.setenv("VAULT_ADDR", web.url)
    return EXAMPLE.read_secret(tokens, "secret/data/app")


def test_replaced_in_the_meantime(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal of the old token is followed by one request with the new one."""

    def answer(seen: Seen) -> Reply:
        if seen.headers["x-vault-token"] == "first":
            put(file, "second")
            return Reply(403, {"errors": ["permission denied"]})
        return Reply(body={"data": {}})

    with Web(answer) as web:
        assert secret(monkeypatch, web, EXAMPLE.TokenFile(str(file))) == {"data": {}}
    assert [seen.headers["x-vault-token"] for seen in web.seen] == ["first", "second"]
    assert {seen.path for seen in web.seen} == {"/v1/secret/data/app"}


@pytest.mark.parametrize(("status", "replace"), [(403, False), (404, True), (403, True)])
def test_refused(file: Path, monkeypatch: pytest.MonkeyPatch, status: int, replace: bool) -> None:
    """The same token is not tried again, another fault is not either, and a new token only once."""

    def answer(_seen: Seen) -> Reply:
        if replace:
            put(file, f"{os.urandom(8).hex()}")
        return Reply(status, {"errors": ["no"]})

    with Web(answer) as web, pytest.raises(urllib.error.HTTPError) as caught:
        secret(monkeypatch, web, EXAMPLE.TokenFile(str(file)))
    caught.value.close()
    assert len(web.seen) == (2 if (status, replace) == (403, True) else 1)


def test_the_guide_shows_the_examples() -> None:
    """Its blocks of Python stand in the examples, line by line."""
    text = GUIDE.read_text(encoding="utf-8")
    blocks = re.findall(r"\.\. code-block:: python\n\n((?:(?: {4}.*)?\n)+)", text)
    examples = [(PROJECT / "examples" / name).read_text(encoding="utf-8") for name in EXAMPLES]
    assert len(blocks) == 3
    for block in blocks:
        shown = re.sub(r"(?m)^ {4}", "", block).rstrip("\n")
        assert any(shown in example for example in examples), shown
