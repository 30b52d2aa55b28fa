# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command line: ``run``, ``check``, ``status``, and for the readers of encrypted sinks ``keygen`` and ``decrypt``.

Exit codes: 0 fine, 1 configuration, 2 permanent, 3 transient.

What a command does not need is loaded by the one that does: ``check`` judges a file without an HTTP library.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import os
import sys
import time
import typing as t

from .._auth import cores
from .._auth.errors import ConfigError, LoginError, Retry
from .._auth.version import VERSION

if t.TYPE_CHECKING:
    from .config import AgentConfig

FINE, CONFIGURATION, PERMANENT, TRANSIENT = 0, 1, 2, 3
_DEFAULT_NAME = "vault-agent"
# What the service manager told this process is for it alone, not for the programs that it starts.
_OURS = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "FDSTORE")


def main(arguments: t.Sequence[str] | None = None) -> int:
    """Run one command, and return its exit code. arguments: without the program's name; None for ``sys.argv``."""
    given = _parser().parse_args(arguments)
    try:
        code = int(given.command(given))
        sys.stdout.flush()
        return code
    except LoginError as e:
        for problem in getattr(e, "problems", (e,)):  # ConfigErrors has them all
            sys.stderr.write(f"error: {problem}\n")
        return _code_of(given.command, e)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains at its end
        return FINE


def _code_of(command: t.Callable[..., int], error: LoginError) -> int:
    if command is _decrypt and not isinstance(error, ConfigError):
        return TRANSIENT if error.retry is Retry.TRANSIENT else PERMANENT
    return TRANSIENT if command is _status else CONFIGURATION


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> t.NoReturn:
        """End as for a mistake in the configuration: argparse's own 2 means a permanent error here."""
        self.exit(CONFIGURATION, f"{self.format_usage()}error: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="vaultfleet-agent", description="Keeps a Vault token, had with an AWS identity, fresh in files."
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {VERSION}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    run = commands.add_parser("run", help="keep sinks and rendered files fresh until SIGTERM")
    run.set_defaults(command=_run)
    _add_config(run)
    _add_name(run)
    run.add_argument(
        "--once", action="store_true", help="write sinks and templates once and end; give up at the first error"
    )

    check = commands.add_parser("check", help="judge the configuration, without a request")
    check.set_defaults(command=_check)
    _add_config(check)
    check.add_argument("--connect", action="store_true", help="also try what the agent needs; nothing is logged in")

    shown = commands.add_parser("status", help="show what a running agent does")
    shown.set_defaults(command=_status)
    _add_name(shown)
    shown.add_argument("--json", action="store_true", help="for programs; times are seconds since the epoch")
    _add_commands_of_readers(commands)
    return parser


def _add_commands_of_readers(commands: argparse._SubParsersAction[_Parser]) -> None:
    keygen = commands.add_parser(
        "keygen",
        help="make the key pair of a reader of encrypted sinks",
        description="Makes a key pair. The sink's dh_path is the public one; whoever has the private one can decrypt.",
    )
    keygen.set_defaults(command=_keygen)
    keygen.add_argument("--key", required=True, metavar="FILE", help="new file for the private key (mode 0600)")
    keygen.add_argument("--public", required=True, metavar="FILE", help="new file for the public key, for dh_path")

    decrypt = commands.add_parser(
        "decrypt",
        help="print what an encrypted sink holds",
        description="Prints what an encrypted sink holds: the token, or with wrap_ttl the JSON with the wrapping token."
        " To a terminal only with --show.",
    )
    decrypt.set_defaults(command=_decrypt)
    decrypt.add_argument("--key", required=True, metavar="FILE", help="the private key, as keygen made it")
    aad = decrypt.add_mutually_exclusive_group()
    aad.add_argument("--aad", default="", metavar="TEXT", help="the sink's aad")
    aad.add_argument("--aad-env-var", metavar="NAME", help="the environment variable that holds it")
    decrypt.add_argument("--derive-key", action="store_true", help="for a sink with derive_key")
    decrypt.add_argument("--show", action="store_true", help="print it to a terminal, too")
    decrypt.add_argument("sink", metavar="SINK", help="the file that the agent writes")


def _add_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config",
        "-config",
        action="append",
        required=True,
        metavar="FILE",
        help="JSON as Vault Agent takes it, or a directory of such files; may be repeated",
    )


def _add_name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--name",
        default=_DEFAULT_NAME,
        metavar="NAME",
        help=f"the agent whose runtime directory it is, below /run (default: {_DEFAULT_NAME})",
    )


