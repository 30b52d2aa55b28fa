# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one place where options are parsed and judged. No I/O beyond looking at the files that options name."""

from __future__ import annotations

import dataclasses
import os
import re
import stat
import typing as t
from urllib.parse import SplitResult, urlsplit

from .durations import parse_duration
from .errors import ConfigError

Options = t.Mapping[str, t.Any]

DEFAULT_REGION = "us-east-1"
SIGNATURE_TYPES = ("identity", "pkcs7", "rsa2048")
_IAM_ONLY = (
    "access_key",
    "secret_key",
    "session_token",
    "profile",
    "region",
    "sts_endpoint",
    "header_value",
    "assume_role_arn",
    "assume_role_external_id",
    "assume_role_session_name",
)
_EC2_ONLY = ("signature_type", "nonce")
_LONGEST_NONCE = 128  # bytes; the server refuses more (vault builtin/credential/aws/path_login.go)
_LONGEST_PATH = 300  # characters of one that an error repeats
# Patterns are compiled when they are used: a module pays for each that is compiled at import.
_ROLE_ARN = r"arn:[a-z0-9-]+:iam::\d{12}:role/[\w+=,.@/-]{1,512}"
_HOST_NAME = r"(?=.{1,253}\Z)[\w-]{1,63}(\.[\w-]{1,63})*\.?"  # the lengths of RFC 1035
_SESSION_NAME = r"[\w+=,.@-]{2,64}"  # STS API reference, AssumeRole
_EXTERNAL_ID = r"[\w+=,.@:/-]{2,1224}"  # the same


@dataclasses.dataclass(frozen=True)
class LoginConfig:
    """What a login is, by Vault Agent's names; build it with ``from_options``.

    region None means: that of the sts_endpoint's host, else us-east-1. wrap_ttl is in seconds, 0 for a plain token.
    """

    type: str
    role: str
    mount_path: str = "aws"
    region: str | None = None
    sts_endpoint: str = "auto"
    access_key: str | None = None
    secret_key: str | None = dataclasses.field(default=None, repr=False)
    session_token: str | None = dataclasses.field(default=None, repr=False)
    profile: str | None = None
    header_value: str | None = None
    signature_type: str = "identity"
    nonce: str | None = dataclasses.field(default=None, repr=False)
    assume_role_arn: str | None = None
    assume_role_external_id: str | None = dataclasses.field(default=None, repr=False)
    assume_role_session_name: str | None = None
    wrap_ttl: int = 0

    @classmethod
    def from_options(cls, options: Options) -> LoginConfig:
        """Judge ``options`` (this class's field names; None is absent). Raises ConfigError, which names the option."""
        given = _present(cls, options)
        kind = given.get("type")
        if kind not in ("iam", "ec2"):
            _fail("type", f"{_show(kind)} is not a type" if kind else "is missing", "set it to iam or ec2")
        _refuse_other_type(given, str(kind))
        values = dict(given)
        values["role"] = _role(given.get("role"))
        values["mount_path"] = mount_path(given.get("mount_path", "aws"))
        values["wrap_ttl"] = parse_duration("wrap_ttl", given["wrap_ttl"], minimum=1) if "wrap_ttl" in given else 0
        for name in ("access_key", "secret_key", "session_token", "profile", "region"):
            if name in given:
                values[name] = _word(name, given[name])
        if "header_value" in given:
            values["header_value"] = _header(given["header_value"])
        values["sts_endpoint"] = _sts_endpoint(given.get("sts_endpoint", "auto"))
        if given.get("signature_type", "identity") not in SIGNATURE_TYPES:
            _fail("signature_type", f"{_show(given['signature_type'])} is unknown", "use " + ", ".join(SIGNATURE_TYPES))
        if "nonce" in given:
            values["nonce"] = _nonce(given["nonce"])
        _judge_static_keys(given)
        _judge_assume_role(given)
        return cls(**values)


