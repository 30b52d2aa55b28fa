# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The format of encrypted sinks, against an implementation of its own, in both directions."""

from __future__ import annotations

import ast
import base64
import builtins
import importlib
import json
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.vaultfleet.aws.plugins.module_utils._agent import peer_keys, sealing
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.errors import LoginError
from ansible_collections.vaultfleet.aws.tests.unit.support import sealed
from ansible_collections.vaultfleet.aws.tests.unit.support.sealed import Reader

TEXTS = st.text(st.characters(codec="utf-8"), max_size=3000)
# Tokens of all lengths, and whatever else.
SECRETS = st.one_of(st.from_regex(r"hvs\.[A-Za-z0-9_-]{0,600}", fullmatch=True), TEXTS)
READER = Reader()
TOKEN = "hvs.canary"
BUSY = [HealthCheck.too_slow]  # of a busy machine it tells nothing


def test_what_the_tests_measure_with_is_right() -> None:
    """RFC 7748: the first vector of 5.2, and that both sides come to one secret."""
    scalar = bytes.fromhex("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4")
    point = bytes.fromhex("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c")
    assert sealed.x25519(scalar, point).hex() == "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"
    other = Reader()
    assert sealed.x25519(other.private, READER.public) == sealed.x25519(READER.private, other.public)


@settings(deadline=None, max_examples=60, suppress_health_check=BUSY)
@given(SECRETS, st.binary(max_size=300), st.booleans())
def test_what_we_write_can_be_read(text: str, aad: bytes, derive: bool) -> None:
    written = sealing.seal(text, READER.public, sealing.new_pair(), derive, aad)
    assert sealed.read(written, READER.private, derive, aad) == text.encode()


@settings(deadline=None, max_examples=60, suppress_health_check=BUSY)
@given(SECRETS, st.binary(max_size=300), st.booleans())
def test_what_others_write_we_can_read(text: str, aad: bytes, derive: bool) -> None:
    written = sealed.write(text.encode(), READER.public, derive, aad)
    assert sealing.unseal(written, READER.private, derive, aad) == text


@settings(deadline=None, max_examples=100, suppress_health_check=BUSY)
@given(st.data())
def test_an_altered_one_is_refused_and_nothing_of_it_told(data: st.DataObject) -> None:
    """One bit anywhere in keys, nonce or payload, or one character of the text."""
    written = sealing.seal(TOKEN, READER.public, sealing.new_pair(), True, b"aad")
    fields = json.loads(written)
    name = data.draw(st.sampled_from(sorted(fields)))
    content = bytearray(base64.b64decode(fields[name]))
    # The last bit of a point is none of it (RFC 7748, 5).
    bit = data.draw(st.integers(0, len(content) * 8 - (2 if name == peer_keys.PUBLIC else 1)))
    content[bit // 8] ^= 1 << (bit % 8)
    fields[name] = base64.b64encode(bytes(content)).decode()
    with pytest.raises(ValueError, match=r"cannot be decrypted|nothing would be secret") as caught:
        sealing.unseal(json.dumps(fields), READER.private, True, b"aad")
    assert fields[name] not in str(caught.value)


@settings(deadline=None, max_examples=100, suppress_health_check=BUSY)
@given(st.one_of(TEXTS, st.recursive(st.none() | st.text(max_size=9), st.lists).map(json.dumps)))
def test_garbage_is_refused_in_words(text: str) -> None:
    with pytest.raises(ValueError, match=r"^(is not|has|cannot)"):
        sealing.unseal(text, READER.private, False, b"")


@pytest.mark.parametrize(
    ("reader", "aad", "derive"),
    [(Reader().private, b"aad", True), (READER.private, b"", True), (READER.private, b"aad", False)],
    ids=["another reader", "another aad", "not derived"],
)
def test_only_the_reader_who_knows_all_can_read_it(reader: bytes, aad: bytes, derive: bool) -> None:
    written = sealing.seal(TOKEN, READER.public, sealing.new_pair(), True, b"aad")
    with pytest.raises(ValueError, match="for another key, or aad or derive_key"):
        sealing.unseal(written, reader, derive, aad)


def test_two_writings_have_nothing_in_common() -> None:
    """Neither nonce nor ciphertext; the writer's key is the same as long as its pair is."""
    pair = sealing.new_pair()
    one, two = (json.loads(sealing.seal(TOKEN, READER.public, pair, False, b"")) for _writing in range(2))
    assert one[peer_keys.PUBLIC] == two[peer_keys.PUBLIC]
    assert one["nonce"] != two["nonce"]
    assert one["encrypted_payload"] != two["encrypted_payload"]
    assert TOKEN not in repr(one)
    assert "private" not in repr(pair)


@pytest.mark.parametrize("key", [bytes(32), b"\x01" + bytes(31)], ids=["zero", "one"])
def test_a_key_with_which_all_secrets_are_the_same_is_refused(key: bytes) -> None:
    with pytest.raises(ValueError, match="nothing would be secret"):
        sealing.seal(TOKEN, key, sealing.new_pair(), False, b"")


def test_our_own_key_is_no_readers() -> None:
    pair = sealing.new_pair()
    with pytest.raises(ValueError, match="the side that reads it"):
        sealing.seal(TOKEN, pair.public, pair, True, b"")


def test_no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody must install it: which package, for which Python; the path is as it was."""
    real = builtins.__import__

    def without(name: str, *rest: t.Any) -> t.Any:
        if name.startswith("cryptography"):
            raise ModuleNotFoundError("No module named 'cryptography'")
        return real(name, *rest)

    for name in [name for name in sys.modules if name.partition(".")[0] == "cryptography"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    monkeypatch.setattr(builtins, "__import__", without)
    before = list(sys.path)
    with pytest.raises(LoginError) as caught:
        sealing.load()
    assert "python3-cryptography" in str(caught.value)
    assert sys.executable in str(caught.value)
    assert sys.path == before


def test_the_hosts_packages_are_taken_and_nothing_else_of_them() -> None:
    """A Python that sees no packages, as that of a bundle, finds the library among the host's, and nothing else."""
    host = Path(importlib.import_module("cryptography").__file__ or "").parents[1]
    script = f"""
import importlib, site, sys
collections = {str(Path(sealing.__file__).parents[6])!r}
site.getsitepackages = lambda: [{str(host)!r}]
sys.path[:] = [path for path in sys.path if "site-packages" not in path] + [collections]
from ansible_collections.vaultfleet.aws.plugins.module_utils._agent import sealing
before = list(sys.path)
sealing.load()
assert sys.path == before, sys.path
pair = sealing.new_pair()
text = sealing.seal("secret", pair.public, sealing.new_pair(), True, b"x")
assert sealing.unseal(text, pair.private, True, b"x") == "secret"
try:
    import hypothesis
except ImportError:
    print("apart")
"""
    done = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("apart\n", "")


def test_an_agent_with_plain_sinks_loads_nothing_of_it() -> None:
    """Neither the library nor our own files that others need."""
    package = sealing.__name__.rpartition(".")[0]
    script = f"""
import sys
sys.path.append({str(Path(sealing.__file__).parents[6])!r})
from {package} import cli, config, runner, sinks
from {package}.sink_options import AgentSink
assert isinstance(sinks.file_of(AgentSink("/run/token")), sinks.TokenFile)
print(sorted(sys.modules))
"""
    done = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    ours = {f"{package}.{name}" for name in ("sealing", "encrypted", "peer_keys", "wrapping", "reader")}
    assert not {"cryptography", *ours} & set(ast.literal_eval(done.stdout))
