# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The process that is asked for what takes AWS's libraries: its answers, its errors, its ends."""

from __future__ import annotations

import base64
import json
import os
import sys
import threading
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.vaultfleet.aws.plugins.module_utils._agent import aws, child
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.config import LoginConfig
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.errors import (
    ConfigError,
    CredentialsError,
    LoginError,
    MetadataError,
    Retry,
)
from ansible_collections.vaultfleet.aws.tests.unit.support.sts import instance
from ansible_collections.vaultfleet.aws.tests.unit.support.web import Reply, Seen, Web

KEYS = {"access_key": "AKIASTATIC", "secret_key": "static-secret"}


def config(**options: t.Any) -> LoginConfig:
    """Options of an iam login."""
    return LoginConfig.from_options({"type": "iam", "role": "web", **options})


@pytest.fixture
def descriptors() -> t.Iterator[None]:
    """None is left open, and no process either."""
    before = sorted(Path("/proc/self/fd").iterdir())
    yield
    assert sorted(Path("/proc/self/fd").iterdir()) == before
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def process(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Let the process run ``code`` instead."""
    monkeypatch.setattr(child, "_START", "import os, sys, time; " + code.replace("{", "{{").replace("}", "}}"))


@pytest.mark.usefixtures("descriptors")
def test_proof_of_static_keys() -> None:
    """What comes back is signed with them, for that server."""
    proof = aws.prove(config(header_value="vault.example.org", region="eu-central-1", **KEYS), 5)
    headers = json.loads(base64.b64decode(proof.request.body["iam_request_headers"]))
    assert "Credential=AKIASTATIC/" in headers["Authorization"][0]
    assert "/eu-central-1/sts/" in headers["Authorization"][0]
    assert headers["X-Vault-AWS-IAM-Server-ID"] == ["vault.example.org"]
    assert proof.request.body["role"] == "web"
    assert proof.request.facts["provider"] == "static"
    assert "static-secret" in proof.request.secrets
    assert "static-secret" not in repr(proof)


@pytest.mark.usefixtures("descriptors")
def test_fingerprint() -> None:
    """It tells keys apart, is that of the proof, and shows none."""
    first, other = config(**KEYS), config(**{**KEYS, "secret_key": "another-secret"})
    assert aws.keys(first, 5) == aws.prove(first, 5).keys
    assert aws.keys(first, 5) != aws.keys(other, 5)
    assert "static" not in str(aws.keys(first, 5)).lower()


@pytest.mark.usefixtures("descriptors")
def test_no_credentials() -> None:
    """The chain's own error comes back whole."""
    with pytest.raises(CredentialsError) as caught:
        aws.prove(config(), 5)
    assert caught.value.what == "no AWS credentials found"
    assert "set AWS_ACCESS_KEY_ID" in caught.value.hint
    assert caught.value.retry is Retry.TRANSIENT
    assert aws.keys(config(), 5) is None


@pytest.mark.usefixtures("descriptors")
@pytest.mark.parametrize("ask", [aws.check, lambda wrong: aws.prove(wrong, 5)])
def test_misconfigured(ask: t.Callable[[LoginConfig], object]) -> None:
    """What only AWS's data tells to be wrong names its option, before anything is asked."""
    with pytest.raises(aws.MisconfiguredError) as caught:
        ask(config(region="atlantis-north", **KEYS))
    assert caught.value.option == "region"
    assert str(caught.value) == str(ConfigError("region", caught.value.what[8:], hint=caught.value.hint))
    assert "'atlantis-north' is in no AWS partition" in caught.value.what


@pytest.mark.usefixtures("descriptors")
def test_check_without_a_mistake() -> None:
    """It returns, and needs no credentials."""
    aws.check(config(region="eu-central-1"))


def documents(seen: Seen) -> Reply:
    """The metadata service of an instance, with an identity document."""
    if seen.path.endswith("/instance-identity/document"):
        return Reply(body=b'{"instanceId": "i-1", "accountId": "123456789012", "region": "eu-west-1"}')
    return Reply(body=b"c2ln") if seen.path.endswith("/instance-identity/signature") else instance(seen)


def test_ec2(monkeypatch: pytest.MonkeyPatch) -> None:
    """An instance's document comes with the nonce that was given."""
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED", raising=False)
    with Web(documents) as web:
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", web.url)
        proof = aws.prove(LoginConfig.from_options({"type": "ec2", "role": "node", "nonce": "a-nonce"}), 5)
    assert proof.keys is None
    assert proof.request.body["nonce"] == "a-nonce"
    assert proof.request.body["signature"] == "c2ln"
    assert proof.request.facts["instance"] == "i-1"
    assert "a-nonce" not in repr(proof)


@pytest.mark.usefixtures("descriptors")
def test_no_metadata() -> None:
    """Its error keeps its kind."""
    with pytest.raises(MetadataError, match="switched off by AWS_EC2_METADATA_DISABLED"):
        aws.prove(LoginConfig.from_options({"type": "ec2", "role": "node", "nonce": "a-nonce"}), 5)


@pytest.mark.usefixtures("descriptors")
def test_prepared(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that was prepared answers the first question, and only that."""
    process(monkeypatch, """sys.stdin.read(); print('{"found": %d}' % os.getpid())""")
    child.prepare()
    prepared = child._waiting[0]._pid
    assert aws._ask("keys", config(), 5) == prepared
    assert aws._ask("keys", config(), 5) != prepared


@pytest.mark.usefixtures("descriptors")
@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("sys.exit(3)", "ended with 3 and no answer"),
        ("os.kill(os.getpid(), 9)", "ended with -9 and no answer"),
        ("sys.stdin.read(); sys.exit('static-secret')", "ended with 1 and no answer"),
        ("sys.stdin.close(); print('[]'); sys.exit(2)", "ended with 2 and no answer"),
        ("print('{')", "ended with 0 and no answer"),
    ],
)
def test_it_breaks(code: str, text: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """However it ends, it is told, tried again later, and no word of it gets out."""
    process(monkeypatch, code)
    with pytest.raises(CredentialsError, match=text) as caught:
        aws.prove(config(**KEYS), 5)
    assert caught.value.retry is Retry.TRANSIENT
    assert "static-secret" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.usefixtures("descriptors")
def test_it_hangs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It is ended, with all that it started."""
    monkeypatch.setattr(aws, "_EXTRA", 0)
    note = tmp_path / "child"
    process(
        monkeypatch,
        f"pid = os.fork(); pid and open({str(note)!r}, 'w').write(str(pid)); time.sleep(60)",
    )
    for seconds in (1, 5, 30):  # until it had time to start something
        with pytest.raises(CredentialsError, match=f"did not end within {seconds} s"):
            aws.prove(config(**KEYS), seconds)
        if note.exists() and note.read_text():
            break
    started = int(note.read_text())
    deadline = time.monotonic() + 5
    while _lives(started):
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.usefixtures("descriptors")
def test_it_cannot_be_started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """That is told like its other ends; and nothing is prepared then."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / "missing"))
    child.prepare()
    assert child._waiting == []
    with pytest.raises(CredentialsError, match="cannot be started") as caught:
        aws.check(config())
    assert caught.value.retry is Retry.TRANSIENT


def test_its_environment_and_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """It imports from where we do, and leaves the environment as it is for what it starts."""
    monkeypatch.setattr(sys, "path", [*sys.path, "/another path"])
    process(
        monkeypatch,
        "sys.path[:] = sys.argv[1:]; import json; print(json.dumps({'found': [sys.path, dict(os.environ)]}))",
    )
    path, environment = aws._ask("keys", config(), 5)
    assert path == sys.path
    environment.pop("LC_CTYPE", None)  # which Python sets in itself in the C locale
    assert environment == {name: value for name, value in os.environ.items() if name != "LC_CTYPE"}


def test_two_at_once() -> None:
    """A reload may ask while a login does."""
    found: list[object] = []
    threads = [threading.Thread(target=lambda: found.append(aws.keys(config(**KEYS), 5))) for _number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 2
    assert found[0] is not None
    assert found[0] == found[1]


def test_other_errors_keep_their_words() -> None:
    """A kind that is not told apart is a LoginError."""
    error = aws._error("ConfigError", "region: auto found none", "", "set region", "permanent", "")
    assert error.__class__ is LoginError
    assert str(error) == "region: auto found none -- set region"


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
