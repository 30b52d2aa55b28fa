# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command line, and the files that secrets come from."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.config import LoginConfig
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.errors import ConfigError
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.version import VERSION
from ansible_collections.vaultfleet.aws.plugins.module_utils._cli import arguments, cli

CANARY = "canary-0123456789"
PACKAGE = "ansible_collections.vaultfleet.aws.plugins.module_utils._cli"


@pytest.mark.parametrize("name", arguments.BY_FILE)
@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_secrets_of_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, ending: str) -> None:
    """Without the line break that editors leave; a file beats the environment."""
    file = tmp_path / "secret"
    file.write_bytes(f"{CANARY}{ending}".encode())
    monkeypatch.setenv(f"VAULTFLEET_AWS_{name.upper()}", "of the environment")
    given = arguments.read([f"--{name.replace('_', '-')}-file", str(file)])
    assert given.login[name] == CANARY
    assert CANARY not in repr(given)


def test_a_secret_of_a_pipe() -> None:
    """As shells make one for ``<(command)``."""
    ours, theirs = os.pipe()
    os.write(theirs, f"{CANARY}\n".encode())
    os.close(theirs)
    try:
        assert arguments.read(["--nonce-file", f"/dev/fd/{ours}"]).login["nonce"] == CANARY
    finally:
        os.close(ours)


def test_a_secret_of_standard_input(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Which stays open."""
    file = tmp_path / "secret"
    file.write_text(CANARY, encoding="ascii")
    with file.open(encoding="ascii") as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        assert arguments.read(["--secret-key-file", "-"]).login["secret_key"] == CANARY
        assert not stream.closed


def test_only_one_of_standard_input() -> None:
    with pytest.raises(ConfigError, match="two secrets cannot both come from standard input"):
        arguments.read(["--nonce-file", "-", "--secret-key-file", "-"])


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "nonce-file: cannot be read: No such file or directory"),
        (b"", "nonce-file: is empty"),
        (b"\n", "nonce-file: is empty"),
        (b"\xff\xfe" + CANARY.encode(), "nonce-file: cannot be read: it is not text"),
        (CANARY.encode() * 10000, "nonce-file: is too large"),
    ],
)
def test_files_that_hold_no_secret(tmp_path: Path, content: bytes | None, problem: str) -> None:
    """Told by the option's name, and nothing of the file is repeated."""
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        arguments.read(["--nonce-file", str(file)])
    assert str(caught.value).startswith(problem)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("stdin", [None, io.StringIO(CANARY)], ids=["closed", "in memory"])
def test_no_standard_input(monkeypatch: pytest.MonkeyPatch, stdin: io.StringIO | None) -> None:
    monkeypatch.setattr(sys, "stdin", stdin)
    with pytest.raises(ConfigError, match="nonce-file: cannot be read"):
        arguments.read(["--nonce-file", "-"])


@pytest.mark.parametrize(
    "argv",
    [
        ["--secret-key", CANARY],
        [f"--secret-key={CANARY}"],
        [f"--aws-secret-access-key={CANARY}"],
        ["--session-token", CANARY],
        [f"aws_secret_access_key={CANARY}", "role=web"],
        [f"aws_security_token={CANARY}"],
        ["--nonce", CANARY],
        [f"--proxies=http://me:{CANARY}@proxy.test"],
    ],
)
def test_secrets_on_the_command_line(argv: list[str]) -> None:
    """Refused with what to do instead, and never repeated."""
    with pytest.raises(ConfigError) as caught:
        arguments.read(argv)
    assert "a secret cannot be given on the command line" in str(caught.value)
    assert "--secret-key-file" in str(caught.value)
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("--rolle=web", "'rolle': is not an option -- did you mean --role?"),
        ("-role=web", "'role': is not an option -- did you mean --role?"),
        ("role=web", "'role': is not an option -- did you mean --role?"),
        ("--nonc-file=x", "'nonc_file': is not an option -- did you mean --nonce-file?"),
        ("--mount-pth", "'mount_pth': is not an option -- did you mean --mount-path?"),
        ("-method=aws", "'method': is not an option"),
        ("--frobnicate", "'frobnicate': is not an option -- see --help"),
        (CANARY, "arguments: there is one that is not an option -- see --help"),
        ("", "arguments: there is one that is not an option -- see --help"),
        (f"-\x1b]{'x' * 1000}", "'\\x1b]xxx"),
    ],
)
def test_unknown_arguments(argument: str, expected: str) -> None:
    """Those of ``vault login`` among them; what stands alone may be a secret."""
    with pytest.raises(ConfigError) as caught:
        arguments.read(["--role", "web", argument])
    shown = str(caught.value)
    assert shown.startswith(expected)
    assert len(shown) < 300
    assert CANARY not in shown


@pytest.mark.parametrize("argv", [["--role"], ["--type", "iamm"], ["--format", "yaml"], ["--show=1"], ["--rol", "x"]])
def test_usage(argv: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    """One line, and the code of wrong options."""
    assert cli.main(argv) == 1
    seen = capfd.readouterr()
    assert seen.out == ""
    assert seen.err.startswith("error: ")
    assert seen.err.count("\n") == 1


def test_version(capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capfd.readouterr().out == f"vault-aws-login {VERSION}\n"


def test_help(capfd: pytest.CaptureFixture[str]) -> None:
    """Every option, and the exit codes."""
    assert cli.main(["--help"]) == 0
    shown = capfd.readouterr().out
    for name in (*arguments.LOGIN, *arguments.CONNECTION):
        assert f"--{name.replace('_', '-')}{'-file' if name in arguments.BY_FILE else ''}" in shown
    assert "exit codes: 0 fine; 1 " in shown
    assert max(map(len, shown.splitlines())) <= 120


def test_help_loads_no_libraries() -> None:
    """Nor does a mistake in the options."""
    script = (
        f"import sys; from {PACKAGE}.cli import main; codes = [main(['--help']), main(['--role', 'web'])];"
        "print(codes, [name for name in sys.modules if name.split('.')[0] in"
        " ('botocore', 'hvac', 'requests', 'urllib3', 'ansible', 'ssl')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[0, 1] []"


def test_type() -> None:
    """It need not be given, as with the module."""
    assert LoginConfig.from_options(arguments.read(["--role", "web"]).login).type == "iam"
