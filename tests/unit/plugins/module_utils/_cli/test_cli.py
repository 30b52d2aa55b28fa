# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command from its arguments to its exit code, against a server in this process: outputs, stores, faults."""

from __future__ import annotations

import json
import os
import pty
import signal
import stat
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.vaultfleet.aws.plugins.module_utils._agent import log
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth import errors, lib_hvac, login
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.errors import Retry
from ansible_collections.vaultfleet.aws.plugins.module_utils._cli import cli
from ansible_collections.vaultfleet.aws.tests.unit.support import certificates
from ansible_collections.vaultfleet.aws.tests.unit.support.vaults import AUTH, LOGIN, TOKEN
from ansible_collections.vaultfleet.aws.tests.unit.support.web import Reply, Seen, Web, closed_port, drip, hang

PACKAGE = "ansible_collections.vaultfleet.aws.plugins.module_utils._cli.cli"
WRAPPED = {
    "request_id": "r",
    "auth": None,
    "wrap_info": {"token": "hvs.wrapping", "accessor": "a", "ttl": 300, "creation_path": "auth/aws/login"},
}
Run = t.Callable[..., "tuple[int, str, str]"]


def vault(seen: Seen) -> Reply:
    """A Vault that lets in and revokes."""
    return Reply(204) if seen.path.endswith("/revoke-self") else Reply(body=LOGIN)


def environment(web: Web) -> dict[str, str]:
    """What points a login to that server."""
    return {
        "VAULT_ADDR": web.url,
        "VAULT_CACERT": certificates.CA,
        "VAULT_MAX_RETRIES": "0",
        "VAULTFLEET_AWS_ROLE": "web",
        "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret-of-the-environment",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }


