# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The hunt's own parts: every form of every kind is found, nothing else is, and what was asked for is told apart."""

from __future__ import annotations

import base64
import gzip
import secrets
import subprocess
import sys
import time
from pathlib import Path

import pytest

from . import allowed, report
from .canaries import KINDS, NONCE, PRIVATE_KEY, TOKEN, Book, Canary, made
from .evidence import ARGUMENTS, ENVIRONMENT, HOST_DISK, LEFT, STDOUT, TEMPORARY, Evidence, Found
from .hunt import Result, Row
from .plants import plant
from .search import Finder
from .watch import Watch


@pytest.fixture
def evidence(tmp_path: Path) -> Evidence:
    """Nothing so far."""
    return Evidence(tmp_path / "evidence")


def found(evidence: Evidence, canaries: list[Canary], folder: Path) -> list[Found]:
    """What a search finds."""
    return evidence.search(canaries, folder)


def test_all_that_is_planted_is_found(evidence: Evidence, tmp_path: Path) -> None:
    planted = plant()
    assert {one.kind for one in planted.canaries} == set(KINDS)
    evidence.add(STDOUT, "planted", planted.text.encode())
    seen = found(evidence, list(planted.canaries), tmp_path)
    assert {one.canary for one in seen} == set(planted.canaries)
    forms = {one.form for one in seen}
    assert forms >= {"plain", "first half", "last half", "URL", "JSON", "XML", "hex", "HEX"}
    assert forms >= {f"base64+{shift}" for shift in range(3)}


@pytest.mark.parametrize("before", range(6))
@pytest.mark.parametrize("after", range(4))
@pytest.mark.parametrize("length", [24, 25, 26])
def test_base64_of_what_surrounds_it(tmp_path: Path, before: int, after: int, length: int) -> None:
    """Wherever it stands in what was encoded, and whatever follows."""
    one = Canary(TOKEN, secrets.token_hex(length)[:length])
    file = tmp_path / "file"
    file.write_bytes(base64.b64encode(b"x" * before + one.value.encode() + b"y" * after))
    assert [hit.canary for hit in Finder([one], tmp_path).search([file])] == [one]


def test_nothing_else_is_found(evidence: Evidence, tmp_path: Path) -> None:
    canaries = [made(kind) for kind in KINDS]
    for number in range(20):
        evidence.add(STDOUT, "others", "\n".join(made(KINDS[number % 7]).value for _each in range(50)).encode())
    evidence.add_tree(LEFT, Path(sys.prefix, "bin"))
    assert evidence.size(LEFT) > 1000
    assert found(evidence, canaries, tmp_path) == []
    assert not (tmp_path / "patterns").exists(), "what the hunt looks for stayed behind"


def test_a_key_of_several_lines(evidence: Evidence, tmp_path: Path) -> None:
    """One line of it is enough; the first one of each key is the same."""
    body = base64.b64encode(secrets.token_bytes(300)).decode()
    lines = [body[start : start + 64] for start in range(0, len(body), 64)]
    book = Book()
    book.add(PRIVATE_KEY, "\n".join(["-----BEGIN PRIVATE KEY-----", *lines, "-----END PRIVATE KEY-----"]))
    evidence.add(STDOUT, "first", lines[0].encode())
    assert found(evidence, book.all(), tmp_path) == []
    evidence.add(STDOUT, "last", lines[-1].encode())
    assert [one.label for one in found(evidence, book.all(), tmp_path)] == ["last"]