@dataclasses.dataclass(frozen=True)
class VaultConnection:
    """How to reach Vault; build it with ``from_options``.

    timeout: seconds, the deadline over all attempts of one operation. retries: attempts after the first one.
    proxies: None for the environment's, else a mapping of scheme to proxy URL (it may hold a password).
    """

    url: str
    namespace: str = ""
    ca_cert: str | None = None
    ca_path: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    validate_certs: bool = True
    tls_server_name: str | None = None
    timeout: int = 30
    retries: int = 3
    proxies: t.Mapping[str, str] | None = dataclasses.field(default=None, repr=False)

    @classmethod
    def from_options(cls, options: Options) -> VaultConnection:
        """Judge ``options`` (this class's field names; None is absent). Raises ConfigError, which names the option."""
        given = _present(cls, options)
        values = dict(given)
        values["url"] = _vault_url(given.get("url"))
        values["namespace"] = _namespace(given.get("namespace", ""))
        values["timeout"] = parse_duration("timeout", given.get("timeout", 30), minimum=1)
        values["retries"] = _retries(given.get("retries", 3))
        if not isinstance(given.get("validate_certs", True), bool):
            _fail("validate_certs", f"{_show(given['validate_certs'])} is not a boolean", "use true or false")
        if "client_key" in given and "client_cert" not in given:
            _fail("client_key", "is given without client_cert", "give both, or neither")
        for name in ("ca_cert", "client_cert", "client_key"):
            if name in given:
                values[name] = _readable_file(name, given[name])
        if "ca_path" in given:
            values["ca_path"] = _readable_directory("ca_path", given["ca_path"])
        if "tls_server_name" in given:
            values["tls_server_name"] = _server_name(given["tls_server_name"])
        if "proxies" in given:
            values["proxies"] = _proxies(given["proxies"])
        return cls(**values)


def part_for(cls: type[LoginConfig] | type[VaultConnection], options: Options) -> dict[str, t.Any]:
    """Of a front end's ``options``, those that ``cls`` judges and that are given."""
    return {field.name: options[field.name] for field in dataclasses.fields(cls) if options.get(field.name) is not None}


def mount_path(value: object) -> str:
    """Return the mount without ``auth/`` and outer slashes; ``auth/aws``, ``/aws/`` and ``aws`` are all ``aws``."""
    path = _word("mount_path", value).strip("/")
    if path.startswith("auth/"):
        path = path[len("auth/") :].strip("/")
    if not path or path == "auth" or not re.fullmatch(r"[\w.@+-]+(?:/[\w.@+-]+)*", path) or ".." in path.split("/"):
        _fail("mount_path", f"{_show(value)} is not a mount path", "give where the method is mounted, such as aws")
    return path


def _fail(option: str, problem: str, hint: str = "") -> t.NoReturn:
    raise ConfigError(option, problem, hint=hint)


def _show(value: object, longest: int = 80) -> str:
    """Repeat a wrong value that is no secret, shortened."""
    text = repr(value)
    return text if len(text) <= longest else text[: longest - 4] + " ..."


def _present(cls: type[LoginConfig] | type[VaultConnection], options: Options) -> dict[str, t.Any]:
    names = [field.name for field in dataclasses.fields(cls)]
    for name in options:
        if name not in names:
            import difflib

            near = difflib.get_close_matches(str(name), names, n=1)
            _fail(str(name)[:80], "is not an option", f"did you mean {near[0]}?" if near else "remove it")
    return {name: value for name, value in options.items() if value is not None}


def _refuse_other_type(given: Options, kind: str) -> None:
    others, other = (_IAM_ONLY, "iam") if kind == "ec2" else (_EC2_ONLY, "ec2")
    defaults = {field.name: field.default for field in dataclasses.fields(LoginConfig)}
    for name in others:
        if name in given and given[name] != defaults[name]:
            _fail(name, f"is for type {other}, but type is {kind}", f"remove it, or set type to {other}")


