# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Encrypted sinks: what ours writes is read from the format's description, what OpenBao's agent writes by ours."""

from __future__ import annotations

import itertools
import json
import os
import signal
import stat
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

from ansible_collections.vaultfleet.aws.tests.unit.support import sealed
from ansible_collections.vaultfleet.aws.tests.unit.support.sealed import Reader
from tests.live.agent import theirs
from tests.live.agent.agents import Agents
from tests.live.agent.audit import Json
from tests.live.agent.process import COLLECTIONS, PACKAGE
from tests.live.agent.test_wrapped import LONG, SHAPE, unwrapped
from tests.stack.handle import Stack

AAD = "of web, für alle"
WAYS = tuple(itertools.product((False, True), ("", AAD), ("", "5m")))  # derive_key, aad, wrap_ttl


def encrypted(path: Path, public: Path, derive: bool = False, aad: str = "", wrap_ttl: str = "", **more: t.Any) -> Json:
    """The configuration of an encrypted sink."""
    how: Json = {"dh_type": "curve25519", "dh_path": str(public)}
    how |= {"derive_key": True} if derive else {}
    how |= {"aad": aad} if aad else {}
    how |= {"wrap_ttl": wrap_ttl} if wrap_ttl else {}
    return {"type": "file", **how, **more, "config": {"path": str(path), "mode": 0o600}}


def in_all_ways(folder: Path, public: Path) -> dict[tuple[bool, str, str], Json]:
    """A sink for each way in which one can be encrypted."""
    return {way: encrypted(folder / f"sink-{number}", public, *way) for number, way in enumerate(WAYS)}


def path_of(sink: Json) -> Path:
    """Where it writes."""
    return Path(sink["config"]["path"])