def test_files_links_and_packed_ones(evidence: Evidence, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    one = made(NONCE)
    (tree / "packed.gz").write_bytes(gzip.compress(one.value.encode()))
    (tree / "not packed.gz").write_bytes(b"\0\xff" + one.value.encode() + b"\0")
    (tree / "link").symlink_to(tmp_path)
    (tree / "passed").write_text(one.value, encoding="ascii")
    evidence.add_tree(LEFT, tree, "tree", skip=["passed"])
    labels = sorted(seen.label for seen in found(evidence, [one], tmp_path))
    assert labels == ["tree/not packed.gz", "tree/packed.gz (unpacked)"]


def test_a_disk_says_whose_a_byte_is(evidence: Evidence, tmp_path: Path) -> None:
    one, disk = made(TOKEN), tmp_path / "disk"
    disk.write_bytes(b"\0" * 5000 + one.value.encode())
    evidence.add_disk(HOST_DISK, disk, lambda offset: f"block {offset // 4096}")
    assert [seen.label for seen in found(evidence, [one], tmp_path)] == ["block 1"]


def test_the_watch_sees_what_is_there_for_a_moment(evidence: Evidence, tmp_path: Path) -> None:
    folder = tmp_path / "tmp"
    folder.mkdir()
    watch = Watch(evidence, {"tmp": folder})
    argument, variable, content = (made(TOKEN) for _each in range(3))
    moment = folder / "moment"
    moment.write_text(content.value, encoding="ascii")
    command = ["sh", "-c", "read line; :", argument.value]
    with subprocess.Popen(command, env={"SECRET": variable.value}, stdin=subprocess.PIPE):
        # One look may have begun before; the process ends with its input.
        seen_all, give_up = watch.looks + 2, time.monotonic() + 60
        while watch.looks < seen_all and time.monotonic() < give_up:
            time.sleep(0.01)
    moment.unlink()
    watch.close()
    seen = {(one.place, one.canary) for one in found(evidence, [argument, variable, content], tmp_path)}
    assert seen == {(ARGUMENTS, argument), (ENVIRONMENT, variable), (TEMPORARY, content)}
    assert "tmp/moment" in {one.label for one in found(evidence, [content], tmp_path)}


def test_no_secret_in_a_repr() -> None:
    one = made(TOKEN)
    assert one.value not in repr(one)
    assert one.value not in repr(Found(STDOUT, "x", one, "plain"))


def test_what_was_asked_for() -> None:
    """An entry fits its path, place, label and kind, and nothing beside."""
    sink = Found(LEFT, "/sink", made(TOKEN), "plain")
    others = [
        Found(LEFT, "/sink", made(NONCE), "plain"),
        Found(LEFT, "/sink.other", made(TOKEN), "plain"),
        Found(STDOUT, "/sink", made(TOKEN), "plain"),
    ]
    leaks, counts = allowed.sort("module", [sink, *others])
    assert leaks == others
    assert list(counts.values()) == [1]
    assert allowed.sort("lookup", [sink])[0] == [sink]


@pytest.mark.parametrize(
    ("row", "fine"),
    [
        (Row("module", STDOUT, 10, planted=7, planted_found=7), True),
        (Row("module", STDOUT, 10, hits=1, planted=7, planted_found=7), False),
        (Row("module", STDOUT, 10, planted=7, planted_found=6), False),
        (Row("module", STDOUT, 10), False),
    ],
)
def test_the_verdict(row: Row, fine: bool) -> None:
    """A leak, a miss, and a place where nothing was planted: none of them is fine."""
    result = Result(rows=[row])
    assert report.fine({"module": result}) is fine
    result.counts = {allowed.LIST[0]: 0}
    assert not report.fine({"module": result}), "an entry that nothing needed"
    assert any("NEVER MATCHED" in line for line in report.lines({"module": result}, []))


def test_a_leak_is_told_without_the_secret() -> None:
    one = Found(STDOUT, "some play", made(TOKEN), "hex")
    results = {"module": Result(rows=[Row("module", STDOUT, 1, hits=1)], leaks=[one])}
    shown = "\n".join(report.lines(results, ["hosts"])) + str(report.document(results, ["hosts"], 1.0))
    assert "LEAK: module: a token (hex) in stdout: some play, 1 times" in shown
    assert "left out: hosts" in shown
    assert one.canary.value not in shown
