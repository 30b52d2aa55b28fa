# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The error family: what failed, what the server said, what to change, and whether trying again can help."""

from __future__ import annotations

import enum
import os
import re
import typing as t

_LONGEST_ANSWER = 600  # characters of a server's answer that an error repeats
# AWS repeats the canonical request in some refusals, and with it the session token.
_IN_HEADER = r"(x-amz-security-token:)[^\s\\]+"
_VAULT_SHAPE = r"\b(hv[sbr]\.|[sbr]\.)[A-Za-z0-9_-]{20,}"


class Retry(enum.Enum):
    """What a failed attempt means for the next one.

    PERMANENT: the same again until somebody changes something. RESIGN: once more, at once, with fresh credentials and
    a fresh signature. TRANSIENT: again after a pause.
    """

    PERMANENT = "permanent"
    RESIGN = "re-sign"
    TRANSIENT = "transient"


class LoginError(Exception):
    """Root of the family; ``str()`` is one line for a person, without secrets.

    what: what failed. server: what the other side said, shortened and redacted, or "". hint: what to change, or "".
    """

    def __init__(self, what: str, *, server: str = "", hint: str = "", retry: Retry = Retry.PERMANENT) -> None:
        self.what = what
        self.server = server
        self.hint = hint
        self.retry = retry
        super().__init__(what)

    def __str__(self) -> str:
        text = self.what
        if self.server:
            text += f": {self.server}"
        if self.hint:
            text += f" -- {self.hint}"
        return text


class ConfigError(LoginError):
    """An option is wrong; raised before any request. ``option`` is its name."""

    def __init__(self, option: str, problem: str, *, hint: str = "") -> None:
        super().__init__(f"{option}: {problem}", hint=hint)
        self.option = option


class CredentialsError(LoginError):
    """No usable AWS credentials."""


class MetadataError(LoginError):
    """The instance metadata service gave no usable answer."""


class SinkError(LoginError):
    """A token file cannot be read or written."""


class VaultError(LoginError):
    """Vault refused, or could not be reached.

    status: the HTTP status, or None if there was no answer. retry_after: seconds the server asked to wait, or None.
    row: name of the known answer (``hints.ROWS``) that it is, or "".
    """

    def __init__(
        self,
        what: str,
        *,
        server: str = "",
        hint: str = "",
        retry: Retry = Retry.PERMANENT,
        status: int | None = None,
        retry_after: float | None = None,
        row: str = "",
    ) -> None:
        super().__init__(what, server=server, hint=hint, retry=retry)
        self.status = status
        self.retry_after = retry_after
        self.row = row


def redact(text: str, secrets: t.Iterable[str | None] = ()) -> str:
    """Return a server's ``text`` on one line, shortened, with the given secrets and everything token-like masked."""
    text = mask(text, secrets)
    # Line breaks and control characters of a hostile answer must not forge lines of our output.
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return text if len(text) <= _LONGEST_ANSWER else text[: _LONGEST_ANSWER - 4] + " ..."


def mask(text: str, secrets: t.Iterable[str | None] = ()) -> str:
    """Return ``text`` with the given secrets and everything token-like masked; to be cut only after this."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "********")
    text = re.sub(_IN_HEADER, r"\1********", text, flags=re.IGNORECASE)
    return re.sub(_VAULT_SHAPE, r"\1********", text)


def bug(error: Exception, program: str) -> str:
    """Return what is said of an error that nobody expected: its kind and place, as its message may hold a secret."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = "?" if trace is None else f"{os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno}"
    return f"this is a bug of {program}: {type(error).__name__} at {place}"
