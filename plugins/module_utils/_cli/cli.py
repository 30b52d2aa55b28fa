# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command: one login, and its token to where it was asked for, or to nobody.

Exit codes, by the class of the error, in line with the agent's: 0 fine; 1 usage, options, files; 2 Vault refused, and
will again; 3 it may work later; 4 no usable AWS credentials or instance identity; 130 interrupted.
"""

from __future__ import annotations

import contextlib
import os
import sys
import typing as t

from .._agent.problems import printable
from .._auth import cores, environment
from .._auth.config import LoginConfig, VaultConnection
from .._auth.errors import ConfigError, CredentialsError, LoginError, MetadataError, Retry, SinkError, bug, mask, redact
from . import arguments, output
from .arguments import Given

if t.TYPE_CHECKING:
    from .._auth.login import LoggedIn
    from .._auth.sink import Sink
    from .._auth.vault import Vault

FINE, CONFIGURATION, REFUSED, TRANSIENT, CREDENTIALS, INTERRUPTED = 0, arguments.USAGE, 2, 3, 4, 130


def main(argv: t.Sequence[str] | None = None) -> int:
    """Run the command, and return its exit code. argv: without the program's name; None for ``sys.argv``."""
    cores.forbid()
    try:
        _run(arguments.read(argv))
        return FINE
    except LoginError as e:
        _say(f"error: {e}")
        return exit_code(e)
    except KeyboardInterrupt:
        _say("interrupted")
        return INTERRUPTED
    except SystemExit as e:  # of argparse, which has printed what there is to say
        _flush()
        return int(e.code or FINE)
    except Exception as e:  # noqa: BLE001 - a traceback may hold a secret
        _say(f"error: {bug(e, arguments.PROGRAM)}")
        return REFUSED


def exit_code(error: LoginError) -> int:
    """The code for a class of errors."""
    if isinstance(error, (ConfigError, SinkError)):
        return CONFIGURATION
    if isinstance(error, (CredentialsError, MetadataError)):
        return CREDENTIALS
    return TRANSIENT if error.retry is Retry.TRANSIENT else REFUSED


def _run(given: Given) -> None:
    """Judge everything, log in, and deliver. Raises LoginError."""
    config = LoginConfig.from_options(given.login)
    connection = VaultConnection.from_options(given.connection)
    prints = given.show or not (given.store or _is_terminal())
    _judge(given, config, prints)
    place = output.store() if given.store else None
    vault = _vault(config, connection)
    try:
        for warning in environment.warnings(connection):
            _say(f"warning: {warning}")
        if given.check:
            _say("the options are fine")
            return
        if place:
            from .._auth import sink

            sink.check_writable(place)
        _log_in(given, config, vault, place, prints)
    finally:
        vault.close()


def _log_in(given: Given, config: LoginConfig, vault: Vault, place: Sink | None, prints: bool) -> None:
    from .._auth.login import log_in

    done = log_in(config, vault)
    try:
        _warn(done)
        if prints:
            _print(output.text(given.format, done, vault.connection))
        if place:
            _store(place, done)
    except BaseException:
        _say(_forget(vault, done))  # nobody has it
        raise
    if place or _is_terminal():
        _say(output.summary(done, vault.connection, config.role))
    if place:
        _say(f"the token is in {place.path}")
    elif not prints:
        _say(f"{_forget(vault, done)}; send the output to a program or a file, or use --show or --store, to have one")


def _judge(given: Given, config: LoginConfig, prints: bool) -> None:
    """What only this command demands. Raises ConfigError."""
    if config.type == "ec2" and not config.nonce:
        raise ConfigError(
            "nonce",
            "is missing: Vault would bind this instance to one that nobody knows",
            hint="give that of the instance's first login with --nonce-file or VAULTFLEET_AWS_NONCE; for the first"
            " login make one (cat /proc/sys/kernel/random/uuid > FILE) and keep it",
        )
    if config.wrap_ttl and given.store:
        raise ConfigError("wrap_ttl", "cannot go with --store", hint="a wrapping token is for one use: print it")
    if config.wrap_ttl and given.format == "env":
        raise ConfigError("wrap_ttl", "cannot go with --format env", hint="use --format token or json, and unwrap it")
    if config.wrap_ttl and not prints:
        raise ConfigError("wrap_ttl", "a terminal does not get the token", hint="send the output on, or add --show")
    if prints and sys.stdout is None:
        raise ConfigError("standard output", "is closed", hint="send it to a program or a file, or use --store")


def _vault(config: LoginConfig, connection: VaultConnection) -> Vault:
    """The server; no request is made yet. Raises ConfigError."""
    from .._agent.log import silence_libraries

    silence_libraries()
    from .._auth import lib_botocore, lib_hvac

    for library, missing in (("botocore", lib_botocore.MISSING), ("hvac", lib_hvac.MISSING)):
        if missing:
            raise ConfigError(library, "this Python package is missing", hint=f"install it for {sys.executable}")
    from .._auth.login import check
    from .._auth.vault import Vault

    check(config)
    return Vault(connection, arguments.PROGRAM)


def _store(place: Sink, done: LoggedIn) -> None:
    from .._auth import sink

    sink.write(place, output.secret_of(done))
    for name in output.overrides():
        _say(f"warning: {name} is set, and Vault's clients prefer it to the stored token: unset it")


def _forget(vault: Vault, done: LoggedIn) -> str:
    """Revoke a token that reaches nobody, and say what came of it."""
    token = done.login.token
    if token is None:
        return "the wrapped answer is lost, and ends by itself"
    try:
        revoked = vault.revoke_self(token.client_token)
    except LoginError:
        revoked = False
    return "the token was revoked" if revoked else f"the server did not revoke the token, which {output.end(done)}"


def _warn(done: LoggedIn) -> None:
    warnings = done.login.answer.get("warnings")
    for warning in warnings if isinstance(warnings, list) else []:
        _say(f"warning: Vault says: {redact(str(warning))}")


def _is_terminal() -> bool:
    return sys.stdout is not None and sys.stdout.isatty()


def _print(text: str) -> None:
    """Write to standard output, past Python's buffer, which would keep what cannot be written. Raises SinkError."""
    rest = os.fsencode(text)
    try:
        sys.stdout.flush()
        while rest:
            rest = rest[os.write(sys.stdout.fileno(), rest) :]
    except OSError as e:
        raise SinkError("the token cannot be written to standard output", server=e.strerror or "") from None


def _say(text: str) -> None:
    """One line for the person, if there is one to read it."""
    with contextlib.suppress(OSError, ValueError, AttributeError):  # Python has no stderr at all where it was closed
        sys.stderr.write(printable(mask(text)) + "\n")


def _flush() -> None:
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains at its end


if __name__ == "__main__":  # a file of that name is refused by Galaxy
    raise SystemExit(main())
