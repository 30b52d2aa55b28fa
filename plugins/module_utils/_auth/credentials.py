# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What signs an identity request: static keys if there are any, else what botocore's chain finds."""

from __future__ import annotations

import dataclasses
import logging

from .config import LoginConfig


@dataclasses.dataclass(frozen=True)
class Credentials:
    """One consistent set of keys. provider: botocore's name of what answered (``env``, ``iam-role``), or ``static``."""

    access_key: str
    secret_key: str = dataclasses.field(repr=False)
    session_token: str | None = dataclasses.field(repr=False)
    provider: str

    @property
    def token(self) -> str | None:
        """The session token by botocore's name, whose signer takes this object."""
        return self.session_token

    def secrets(self) -> tuple[str | None, ...]:
        """What must never be shown."""
        return (self.secret_key, self.session_token)


def find_credentials(config: LoginConfig, region: str, *, timeout: float = 30) -> Credentials:
    """Return the credentials that sign the login, read anew at each call.

    The order is static keys, environment, file, identity services, as Vault Agent documents it; all after the static
    keys is botocore's chain. With ``assume_role_arn`` they are those of that role, from STS in ``region``; ``timeout``
    (seconds) bounds that call. Raises CredentialsError.
    """
    static = None
    if config.access_key and config.secret_key:
        static = Credentials(config.access_key, config.secret_key, config.session_token, "static")
        if not config.assume_role_arn:
            return static
    from . import chain  # what static keys need not load

    return chain.find(config, static, region, timeout)


def quiet_botocore() -> None:
    """Keep botocore from logging at DEBUG: canonical requests and STS answers, session tokens included."""
    logger = logging.getLogger("botocore")
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.INFO)
