# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a rendering goes, and what runs after it."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

import pytest

from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.templates import command
from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.templates.command import CommandError
from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.templates.place import Destination
from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.templates.settings import Template
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.errors import SinkError
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.sink import Sink


def test_a_file_that_is_right_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "file"
    place = Destination(Template("", Sink(str(path), 0o640), "key"))
    assert place.put("text")
    number = path.stat().st_ino
    assert not place.put("text")
    assert path.stat().st_ino == number
    path.chmod(0o600)
    assert place.put("text")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    big = "x" * 200_000
    assert place.put(big)
    assert not Destination(Template("", Sink(str(path), 0o640), "key")).put(big)


def test_folders_are_made_if_wished(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file"
    with pytest.raises(SinkError, match="cannot open the directory"):
        Destination(Template("", Sink(str(path)), "key")).put("x")
    old = os.umask(0o077)
    try:
        assert Destination(Template("", Sink(str(path)), "key", create_dirs=True)).put("x")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o755
    (tmp_path / "c").write_text("")
    with pytest.raises(SinkError, match="cannot make the folder"):
        Destination(Template("", Sink(str(tmp_path / "c" / "d" / "file")), "key", create_dirs=True)).put("x")


def test_a_command_has_its_words_and_little_else(tmp_path: Path) -> None:
    out = tmp_path / "out"
    environ = {"PATH": os.environ["PATH"], "VAULT_TOKEN": "canary", "LANG": "C", "NOTIFY_SOCKET": "@x"}
    command.run(["/bin/sh", "-c", 'env > "$0"; echo "$1" >> "$0"; pwd >> "$0"', str(out), "a b; $(id)"], 5, environ)
    lines = out.read_text(encoding="utf-8").splitlines()
    assert lines[-2:] == ["a b; $(id)", "/"]
    assert {line.partition("=")[0] for line in lines[:-2]} <= {"PATH", "LANG", "PWD", "_", "SHLVL", "OLDPWD"}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["/bin/sh", "-c", "echo canary; exit 3"], "/bin/sh ended with code 3"),
        (["/bin/sh", "-c", "kill -9 $$"], "/bin/sh was ended by signal 9"),
        (["no-such-program-here"], "there is no program no-such-program-here"),
        (["/no/such/program"], "there is no program /no/such/program"),
    ],
)
def test_commands_that_fail(words: list[str], told: str) -> None:
    with pytest.raises(CommandError, match=told):
        command.run(words, 5, os.environ)


def test_a_command_that_hangs_is_killed_with_what_it_started(tmp_path: Path) -> None:
    left = tmp_path / "left"
    begun = time.monotonic()
    with pytest.raises(CommandError, match="longer than 1 s, and was killed"):
        command.run(["/bin/sh", "-c", f"(sleep 3; touch '{left}') & sleep 60"], 1, os.environ)
    assert time.monotonic() - begun < 3
    time.sleep(2.5)
    assert not left.exists()


def test_a_program_that_cannot_be_run(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_bytes(b"\x7fELF nothing")
    program.chmod(0o755)
    with pytest.raises(CommandError, match="cannot be run"):
        command.run([str(program)], 5, os.environ)