def _text(option: str, value: object) -> str:
    if not isinstance(value, str):
        _fail(option, f"a {type(value).__name__} is not text", "give it as a string")
    return value


def _word(option: str, value: object) -> str:
    """Text without white space or control characters, not empty. The value is not repeated: it may be a secret."""
    text = _text(option, value)
    if not text:
        _fail(option, "is empty", "give a value, or leave it out")
    if any(c.isspace() or not c.isprintable() for c in text):
        _fail(option, "holds white space or a control character", "remove it (a line break is often copied along)")
    return text


def _role(value: object) -> str:
    if value is None:
        _fail("role", "is missing", "name the role of the auth method to log in to")
    role = _word("role", value)
    if not re.fullmatch(r"\w(?:[\w.-]{0,510}\w)?", role, re.ASCII):  # framework.GenericNameRegex of Vault's SDK
        _fail("role", f"{_show(role)} is not a role name", "use letters, digits, '.', '-' and '_'")
    return role.lower()  # the server stores role names in lower case


def _header(value: object) -> str:
    text = _text("header_value", value).strip(" ")
    if not text or not text.isascii() or not text.isprintable():
        _fail("header_value", "must be one line of printable ASCII", "give iam_server_id_header_value as Vault has it")
    return text


def _nonce(value: object) -> str:
    nonce = _text("nonce", value)
    if not nonce:
        _fail(
            "nonce",
            "is empty, which would switch off re-authentication of this instance for good",
            "give the nonce of the first login, or leave it out for a new one",
        )
    if len(nonce.encode("utf-8", "replace")) > _LONGEST_NONCE:
        _fail("nonce", f"is longer than {_LONGEST_NONCE} bytes", "the server refuses that: use a UUID")
    if not nonce.isprintable():
        _fail("nonce", "holds a control character", "remove it (a line break is often copied along)")
    return nonce


def _split_url(option: str, value: object, example: str) -> SplitResult:
    text = _text(option, value)
    hint = f"give it like {example}"
    if not text.isascii() or not text.isprintable() or " " in text or "\\" in text:
        _fail(option, "holds white space, a backslash or a character that a URL cannot have", hint)
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        _fail(option, "is not a URL", hint)
    if parts.scheme not in ("http", "https") or not host or port == 0:
        _fail(option, "is not an http or https URL with a host", hint)
    if not re.fullmatch(r"[0-9a-f:.]+(%[\w.-]+)?" if ":" in host else _HOST_NAME, host):
        _fail(option, "has a host that is none", hint)
    if parts.username is not None or parts.password is not None:
        _fail(option, "holds a user name or password", hint)
    if parts.query or parts.fragment:
        _fail(option, "has a query or fragment", hint)
    return parts


def _server_name(value: object) -> str:
    """A name that a certificate can be for; anything else would end in an encoder's traceback in the TLS library."""
    name = _word("tls_server_name", value)
    address = ":" in name and re.fullmatch(r"[0-9A-Fa-f:.]+", name)
    if not address and not (name.isascii() and re.fullmatch(_HOST_NAME, name)):
        _fail("tls_server_name", f"{_show(name)} is not a host name", "give the name that the certificate is for")
    return name


def _vault_url(value: object) -> str:
    if not value:
        _fail("url", "is missing", "set url, or VAULT_ADDR or BAO_ADDR in the environment")
    parts = _split_url("url", value, "https://vault.example.org:8200")
    path = parts.path.rstrip("/")
    if path == "/v1" or path.startswith(("/v1/", "/ui")):
        _fail("url", f"has the path {_show(path)}", "give the server's address only, without /v1 or /ui")
    return f"{parts.scheme}://{parts.netloc}{path}"


def _sts_endpoint(value: object) -> str:
    if value in ("auto", "regional", "global"):
        return str(value)
    if "://" not in str(value):
        _fail("sts_endpoint", f"{_show(value)} is unknown", "use auto, regional, global or an https:// URL")
    parts = _split_url("sts_endpoint", value, "https://sts.eu-central-1.amazonaws.com")
    if parts.path not in ("", "/"):
        _fail("sts_endpoint", "has a path", "give scheme and host only")
    return f"{parts.scheme}://{parts.netloc}/"


