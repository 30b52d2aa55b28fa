# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the command line, files and the environment to the core's options, which judges them."""

from __future__ import annotations

import argparse
import dataclasses
import difflib
import os
import sys
import typing as t

from .._auth import environment
from .._auth.config import SIGNATURE_TYPES, LoginConfig, VaultConnection
from .._auth.errors import ConfigError
from .._auth.version import VERSION

PROGRAM = "vault-aws-login"
FORMATS = ("token", "env", "json")
USAGE = 1  # argparse's own 2 means that Vault refused
# Every process of a host can read command lines, so these have no option there but for a file; - is standard input.
BY_FILE = ("secret_key", "session_token", "nonce")
# Its URL may hold a password, and the usual variables of proxies do.
BY_ENVIRONMENT = ("proxies",)
CHOICES = {"type": ("iam", "ec2"), "signature_type": SIGNATURE_TYPES}
_LARGEST = 65536  # bytes of a secret
_SECRET_WORDS = ("secret", "token", "nonce", "password", "prox")

# Of each option of the core: what stands for its value, and what it is.
LOGIN = {
    "type": ("", "how this machine proves who it is (default: iam)"),
    "role": ("NAME", "role of the auth method"),
    "mount_path": ("PATH", "where the AWS auth method is mounted (default: aws)"),
    "region": ("NAME", "AWS region to sign for, or auto (default: us-east-1)"),
    "sts_endpoint": ("URL", "auto, regional, global or a URL (default: auto)"),
    "access_key": ("ID", "static AWS access key; without it, the AWS SDK's own chain"),
    "secret_key": ("FILE", "file that holds the secret key for --access-key"),
    "session_token": ("FILE", "file that holds the session token for --access-key"),
    "profile": ("NAME", "profile of the AWS configuration"),
    "header_value": ("VALUE", "signed header X-Vault-AWS-IAM-Server-ID"),
    "signature_type": ("", "proof of an ec2 login (default: identity)"),
    "nonce": ("FILE", "file that holds the re-authentication value of an ec2 login"),
    "assume_role_arn": ("ARN", "AWS role to assume first"),
    "assume_role_external_id": ("ID", "external ID for it"),
    "assume_role_session_name": ("NAME", "session name for it"),
    "wrap_ttl": ("TIME", "have the answer wrapped for this time, such as 5m"),
}
CONNECTION = {
    "url": ("URL", "address of Vault or OpenBao"),
    "namespace": ("PATH", "namespace of the auth method"),
    "ca_cert": ("FILE", "CA certificates that the server's is checked with"),
    "ca_path": ("FOLDER", "folder of hashed CA certificates"),
    "client_cert": ("FILE", "TLS client certificate"),
    "client_key": ("FILE", "its key"),
    "validate_certs": ("", "whether the server's certificate is checked (default: it is)"),
    "tls_server_name": ("NAME", "name that the server's certificate is for"),
    "timeout": ("TIME", "deadline over all attempts (default: 30s)"),
    "retries": ("COUNT", "attempts after the first (default: 3)"),
}
_EPILOG = """\
Each option NAME also comes from VAULTFLEET_AWS_NAME, those of the connection also from BAO_* and VAULT_* (VAULT_ADDR,
VAULT_CACERT, VAULT_NAMESPACE, VAULT_PROXY_ADDR and so on). Secrets are no options, as every process can read a command
line: they come from the environment, from files (- is standard input), or by the AWS SDK's own chain.

On a terminal the token is not shown: without --show and --store the login is only tried, and its token revoked.

  export VAULT_TOKEN=$(vault-aws-login --role web)
  eval "$(vault-aws-login --role web --format env)"

exit codes: 0 fine; 1 wrong options or files; 2 Vault refused; 3 it may work later (Vault is away, sealed or busy);
4 no usable AWS credentials or instance identity; 130 interrupted
"""


@dataclasses.dataclass(frozen=True)
class Given:
    """What to do. login, connection: options by the core's names, not judged yet, without those that were left out."""

    login: t.Mapping[str, t.Any] = dataclasses.field(repr=False)
    connection: t.Mapping[str, t.Any] = dataclasses.field(repr=False)
    format: str
    store: bool
    show: bool
    check: bool