def _run(given: argparse.Namespace) -> int:
    from . import child, handed

    environ = dict(os.environ)
    for name in _OURS:
        os.environ.pop(name, None)
    keys = handed.aws_credentials(environ)
    if keys is not None:
        environ["AWS_SHARED_CREDENTIALS_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = keys
    os.umask(0o077)
    cores.forbid()
    if "LISTEN_FDS" not in environ:  # else there may be a kept token, and no login to prepare for
        child.prepare()
    from . import lean

    lean.load()
    from . import publish, runner, systemd
    from .log import silence_libraries
    from .store import Store

    descriptors = systemd.listen_fds(environ)
    loaded = _load(given, environ)
    silence_libraries()
    notifier = systemd.Notifier.from_environ(environ)
    around = runner.Surroundings(
        load=lambda: _load(given, environ),
        environ=environ,
        notifier=notifier,
        store=Store.from_fds(notifier, descriptors, systemd.store_limit(environ)),
        watchdog=systemd.watchdog_interval(environ),
        runtime=publish.runtime_directory(given.name, environ),
        once=given.once,
    )
    with _pid_file(loaded.pid_file):
        return runner.run(loaded, around)


def _load(given: argparse.Namespace, environ: t.Mapping[str, str], *, some: bool = True) -> AgentConfig:
    """The configuration, and the libraries that it takes are there. Raises LoginError."""
    from . import config

    loaded = config.load(given.config, environ, some=some)
    _demand_libraries(loaded)
    if any(sink.encryption for sink in loaded.sinks):
        from . import sealing

        sealing.load()
    return loaded


def _check(given: argparse.Namespace) -> int:
    from . import aws

    loaded = _load(given, os.environ, some=False)
    aws.check(loaded.login)
    for notice in loaded.notices:
        sys.stderr.write(f"notice: {notice}\n")
    sys.stdout.write("the configuration is fine\n")
    if not given.connect:
        return FINE
    from . import probe

    findings = probe.probe(loaded)
    for finding in findings:
        sys.stdout.write(f"{finding}\n")
    if all(finding.fine for finding in findings):
        return FINE
    permanent = any(finding.retry is Retry.PERMANENT for finding in findings if not finding.fine)
    return PERMANENT if permanent else TRANSIENT


def _status(given: argparse.Namespace) -> int:
    from . import publish, status

    seen = publish.read(given.name, os.environ)
    seen["running"] = publish.is_running(seen)
    token = seen.get("token")
    if token and token.get("expires_at") is not None:
        token["expires_in"] = round(max(0.0, token["expires_at"] - time.time()), 1)
    if given.json:
        sys.stdout.write(json.dumps(seen, indent=1) + "\n")
    else:
        try:
            sys.stdout.write(status.report(seen) + "\n")
        except (KeyError, TypeError, AttributeError):
            hint = "use the status command of that version, or --json"
            raise LoginError("the agent's status is of another version of it", hint=hint) from None
    if not seen["running"]:
        return TRANSIENT
    return {"blocked": PERMANENT, "starting": TRANSIENT, "waiting": TRANSIENT}.get(seen["state"], FINE)


def _keygen(given: argparse.Namespace) -> int:
    from . import reader

    cores.forbid()
    reader.keygen(given.key, given.public)
    return FINE


def _decrypt(given: argparse.Namespace) -> int:
    from . import reader

    cores.forbid()
    terminal = sys.stdout.isatty()
    if terminal and not given.show:
        raise ConfigError("--show", "is missing, and this is a terminal", hint="add it, or send the secret to a pipe")
    text = reader.decrypt(given.sink, given.key, reader.aad(given.aad, given.aad_env_var, os.environ), given.derive_key)
    if terminal and not text.endswith("\n"):
        text += "\n"
    sys.stdout.write(text)
    return FINE


def _demand_libraries(loaded: AgentConfig) -> None:
    """Say which library is missing before it is needed. Raises LoginError."""
    for name in ("hvac", "botocore", "jinja2") if loaded.templates else ("hvac", "botocore"):
        if importlib.util.find_spec(name) is None:
            raise LoginError(f"the Python package {name} is missing", hint=f"install it for {sys.executable}")


@contextlib.contextmanager
def _pid_file(path: str | None) -> t.Iterator[None]:
    """Hold our process id in a file, as Vault Agent does: decimal, without a line break."""
    if path is None:
        yield
        return
    from .._auth import sink

    sink.write(sink.Sink(path, 0o644), str(os.getpid()))
    try:
        yield
    finally:
        with contextlib.suppress(LoginError):
            if sink.read(path) == str(os.getpid()):
                sink.remove(path)


if __name__ == "__main__":  # a file of that name is refused by Galaxy
    raise SystemExit(main())