def command(*arguments: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """A command of the agent's command line, for those who read its sinks."""
    return subprocess.run(
        [sys.executable, "-m", f"{PACKAGE}.cli", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(COLLECTIONS), **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def decrypted(key: Path, sink: Json, derive: bool = False, aad: str = "") -> str:
    """What the command prints of a sink."""
    options = [*(["--derive-key"] if derive else []), *(["--aad", aad] if aad else [])]
    done = command("decrypt", "--key", key, *options, path_of(sink))
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def judge(stack: Stack, plain: str, wrap_ttl: str) -> str:
    """See that what a sink held is of use; the token."""
    if wrap_ttl:
        assert SHAPE.fullmatch(plain)
        return unwrapped(stack, plain)
    assert stack.vault.call("GET", "secret/data/demo", token=plain).status == 200
    return plain


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path]:
    """A reader's private and public key, as the command makes them."""
    private, public = tmp_path / "private.json", tmp_path / "public.json"
    done = command("keygen", "--key", private, "--public", public)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (stat.S_IMODE(private.stat().st_mode), stat.S_IMODE(public.stat().st_mode)) == (0o600, 0o644)
    return private, public


def test_ours_by_the_description(agents: Agents, stack: Stack) -> None:
    """Written in all ways by one agent, and read by what knows nothing of it; nothing of the token is in the open."""
    agent = agents.iam(role=LONG)
    reader = Reader()
    public = agent.folder / "reader.json"
    public.write_text(reader.public_file, encoding="ascii")
    ways = in_all_ways(agent.folder, public)
    plain = {"type": "file", "config": {"path": str(agent.sink)}}
    agent.write(auto_auth={**agent.config["auto_auth"], "sink": [plain, *ways.values()]})
    agent.start()
    token = agent.serves()
    writers = set()
    for (derive, aad, wrap_ttl), sink in ways.items():
        path = path_of(sink)
        agent.until(path.exists)
        text = path.read_text(encoding="ascii")
        assert token not in text
        found = sealed.read(text, reader.private, derive, aad.encode()).decode()
        assert judge(stack, found, wrap_ttl) == token
        writers.add(json.loads(text)["curve25519_public_key"])
    assert len(writers) == len(ways), "two sinks share a key pair"
    agent.tells("serving")
    assert agent.logins() == 1


def test_theirs_by_our_command(stack: Stack, tmp_path: Path, keys: tuple[Path, Path]) -> None:
    """What OpenBao's agent writes, in all ways."""
    private, public = keys
    ways = in_all_ways(tmp_path, public)
    with theirs.written(stack, tmp_path / "theirs", list(ways.values())):
        tokens = {judge(stack, decrypted(private, sink, *way[:2]), way[2]) for way, sink in ways.items()}
    assert len(tokens) == 1


def test_the_environment_tells_the_aad(agents: Agents, stack: Stack, keys: tuple[Path, Path]) -> None:
    """To both sides, as to Vault Agent; without it there is no agent, and no plain text."""
    private, public = keys
    agent = agents.iam(role=LONG)
    sink = encrypted(agent.folder / "sealed", public, True, aad_env_var="SINK_AAD")
    agent.write(auto_auth={**agent.config["auto_auth"], "sink": [sink]})
    assert agent.start().ended() == 1
    assert agent.said("auto_auth.sink.aad_env_var: SINK_AAD is not set")
    agent.start(SINK_AAD=AAD)
    agent.until(path_of(sink).exists)
    arguments = ("decrypt", "--key", private, "--derive-key", "--aad-env-var", "SINK_AAD", path_of(sink))
    done = command(*arguments, SINK_AAD=AAD)
    assert done.returncode == 0, done.stderr
    agent.secrets.add(judge(stack, done.stdout, ""))
    wrong, without = command(*arguments, SINK_AAD="another"), command(*arguments)
    assert (wrong.returncode, wrong.stdout, without.returncode, without.stdout) == (2, "", 1, "")
    assert "cannot be decrypted" in wrong.stderr
    assert "SINK_AAD is not set" in without.stderr


def test_the_readers_key_comes_late_and_is_swapped(agents: Agents, stack: Stack) -> None:
    """The sink is written once the key is there; another key counts from a reload on, and is judged before that."""
    agent = agents.iam(role=LONG)
    first, second = Reader(), Reader()
    public = agent.folder / "reader.json"
    sink = encrypted(agent.folder / "sealed", public, True)
    plain = {"type": "file", "config": {"path": str(agent.sink)}}
    agent.write(auto_auth={**agent.config["auto_auth"], "sink": [plain, sink]})
    agent.start()
    token = agent.serves()
    agent.until(lambda: agent.said(f"a sink failed: dh_path of {path_of(sink)}: there is no {public}"))
    assert agent.said("is not written before the reader put its public key there")
    public.write_text(first.public_file, encoding="ascii")
    agent.send(signal.SIGUSR1)
    agent.until(path_of(sink).exists)
    assert opened(sink, first) == token

    public.write_text(second.public_file, encoding="ascii")
    path_of(sink).unlink()
    agent.send(signal.SIGUSR1)
    agent.until(path_of(sink).exists)
    assert opened(sink, first) == token, "the file's owner could swap the reader"

    public.write_text('{"curve25519_public_key": "AAAA"}', encoding="ascii")
    agent.send(signal.SIGHUP)
    agent.until(lambda: agent.said("the configuration was not reloaded.*dh_path.*of 3 bytes instead of 32"))
    public.write_text(second.public_file, encoding="ascii")
    agent.send(signal.SIGHUP)
    agent.until(lambda: can_open(sink, second, token))
    agent.tells("serving")
    assert agent.logins() == 1


def opened(sink: Json, reader: Reader) -> str:
    """What the sink holds for the reader."""
    return sealed.read(path_of(sink).read_text(encoding="ascii"), reader.private, True, b"").decode()


def can_open(sink: Json, reader: Reader, token: str) -> bool:
    """Whether the sink holds the token for the reader."""
    try:
        return opened(sink, reader) == token
    except Exception:  # noqa: BLE001 - it is for somebody else
        return False


def test_wrapped_encrypted_and_restarted(agents: Agents, stack: Stack) -> None:
    """What was wrapped is encrypted anew by the next process, and not wrapped again."""
    agent = agents.iam(role=LONG)
    reader = Reader()
    public = agent.folder / "reader.json"
    public.write_text(reader.public_file, encoding="ascii")
    sink = encrypted(agent.folder / "sealed", public, True, wrap_ttl="1h")
    agent.write(auto_auth={**agent.config["auto_auth"], "sink": [sink]})
    agent.managed()
    agent.start()
    agent.until(path_of(sink).exists)
    first, text = opened(sink, reader), path_of(sink).read_text(encoding="ascii")
    agent.until(lambda: agent.state() == "serving")
    agent.kill()
    agent.start()
    agent.until(lambda: path_of(sink).read_text(encoding="ascii") != text)
    assert opened(sink, reader) == first
    assert (agent.logins(), len(agent.uses("sys/wrapping/wrap"))) == (1, 1)
    agent.secrets.add(unwrapped(stack, first))
