# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The short way to a shared token: the same answer as the long way, or none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

from ansible_collections.vaultfleet.aws.plugins.plugin_utils import _hit, _lookup
from ansible_collections.vaultfleet.aws.plugins.plugin_utils._store import Store
from ansible_collections.vaultfleet.aws.tests.unit.plugins.lookup.lookups import run
from ansible_collections.vaultfleet.aws.tests.unit.plugins.plugin_utils.fakes import STATIC, FakeVault

# Another process of this run: the short way alone, and what it loaded of the collection.
SHORT = """
import json, os, sys
from ansible_collections.vaultfleet.aws.plugins.plugin_utils import _hit
_hit.pid_of_run = os.getppid
loaded = [name for name in sys.modules if name.startswith("ansible_collections.vaultfleet.aws.plugins")]
print(json.dumps([_hit.recall(sys.argv[1]), [one.rpartition(".")[2] for one in loaded]]))
"""


def given(vault: FakeVault, **more: t.Any) -> tuple[list[str], dict[str, t.Any]]:
    return ["web"], {"url": vault.url, **STATIC, **more}


def name(terms: t.Sequence[t.Any], options: t.Mapping[str, t.Any], variables: t.Mapping[str, t.Any]) -> str:
    found = _hit.name_of(terms, options, variables)
    assert found is not None
    return found


def noted(terms: list[str], options: dict[str, t.Any]) -> str:
    """The name of the note that the lookup has left."""
    run(*terms, **options)
    return name(terms, options, {})


def record_of(store: Store) -> Path:
    [file] = Path(store.path).glob("?" * 64)
    return file


def test_another_process_needs_this_file_only(store: Store, vault: FakeVault) -> None:
    terms, options = given(vault)
    [token] = run(*terms, **options)
    done = subprocess.run(
        [sys.executable, "-c", SHORT, name(terms, options, {})],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [[token], ["plugins", "plugin_utils", "_hit"]]


def test_the_lookup_goes_the_short_way(store: Store, vault: FakeVault, monkeypatch: pytest.MonkeyPatch) -> None:
    terms, options = given(vault)
    first = run(*terms, **options)
    monkeypatch.delattr(_lookup, "answer")
    assert run(*terms, **options) == first
    assert (vault.times("login"), store.hits()) == (1, 1)


def test_whole_answers_and_several_roles(store: Store, vault: FakeVault) -> None:
    _terms, options = given(vault, **{"return": "login"})
    answers = run("web", "db", **options)
    assert _hit.recall(name(["web", "db"], options, {})) == answers
    assert [sorted(answer) for answer in answers] == [["auth"], ["auth"]]
    assert (vault.times("login"), store.hits()) == (2, 2)


@pytest.mark.parametrize("change", ["terms", "options", "variables", "environment", "credentials file"])
def test_whatever_is_given_is_in_the_name(change: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "credentials"
    file.touch()
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    before = name(["web"], {"url": "a"}, {"v": 1})
    assert name(["web"], {"url": "a"}, {"v": 1}) == before
    if change == "environment":
        monkeypatch.setenv("VAULT_NAMESPACE", "team")
    elif change == "credentials file":
        file.rename(tmp_path / "old")
        file.touch()
    others = {"terms": (["db"], {"url": "a"}, {"v": 1}), "options": (["web"], {"url": "b"}, {"v": 1})}
    others["variables"] = (["web"], {"url": "a"}, {"v": 2})
    assert name(*others.get(change, (["web"], {"url": "a"}, {"v": 1}))) != before


@pytest.mark.parametrize("value", [["a"], {"a": "b"}, object()])
def test_more_than_plain_values_takes_the_long_way(value: object) -> None:
    assert _hit.name_of([value], {}, {}) is None
    assert _hit.name_of([], {"proxies": value}, {}) is None
    assert _hit.name_of([], {}, {"vaultfleet_aws_proxies": value}) is None


def test_what_is_not_shared_leaves_no_note(store: Store, vault: FakeVault, tmp_path: Path) -> None:
    sink = tmp_path / "token"
    sink.write_text("hvs.sink", encoding="ascii")
    for more in ({"cache": "none"}, {"sink": str(sink), "check_interval": "0"}):
        assert _hit.recall(noted(*given(vault, **more))) is None


@pytest.mark.parametrize(
    "change",
    [
        {"ends": 0.0},
        {"ends": 10**400},
        {"ttl": float("nan")},
        {"checked": -1e9},
        {"version": 0},
        {"token": "another"},
        {"ttl": "3600"},
        {"answer": {}},
        {"more": 1},
    ],
)
def test_a_record_that_does_not_serve(change: dict[str, t.Any], store: Store, vault: FakeVault) -> None:
    note = noted(*given(vault))
    assert _hit.recall(note)
    file = record_of(store)
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}), encoding="utf-8")
    assert _hit.recall(note) is None


def test_a_token_is_not_asked_about_where_nobody_wants_that(store: Store, vault: FakeVault) -> None:
    note = noted(*given(vault, check_interval="0"))
    file = record_of(store)
    file.write_text(json.dumps({**json.loads(file.read_text()), "checked": -1e9}), encoding="utf-8")
    assert _hit.recall(note)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"{}", b'{"version": 1}', b'{"version": 1, "tokens": [1]}', b"\xff"]
)
def test_a_damaged_note(content: bytes, store: Store, vault: FakeVault) -> None:
    note = noted(*given(vault))
    Path(store.path, note).write_bytes(content)
    assert _hit.recall(note) is None


@pytest.mark.parametrize("way", ["mode", "link", "hard link", "fifo", "folder", "user's folder", "place"])
@pytest.mark.parametrize("what", ["note", "record"])
def test_what_others_may_have_put_there(way: str, what: str, store: Store, vault: FakeVault, memory: Path) -> None:
    note = noted(*given(vault))
    file = Path(store.path, note) if what == "note" else record_of(store)
    assert _hit.recall(note)
    if way == "mode":
        file.chmod(0o640)
    elif way == "link":
        file.rename(memory / "moved")
        file.symlink_to(memory / "moved")
    elif way == "hard link":
        (memory / "second").hardlink_to(file)
    elif way == "fifo":
        file.unlink()
        os.mkfifo(file, 0o600)
    elif way == "folder":
        Path(store.path).chmod(0o750)
    elif way == "user's folder":
        Path(store.path).parent.chmod(0o755)
    else:
        memory.chmod(0o777)
    assert _hit.recall(note) is None


def test_a_runtime_directory_that_is_not_there(monkeypatch: pytest.MonkeyPatch, memory: Path, vault: FakeVault) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(memory / "nowhere"))
    monkeypatch.setattr(_hit, "SHARED_MEMORY", str(memory))
    monkeypatch.setattr("ansible_collections.vaultfleet.aws.plugins.plugin_utils._store._SHARED_MEMORY", str(memory))
    assert _hit.recall(noted(*given(vault)))
