# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""No secret shows: every dataclass of the core, found by looking, and every error made of answers with secrets."""

from __future__ import annotations

import dataclasses
import importlib
import logging
import pkgutil
import traceback
import typing as t

import pytest

from ansible_collections.vaultfleet.aws.plugins.module_utils import _auth
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.config import LoginConfig
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.errors import LoginError, VaultError, redact
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.login import log_in
from ansible_collections.vaultfleet.aws.tests.unit.support.vaults import LOGIN, TOKEN, plain_vault_at
from ansible_collections.vaultfleet.aws.tests.unit.support.web import Reply, Seen, Web

CANARY = "canary-0123456789abcdef"

# Each field of each dataclass of the core is on one of the two lists: a new one has to be judged.
SECRET: dict[str, set[str]] = {
    "Credentials": {"secret_key", "session_token"},
    "IdentityDocument": {"document", "proof"},
    "LoggedIn": {"nonce"},
    "Login": {"answer"},
    "LoginConfig": {"secret_key", "session_token", "nonce", "assume_role_external_id"},
    "LoginRequest": {"body", "secrets"},
    "Token": {"client_token", "metadata"},
    "Unwrapped": {"auth"},
    "VaultConnection": {"proxies"},
    "Wrapped": {"token"},
    "Wrapping": {"token"},
}
OPEN: dict[str, set[str]] = {
    "Credentials": {"access_key", "provider"},
    "Hint": {"name", "pattern", "retry", "advice", "status", "of_login"},
    "Identity": {"type", "provider", "account_id", "arn", "instance_id", "region"},
    "IdentityDocument": {"signature_type", "instance_id", "account_id", "region"},
    "Kept": {"token", "why", "record"},
    "LoggedIn": {"login", "identity"},
    "Login": {"token", "wrapped"},
    "LoginConfig": {
        "type", "role", "mount_path", "region", "sts_endpoint", "access_key", "profile", "header_value",
        "signature_type", "assume_role_arn", "assume_role_session_name", "wrap_ttl",
    },
    "LoginRequest": {"facts"},
    "Record": {
        "fingerprint", "accessor", "url", "namespace", "mount_path", "role", "type", "expires_at", "trusted", "version",
    },
    "Sink": {"path", "mode", "uid", "gid"},
    "StsTarget": {"url", "host", "region"},
    "Token": {"accessor", "ttl", "renewable", "num_uses", "policies", "since"},
    "Unwrapped": {"token"},
    "VaultConnection": {
        "url", "namespace", "ca_cert", "ca_path", "client_cert", "client_key", "validate_certs", "tls_server_name",
        "timeout", "retries",
    },
    "Wrapped": {"accessor", "ttl", "creation_path"},
    "Wrapping": {"path"},
    "Health": {"initialized", "sealed", "standby", "recovery_secondary", "version", "clock_ahead"},
    "_Service": {"url", "timeout", "attempts", "v1"},
}  # fmt: skip


def all_dataclasses() -> list[type[t.Any]]:
    """Every dataclass that a module of the core defines."""
    found: list[type[t.Any]] = []
    for module in pkgutil.iter_modules(_auth.__path__, _auth.__name__ + "."):
        for item in vars(importlib.import_module(module.name)).values():
            if isinstance(item, type) and "__dataclass_fields__" in vars(item) and item.__module__ == module.name:
                found.append(item)
    return found


CLASSES = all_dataclasses()


def test_all_are_judged() -> None:
    """The lists name all that there is, and nothing else."""
    actual = {cls.__name__: {field.name for field in dataclasses.fields(cls)} for cls in CLASSES}
    listed = {name: SECRET.get(name, set()) | OPEN.get(name, set()) for name in SECRET.keys() | OPEN.keys()}
    assert actual == listed
    assert len(CLASSES) == len(actual)


