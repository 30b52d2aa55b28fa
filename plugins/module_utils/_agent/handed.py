# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the service manager hands to the agent: credentials of the unit (``LoadCredential=``), and directories.

Secrets come this way because the configuration is also read by people, and an environment by whoever runs there.
"""

from __future__ import annotations

import os
import typing as t

from .._auth.errors import ConfigError

AWS_CREDENTIALS = "aws-credentials"  # a file as the AWS SDKs share it
NONCE = "nonce"
_LONGEST = 4096  # bytes


def aws_credentials(environ: t.Mapping[str, str]) -> str | None:
    """Return the path of the AWS credentials file that was handed over, or None."""
    path = _path(environ, AWS_CREDENTIALS)
    return path if path and os.path.isfile(path) else None


def nonce(environ: t.Mapping[str, str]) -> str | None:
    """Return the nonce that was handed over, without its line break, or None. Raises ConfigError if it is no text."""
    path = _path(environ, NONCE)
    if path is None:
        return None
    try:
        with open(path, encoding="utf-8") as file:
            return file.read(_LONGEST).rstrip("\n")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError):
        hint = "see the LoadCredential= of the unit"
        raise ConfigError("nonce", f"the credential {NONCE!r} of the unit cannot be read", hint=hint) from None


def runtime_directories(environ: t.Mapping[str, str]) -> tuple[str, ...]:
    """Return the directories below /run that the service manager makes for the agent; they may not be there yet."""
    return tuple(os.path.normpath(path) for path in environ.get("RUNTIME_DIRECTORY", "").split(":") if path)


def _path(environ: t.Mapping[str, str], name: str) -> str | None:
    directory = environ.get("CREDENTIALS_DIRECTORY", "")
    return os.path.join(directory, name) if directory else None