def read(arguments: t.Sequence[str] | None) -> Given:
    """Return what ``arguments`` (None: ``sys.argv``), files and the environment ask for.

    Raises ConfigError, and SystemExit after ``--help``, ``--version`` and argparse's own errors.
    """
    parsed, unknown = _parser().parse_known_args(arguments)
    if unknown:
        raise _unknown(unknown[0])
    if [getattr(parsed, _attribute(name)) for name in BY_FILE].count("-") > 1:
        raise ConfigError("-", "two secrets cannot both come from standard input", hint="give a file for one of them")
    return Given(
        login={"type": "iam", **_options(LoginConfig, parsed)},
        connection=_options(VaultConnection, parsed),
        format=parsed.format,
        store=parsed.store,
        show=parsed.show,
        check=parsed.check,
    )


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> t.NoReturn:
        """End with our own code."""
        self.exit(USAGE, f"error: {message} (see --help)\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog=PROGRAM,
        usage="%(prog)s --role NAME [options]",
        description="Log in to HashiCorp Vault or OpenBao with an AWS identity, and print the token.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {VERSION}")
    result = parser.add_argument_group("what comes out")
    result.add_argument(
        "--format",
        choices=FORMATS,
        default="token",
        help="the token alone; export lines for a shell; or the server's whole answer (default: token)",
    )
    result.add_argument("--show", action="store_true", help="print, even on a terminal, or beside --store")
    result.add_argument(
        "--store", action="store_true", help="put the token where vault and bao find it: ~/.vault-token"
    )
    result.add_argument("--check", action="store_true", help="only judge the options; nothing is asked for")
    for title, table in (("the login", LOGIN), ("the connection", CONNECTION)):
        group = parser.add_argument_group(title)
        for name, (value, text) in table.items():
            _add(group, name, value, text)
    return parser


def _add(group: t.Any, name: str, value: str, text: str) -> None:
    flag = f"--{_attribute(name).replace('_', '-')}"
    if name in CHOICES:
        group.add_argument(flag, choices=CHOICES[name], help=text)
    elif name == "validate_certs":
        group.add_argument(flag, action=argparse.BooleanOptionalAction, help=text)
    else:
        group.add_argument(flag, metavar=value, help=text)


def _attribute(name: str) -> str:
    return f"{name}_file" if name in BY_FILE else name


def _options(cls: type[LoginConfig] | type[VaultConnection], parsed: argparse.Namespace) -> dict[str, t.Any]:
    found: dict[str, t.Any] = {}
    for field in dataclasses.fields(cls):
        value = getattr(parsed, _attribute(field.name), None)
        if value is not None and field.name in BY_FILE:
            value = _secret(field.name, value)
        if value is None:
            value = _from_environment(field.name)
        if value is not None:
            found[field.name] = value
    return found


def _from_environment(name: str) -> t.Any:
    if name == "validate_certs":
        return environment.validate_certs()
    return next((os.environ[variable] for variable in environment.variables(name) if os.environ.get(variable)), None)


def _secret(option: str, path: str) -> str:
    """The only line of a file; it may be a pipe, such as a shell makes for ``<(command)``. Raises ConfigError."""
    about = f"{option.replace('_', '-')}-file"
    try:
        with open(sys.stdin.fileno() if path == "-" else path, "rb", closefd=path != "-") as stream:
            content = stream.read(_LARGEST + 1)
        text = content.decode().rstrip("\r\n")
    except (OSError, ValueError, AttributeError) as e:  # Python has no stdin at all where it was closed
        reason = (e.strerror if isinstance(e, OSError) else None) or "it is not text"
        raise ConfigError(about, f"cannot be read: {reason}", hint="give a file that this user can read") from None
    if not text or len(content) > _LARGEST:
        raise ConfigError(about, "is too large" if text else "is empty", hint=f"put the {option} there, and only that")
    return text


def _unknown(argument: str) -> ConfigError:
    """The error for what is no option. Its value is not repeated: it may be a secret."""
    name = argument.partition("=")[0].strip("-").replace("-", "_").lower()
    is_option = argument.startswith("-") or "=" in argument
    if is_option and any(word in name for word in _SECRET_WORDS):
        return ConfigError(
            name[:80],
            "a secret cannot be given on the command line, where every process can read it",
            hint="use the environment (see --help), a file ("
            + ", ".join(_flags(BY_FILE))
            + "), or the AWS SDK's chain",
        )
    if not is_option:
        return ConfigError("arguments", "there is one that is not an option", hint="see --help")
    names = [_attribute(option) for option in (*LOGIN, *CONNECTION, "format", "show", "store", "check")]
    near = difflib.get_close_matches(name, names, n=1)
    return ConfigError(
        f"{name[:80]!r}", "is not an option", hint=f"did you mean {_flags(near)[0]}?" if near else "see --help"
    )


def _flags(names: t.Iterable[str]) -> list[str]:
    return [f"--{_attribute(name).replace('_', '-')}" for name in names]