@pytest.mark.parametrize("cls", CLASSES, ids=[cls.__name__ for cls in CLASSES])
def test_dataclass(cls: type[t.Any], caplog: pytest.LogCaptureFixture) -> None:
    """Frozen; its secrets show in no form, alone, inside others, in a log or in a traceback; the rest does show."""
    secret = SECRET.get(cls.__name__, set())
    made = cls(**{f.name: CANARY if f.name in secret else f"open-{f.name}" for f in dataclasses.fields(cls)})
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("a.user's").debug("%s %r %s", made, made, [made])
    with pytest.raises(RuntimeError) as caught:
        raise RuntimeError(made)
    lines = "".join(traceback.format_exception(caught.type, caught.value, caught.tb))
    shown = "\n".join([repr(made), str(made), f"{made}", f"{made!r}", str({"a": [made]}), caplog.text, lines])
    assert CANARY not in shown
    for name in OPEN.get(cls.__name__, set()):
        assert f"open-{name}" in shown
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(made, dataclasses.fields(cls)[0].name, "x")


def subclasses(kind: type[LoginError]) -> list[type[LoginError]]:
    """``kind`` and all that the core makes of it."""
    own = [sub for sub in kind.__subclasses__() if sub.__module__.startswith(_auth.__name__)]
    return [kind, *(deeper for sub in own for deeper in subclasses(sub))]


@pytest.mark.parametrize("kind", subclasses(LoginError), ids=lambda kind: str(kind.__name__))
def test_error(kind: type[LoginError]) -> None:
    """Whatever is in its text is what it was given, redacted."""
    said = redact(f"you sent {CANARY} and {TOKEN}", (CANARY,))
    error = kind("option", said) if kind.__name__ == "ConfigError" else kind("what", server=said)  # type: ignore[call-arg]
    lines = "".join(traceback.format_exception(kind, error, None))
    for shown in (str(error), repr(error), lines, str(error.args)):
        assert CANARY not in shown
        assert TOKEN not in shown


def echo(seen: Seen, status: int) -> Reply:
    """A gateway that is too helpful: it sends everything back."""
    return Reply(status, {"errors": [seen.body.decode(), str(seen.headers)]})


OPTIONS: dict[str, t.Any] = {
    "type": "iam", "role": "web", "access_key": "AKIAEXAMPLE", "secret_key": CANARY, "session_token": CANARY + "-2",
}  # fmt: skip


@pytest.mark.parametrize("status", [400, 403, 404, 429, 500])
@pytest.mark.parametrize("html", [False, True])
def test_echo_of_a_login(status: int, html: bool, caplog: pytest.LogCaptureFixture) -> None:
    """Neither keys nor the signed headers come back in an error, nor go to a log at DEBUG."""

    def answer(seen: Seen) -> Reply:
        page = b"<html>" + seen.body + b"</html>"
        return Reply(status, page, {"Content-Type": "text/html"}) if html else echo(seen, status)

    caplog.set_level(logging.DEBUG)
    with Web(answer) as web, plain_vault_at(web.url, retries=0) as vault, pytest.raises(VaultError) as caught:
        log_in(LoginConfig.from_options(OPTIONS), vault)
    shown = "\n".join([str(caught.value), repr(caught.value), caplog.text, *traceback.format_exception(
        VaultError, caught.value, caught.value.__traceback__)])  # fmt: skip
    assert CANARY not in shown
    assert web.seen[0].json["iam_request_headers"][:40] not in shown


@pytest.mark.parametrize("call", ["lookup_self", "renew_self", "revoke_self"])
def test_echo_of_a_token(call: str, caplog: pytest.LogCaptureFixture) -> None:
    """The token comes back in no error of its own calls, whatever it looks like."""
    caplog.set_level(logging.DEBUG)
    with (
        Web(lambda seen: echo(seen, 400)) as web,
        plain_vault_at(web.url) as vault,
        pytest.raises(VaultError) as caught,
    ):
        getattr(vault, call)(CANARY)
    assert CANARY not in str(caught.value) + repr(caught.value) + caplog.text
    assert "********" in str(caught.value)


def test_log_of_a_login(caplog: pytest.LogCaptureFixture) -> None:
    """One that works logs no secret at DEBUG either."""
    with caplog.at_level(logging.DEBUG), Web(Reply(body=LOGIN)) as web, plain_vault_at(web.url) as vault:
        done = log_in(LoginConfig.from_options(OPTIONS), vault)
        assert done.login.token
    assert caplog.records  # urllib3's: something is heard
    assert CANARY not in caplog.text
    assert TOKEN not in caplog.text + repr(done) + str(done)