@pytest.fixture
def command(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command in this process: its code, stdout, stderr. A token is on stdout or nowhere."""
    monkeypatch.setattr(log, "silence_libraries", lambda: None)  # for good, otherwise

    def run(web: Web | None, *argv: str) -> tuple[int, str, str]:
        for name, value in environment(web).items() if web else ():
            monkeypatch.setenv(name, value)
        code = cli.main(argv)
        seen = capfd.readouterr()
        for secret in (TOKEN, "secret-of-the-environment", "Traceback"):
            assert secret not in seen.err
        return code, seen.out, seen.err

    return run


def paths(web: Web) -> list[str]:
    """What the server was asked for."""
    return [seen.path for seen in web.seen]


def test_token(command: Run) -> None:
    """The token and a line break, and nothing else anywhere; the server sees who came."""
    with Web(vault) as web:
        assert command(web) == (0, f"{TOKEN}\n", "")
    assert paths(web) == ["/v1/auth/aws/login"]
    assert "vault-aws-login" in web.seen[0].headers["user-agent"]


def test_json(command: Run) -> None:
    """The server's answer as it came."""
    with Web(vault) as web:
        code, out, err = command(web, "--format", "json")
    assert (code, json.loads(out), err) == (0, LOGIN, "")


def shell(lines: str, *names: str, **before: str) -> list[str]:
    """What a shell has in its variables after it has run those lines."""
    script = lines + "".join(f'printf "%s\\n" "${{{name}-unset}}"\n' for name in names)
    done = subprocess.run(["/bin/sh", "-c", script], env=before, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_env(command: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A shell takes it, quotes and all; OpenBao's variables only where one would win over ours."""
    odd = tmp_path / 'it\'s $(odd) "ca".pem'
    odd.symlink_to(certificates.CA)
    monkeypatch.setenv("BAO_TOKEN", "old")
    with Web(vault) as web:
        code, out, err = command(web, "--format", "env", "--namespace", "team/a", "--ca-cert", str(odd))
    assert (code, err) == (0, "")
    assert all(line.startswith("export ") for line in out.splitlines())
    names = ("VAULT_ADDR", "VAULT_TOKEN", "VAULT_NAMESPACE", "VAULT_CACERT", "BAO_TOKEN", "BAO_ADDR", "VAULT_CAPATH")
    expected = [web.url, TOKEN, "team/a", str(odd), TOKEN, "unset", "unset"]
    assert shell(out, *names, BAO_TOKEN="old") == expected


def test_wrapped(command: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wrapping token, and what it cannot go with."""
    with Web(Reply(body=WRAPPED)) as web:
        assert command(web, "--wrap-ttl", "5m") == (0, "hvs.wrapping\n", "")
        assert web.seen[0].headers["x-vault-wrap-ttl"] == "300s"
        assert json.loads(command(web, "--wrap-ttl", "5m", "--format", "json")[1]) == WRAPPED
        assert command(web, "--wrap-ttl", "5m", "--store")[::2] == (
            1,
            "error: wrap_ttl: cannot go with --store -- a wrapping token is for one use: print it\n",
        )
        assert command(web, "--wrap-ttl", "5m", "--format", "env")[0] == 1
        monkeypatch.setattr(cli, "_is_terminal", lambda: True)
        assert command(web, "--wrap-ttl", "5m")[0] == 1
        assert len(web.seen) == 2


def test_check(command: Run, tmp_path: Path) -> None:
    """Nothing is asked for; a place for the token is looked at; what is wrong is told as always."""
    with Web(vault) as web:
        assert command(web, "--check") == (0, "", "the options are fine\n")
        assert command(web, "--check", "--region", "moon-1")[0] == 1
        assert command(web, "--check", "--client-cert", str(tmp_path / "none"))[0] == 1
    assert web.seen == []


def test_warnings(command: Run) -> None:
    """Vault's own, on one line, without what looks like a token; ours of switched off checks."""
    warnings = [f"mind the\n{TOKEN}", {"odd": 1}]
    with Web(Reply(body={**LOGIN, "warnings": warnings})) as web:
        code, out, err = command(web)
    assert (code, out) == (0, f"{TOKEN}\n")
    assert err.splitlines() == ["warning: Vault says: mind the hvs.********", "warning: Vault says: {'odd': 1}"]


def test_warning_of_no_checks(command: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the environment; who says it on the command line knows it."""
    monkeypatch.setenv("VAULT_SKIP_VERIFY", "1")
    with Web(vault) as web:
        assert command(web)[2].startswith("warning: The environment switches TLS checks off")


# --- the store


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home that is a symbolic link, as with network homes."""
    real = tmp_path / "real"
    real.mkdir()
    link = tmp_path / "link"
    link.symlink_to(real)
    monkeypatch.setenv("HOME", str(link))
    return real


def test_store(command: Run, home: Path) -> None:
    """The file that Vault's clients read, for the user alone, without a line break; stdout stays empty."""
    (home / ".vault-token").write_text("old", encoding="ascii")
    (home / ".vault-token").chmod(0o644)
    with Web(vault) as web:
        code, out, err = command(web, "--store")
    assert (code, out) == (0, "")
    assert (home / ".vault-token").read_text(encoding="ascii") == TOKEN
    assert stat.S_IMODE((home / ".vault-token").stat().st_mode) == 0o600
    assert [path.name for path in home.iterdir()] == [".vault-token"]
    assert err.splitlines()[0].startswith(f"logged in to {web.url} with role web, as arn:aws:iam::123456789012:user/")
    assert err.splitlines()[1] == f"the token is in {home / '.vault-token'}"
    assert paths(web) == ["/v1/auth/aws/login"]


def test_store_and_show(command: Run, home: Path) -> None:
    with Web(vault) as web:
        assert command(web, "--store", "--show")[:2] == (0, f"{TOKEN}\n")
    assert (home / ".vault-token").read_text(encoding="ascii") == TOKEN


def test_store_elsewhere(command: Run, home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where bao is told to look; and a variable that hides the file is told of."""
    monkeypatch.setenv("VAULT_TOKEN_PATH", str(tmp_path / "theirs"))
    monkeypatch.setenv("BAO_TOKEN_PATH", str(tmp_path / "ours"))
    monkeypatch.setenv("VAULT_TOKEN", "s.old")
    with Web(vault) as web:
        code, _out, err = command(web, "--store")
    assert code == 0
    assert (tmp_path / "ours").read_text(encoding="ascii") == TOKEN
    assert not (tmp_path / "theirs").exists()
    assert "warning: VAULT_TOKEN is set" in err
    assert list(home.iterdir()) == []


def test_store_that_cannot_be(command: Run, home: Path) -> None:
    """Found out before the login."""
    (home / ".vault-token").mkdir()
    with Web(vault) as web:
        code, out, err = command(web, "--store")
        assert (code, out) == (1, "")
        assert err.startswith(f"error: {home / '.vault-token'} is a directory")
        (home / ".vault-token").rmdir()
        home.rmdir()
        assert command(web, "--store")[0] == 1
    assert web.seen == []


# --- terminals and pipes, in a process of its own


def start(web: Web, *argv: str, **wishes: t.Any) -> subprocess.Popen[bytes]:
    """The command as a user starts it."""
    environ = {"PYTHONPATH": os.pathsep.join(sys.path), "HOME": os.environ["HOME"], "PATH": os.environ["PATH"]}
    return subprocess.Popen(
        [sys.executable, "-m", PACKAGE, *argv],
        env={**environ, **environment(web)},
        stdin=subprocess.DEVNULL,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **wishes},
    )


def terminal(web: Web, *argv: str) -> tuple[int, str]:
    """The command with a terminal for all that it prints: its code, and what is on the screen."""
    ours, theirs = pty.openpty()
    process = start(web, *argv, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # the other end is closed
            piece = b""
        if not piece:
            break
        shown += piece
    os.close(ours)
    return process.wait(30), shown.decode().replace("\r\n", "\n")


def test_terminal() -> None:
    """The token is not shown, so it is revoked; what was done and how to have it is told."""
    with Web(vault) as web:
        code, shown = terminal(web)
    assert code == 0
    first, second = shown.splitlines()
    assert first.startswith(
        f"logged in to {web.url} with role web, as arn:aws:iam::123456789012:user/client; policies: "
    )
    assert second.startswith("the token was revoked; send the output to a program or a file, or use --show or --store")
    assert TOKEN not in shown
    assert paths(web) == ["/v1/auth/aws/login", "/v1/auth/token/revoke-self"]
    assert web.seen[1].headers["x-vault-token"] == TOKEN


def test_terminal_where_it_cannot_be_revoked() -> None:
    """When it ends is told."""
    with Web([Reply(body=LOGIN), Reply(403, {"errors": ["permission denied"]})]) as web:
        code, shown = terminal(web)
    assert code == 0
    assert "the server did not revoke the token, which ends at 20" in shown


def test_terminal_with_show() -> None:
    with Web(vault) as web:
        code, shown = terminal(web, "--show")
    assert code == 0
    assert shown.splitlines()[0] == TOKEN
    assert paths(web) == ["/v1/auth/aws/login"]


def test_nobody_reads() -> None:
    """A pipe without a reader: one line, and the token is revoked."""
    ours, theirs = os.pipe()
    os.close(ours)
    with Web(vault) as web:
        process = start(web, stdout=theirs)
        os.close(theirs)
        _out, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert err.decode().splitlines() == [
        "the token was revoked",
        "error: the token cannot be written to standard output: Broken pipe",
    ]
    assert paths(web)[-1] == "/v1/auth/token/revoke-self"


def test_nobody_reads_the_help() -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    with Web(vault) as web:
        process = start(web, "--help", stdout=theirs)
        os.close(theirs)
        _out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_full_disk() -> None:
    with Web(vault) as web, Path("/dev/full").open("wb") as full:
        _out, err = (process := start(web, stdout=full)).communicate(timeout=30)
    assert process.returncode == 1
    assert err.decode().splitlines()[-1].startswith("error: the token cannot be written to standard output: No space")
    assert paths(web)[-1] == "/v1/auth/token/revoke-self"


@pytest.mark.parametrize("closed", ["<&-", "2>&-"])
def test_closed_streams(closed: str) -> None:
    """Neither standard input nor error is needed."""
    with Web(vault) as web:
        done = through_shell(web, closed)
    assert (done.returncode, done.stdout) == (0, f"{TOKEN}\n")


def test_closed_output() -> None:
    """Found out before the login, and no socket gets the token."""
    with Web(vault) as web:
        done = through_shell(web, ">&-")
    assert done.returncode == 1
    assert done.stderr.startswith("error: standard output: is closed")
    assert web.seen == []


def through_shell(web: Web, redirection: str) -> subprocess.CompletedProcess[str]:
    """The command with a stream closed."""
    environ = {"PYTHONPATH": os.pathsep.join(sys.path), "HOME": os.environ["HOME"], **environment(web)}
    return subprocess.run(
        ["/bin/sh", "-c", f'"$0" -m "$1" {redirection}', sys.executable, PACKAGE],
        env=environ,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_interrupted() -> None:
    """One word, and the code that shells use, while the server is silent."""
    with Web(hang(20)) as web:
        process = start(web)
        give_up = time.monotonic() + 20
        while not web.seen and time.monotonic() < give_up:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=10)
    assert (process.returncode, out, err) == (130, b"", b"interrupted\n")


# --- errors


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.ConfigError("role", "is missing"), 1),
        (errors.SinkError("cannot write"), 1),
        (errors.VaultError("no"), 2),
        (errors.VaultError("no", retry=Retry.RESIGN), 2),
        (errors.VaultError("away", retry=Retry.TRANSIENT), 3),
        (errors.CredentialsError("none", retry=Retry.TRANSIENT), 4),
        (errors.CredentialsError("broken"), 4),
        (errors.MetadataError("no answer"), 4),
    ],
)
def test_exit_codes(error: errors.LoginError, code: int) -> None:
    assert cli.exit_code(error) == code


@pytest.mark.parametrize(
    ("reply", "code", "said"),
    [
        (Reply(400, {"errors": ["entry for role web not found"]}), 2, "there is no role web at auth/aws"),
        (Reply(403, {"errors": ["permission denied"]}), 2, "permission denied"),
        (Reply(503, {"errors": ["Vault is sealed"]}), 3, "sealed"),
        (Reply(429, {"errors": ["slow down"]}), 3, "slow down"),
        (Reply(200, b"<html>"), 3, "is not a JSON object"),
        (Reply(200, {"auth": {"client_token": f"{TOKEN}\n"}}), 3, "has no usable token"),
        (Reply(200, {"auth": [TOKEN]}), 3, "has no auth block"),
        (drip(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 100000, 0), 2, "the answer is over"),
    ],
)  # fmt: skip
def test_answers_that_are_no_token(command: Run, reply: Reply, code: int, said: str) -> None:
    """One line, with what to do; nothing on stdout."""
    with Web(reply) as web:
        found, out, err = command(web, "--timeout", "20")
    assert (found, out) == (code, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert said in err


def test_server_is_away(command: Run) -> None:
    with Web(vault) as web:
        code, _out, err = command(web, "--url", f"http://127.0.0.1:{closed_port()}")
    assert code == 3
    assert "the network, and that the server runs" in err


def test_no_credentials(command: Run) -> None:
    with Web(vault) as web:
        code, out, err = command(web, "--profile", "nobody")
    assert (code, out) == (4, "")
    assert "nobody" in err
    assert web.seen == []


def test_ec2_without_nonce(command: Run) -> None:
    """A nonce that nobody knows would lock the instance out."""
    with Web(vault) as web:
        code, _out, err = command(web, "--type", "ec2")
    assert code == 1
    assert err.startswith("error: nonce: is missing")
    assert "--nonce-file" in err


def test_missing_library(command: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lib_hvac, "MISSING", ImportError("canary"))
    with Web(vault) as web:
        assert command(web)[::2] == (
            1,
            f"error: hvac: this Python package is missing -- install it for {sys.executable}\n",
        )


def test_a_bug(command: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a traceback nor the message, which may hold a secret."""

    def fails(*_args: object) -> t.NoReturn:
        raise ValueError(TOKEN)

    monkeypatch.setattr(login, "log_in", fails)
    with Web(vault) as web:
        code, out, err = command(web)
    assert (code, out) == (2, "")
    assert err.startswith("error: this is a bug of vault-aws-login: ValueError at test_cli.py:")


def test_hostile_names(command: Run) -> None:
    """What a server calls us cannot steer the terminal."""
    metadata = {"client_arn": "arn:\x1b]0;evil\x07"}
    answer = {**LOGIN, "auth": {**AUTH, "metadata": metadata, "policies": ["\x1b[2J", "a\nerror: forged"]}}
    with Web([Reply(body=answer), Reply(204)]) as web:
        code, _out, err = command(web, "--store")
    assert code == 0
    assert "\x1b" not in err
    assert "\x07" not in err
    assert err.count("\n") == 2