def _namespace(value: object) -> str:
    namespace = _text("namespace", value).strip("/")
    if namespace:
        _word("namespace", namespace)
        if not namespace.isascii():
            _fail("namespace", "is not ASCII", "give the namespace's path, such as team/app")
    return namespace


def _retries(value: object) -> int:
    if isinstance(value, str) and re.fullmatch(r"\d{1,4}", value, re.ASCII):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 100:
        _fail("retries", f"{_show(value)} is not a number of retries", "give an integer from 0 to 100")
    return value


def _path(option: str, value: object) -> str:
    path = _text(option, value)
    if not path.isprintable():
        _fail(option, "holds a control character", "remove it (a line break is often copied along)")
    return os.path.expanduser(path)


def _readable_file(option: str, value: object) -> str:
    path = _path(option, value)
    try:
        # What is no file is not waited for: a FIFO would block, and be read empty.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise ValueError("not a file")
            os.read(descriptor, 1)
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as e:
        problem = f"cannot read {_show(path, _LONGEST_PATH)}: {_reason(e)}"
        _fail(option, problem, "give a PEM file that this user can read")
    return path


def _readable_directory(option: str, value: object) -> str:
    path = _path(option, value)
    try:
        os.listdir(path)
    except (OSError, ValueError) as e:
        problem = f"cannot read {_show(path, _LONGEST_PATH)}: {_reason(e)}"
        _fail(option, problem, "give a directory of hashed CA certificates")
    return path


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _proxies(value: object) -> dict[str, str]:
    """A URL for both schemes, or a mapping of them to URLs; a URL may hold a password, so none is repeated."""
    if isinstance(value, str):
        value = {"http": value, "https": value}
    if not isinstance(value, t.Mapping) or not value:
        _fail("proxies", "is neither a URL nor a mapping", "give a URL, or a mapping of http and https to a URL")
    for scheme, url in value.items():
        if scheme not in ("http", "https"):
            _fail("proxies", f"{_show(scheme)} is not a scheme", "use the keys http and https")
        try:
            parts = urlsplit(_text("proxies", url))
            fine = parts.scheme in ("http", "https", "socks5", "socks5h") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            fine = False
        if not fine or not str(url).isprintable():
            _fail("proxies", f"the one for {scheme} is not a proxy URL", "give it like http://proxy.example.org:3128")
    return dict(value)


def _judge_static_keys(given: Options) -> None:
    for name, other in (("access_key", "secret_key"), ("secret_key", "access_key")):
        if name in given and other not in given:
            _fail(other, f"is missing, but {name} is given", "give both, or neither")
    if "session_token" in given and "access_key" not in given:
        _fail("access_key", "is missing, but session_token is given", "give access_key and secret_key with it")
    if "access_key" in given and "profile" in given:
        _fail("profile", "is given together with access_key", "give one of them")


def _judge_assume_role(given: Options) -> None:
    if "assume_role_arn" not in given:
        for name in ("assume_role_external_id", "assume_role_session_name"):
            if name in given:
                _fail("assume_role_arn", f"is missing, but {name} is given", "name the role to assume")
        return
    for name, pattern, hint in (
        ("assume_role_arn", _ROLE_ARN, "give it like arn:aws:iam::123456789012:role/vault-client"),
        ("assume_role_external_id", _EXTERNAL_ID, "use 2 to 1224 letters, digits and +=,.@:/-_"),
        ("assume_role_session_name", _SESSION_NAME, "use 2 to 64 letters, digits and +=,.@-_"),
    ):
        if name in given and not re.fullmatch(pattern, _text(name, given[name]), re.ASCII):
            _fail(name, "is not of the form that AWS takes", hint)
