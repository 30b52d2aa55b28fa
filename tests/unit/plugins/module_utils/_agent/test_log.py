# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The agent's log: one event a line in each format, no secret, no library's voice, and no fault of its own."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

from ansible_collections.vaultfleet.aws.plugins.module_utils._agent import log as module
from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.log import Log

TOKEN = "hvs.CAESIcanarycanarycanarycanary"
FORGED = "a\n<0>b\r\x1b[31m\u2028\ud800"


def said(format: str, level: str, message: str, **fields: t.Any) -> str:  # noqa: A002
    stream = io.StringIO()
    Log("trace", format, stream, {}).say(level, message, **fields)
    return stream.getvalue()


def test_a_line_for_people() -> None:
    line = said("standard", "info", "logged in", ttl=60, role="web", renewable=True, path="/a b", none=None, empty="")
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z \[INFO\]  agent: logged in ttl=60 role=web renewable=true"
        r' path="/a b" none=null empty=""\n',
        line,
    )


@pytest.mark.parametrize(
    ("level", "shown"),
    [
        ("trace", "[TRACE] a"),
        ("debug", "[DEBUG] a"),
        ("info", "[INFO]  a"),
        ("warn", "[WARN]  a"),
        ("error", "[ERROR] a"),
    ],
)
def test_levels_stand_in_columns(level: str, shown: str) -> None:
    assert f" {shown}gent: x\n" in said("standard", level, "x")


def test_a_line_for_programs() -> None:
    event = json.loads(said("json", "warn", "slow", seconds=1.5, many=float("inf"), path=Path("/x"), note="ü\n"))
    stamp = event.pop("@timestamp")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", stamp)
    assert event == {
        "@level": "warn",
        "@message": "slow",
        "@module": "agent",
        "seconds": 1.5,
        "many": "inf",
        "path": "/x",
        "note": "ü\n",
    }


@pytest.mark.parametrize("format", ["standard", "json"])
def test_nothing_forges_a_line(format: str) -> None:  # noqa: A002
    line = said(format, "info", FORGED, value=FORGED)
    assert line.endswith("\n")
    assert line[:-1].isprintable()
    line.encode()


@pytest.mark.parametrize("format", ["standard", "json"])
def test_what_looks_like_a_token_is_masked(format: str) -> None:  # noqa: A002
    line = said(format, "error", f"server said {TOKEN}", value=TOKEN, error=ValueError(TOKEN))
    assert "canary" not in line
    assert line.count("********") == 3


@pytest.mark.parametrize(
    ("threshold", "heard"),
    [("trace", 5), ("debug", 4), ("info", 3), ("warn", 2), ("error", 1)],
)
def test_the_threshold(threshold: str, heard: int) -> None:
    stream = io.StringIO()
    log = Log(threshold, "standard", stream, {})
    for level in ("trace", "debug", "info", "warn", "error"):
        log.say(level, "x")
    assert len(stream.getvalue().splitlines()) == heard


def journal(stream: t.TextIO) -> dict[str, str]:
    found = os.fstat(stream.fileno())
    return {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"}


def test_the_journal_gets_priorities_and_no_time(tmp_path: Path) -> None:
    file = tmp_path / "journal"
    with file.open("w") as stream:
        log = Log("trace", "standard", stream, journal(stream))
        for level in ("trace", "debug", "info", "warn", "error"):
            log.say(level, "x", n=1)
        Log("info", "json", stream, journal(stream)).say("error", "y")
    *lines, last = file.read_text().splitlines()
    assert lines == [f"<{priority}>agent: x n=1" for priority in (7, 7, 6, 4, 3)]
    assert last.startswith("<3>")
    assert json.loads(last[3:])["@message"] == "y"


def test_a_stream_that_is_not_the_journals_gets_the_time(tmp_path: Path) -> None:
    file = tmp_path / "log"
    with file.open("w") as stream, (tmp_path / "other").open("w") as other:
        Log("info", "standard", stream, journal(other)).say("info", "x")
    assert file.read_text().startswith("2")


def test_a_pipe_that_nobody_reads_is_no_fault() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stream:
        Log("info", "standard", stream, {}).say("info", "x")


def test_a_full_disk_is_no_fault() -> None:
    with Path("/dev/full").open("w") as stream:
        Log("info", "json", stream, {}).say("info", "x")


def test_a_closed_stream_is_no_fault(tmp_path: Path) -> None:
    stream = (tmp_path / "log").open("w")
    log = Log("info", "standard", stream, {})
    stream.close()
    log.say("info", "x")


PROGRAM = """
import logging, sys, warnings
from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.log import Log, silence_libraries
if sys.argv[1] == "silent":
    silence_libraries()
logging.getLogger("urllib3.connectionpool").warning("canary of urllib3")
warnings.warn("canary of Python")
logging.basicConfig(level=logging.DEBUG)
logging.getLogger("botocore.auth").debug("canary of botocore")
Log("trace", "standard", sys.stderr, {}).say("info", "ours")
"""


@pytest.mark.parametrize(("how", "canaries"), [("silent", 0), ("loud", 3)])
def test_libraries_stay_quiet(how: str, canaries: int) -> None:
    root = next(path for path in Path(module.__file__).parents if path.name == "ansible_collections").parent
    ended = subprocess.run(
        [sys.executable, "-W", "default", "-c", PROGRAM, how],
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(re.findall("canary of (?:urllib3|Python|botocore)\n", ended.stderr)) >= canaries
    assert ended.stderr.endswith("agent: ours\n")
    if not canaries:
        assert len(ended.stderr.splitlines()) == 1
