# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Vault on loopback that counts what it is asked, and wishes for its tokens."""

from __future__ import annotations

import contextlib
import typing as t

from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.config import LoginConfig, VaultConnection
from ansible_collections.vaultfleet.aws.plugins.plugin_utils._shared import Wish
from ansible_collections.vaultfleet.aws.tests.unit.support.web import Reply, Seen, Web

STATIC: dict[str, t.Any] = {"access_key": "AKIAUNITTEST", "secret_key": "unit-test-secret-key"}


class FakeVault:
    """Answers logins and calls about tokens; tests set the attributes.

    ttl: seconds of new tokens. gone: tokens that were revoked. refuses: logins fail. forbids: lookup-self is forbidden.
    """

    def __init__(self, web: t.Callable[[], Web]) -> None:
        self.ttl = 3600
        self.renewed_ttl: int | None = None
        self.renewable = True
        self.num_uses = 0
        self.gone: set[str] = set()
        self.refuses = False
        self.forbids = False
        self._made = 0
        self._web = web

    @property
    def url(self) -> str:
        """Where it is."""
        return self._web().url

    def times(self, call: str) -> int:
        """How often ``call`` (login, lookup-self, renew-self, revoke-self) was asked for."""
        return sum(seen.path.endswith(f"/{call}") for seen in self._web().seen)

    def answer(self, seen: Seen) -> Reply:
        """One request."""
        call = seen.path.rpartition("/")[2]
        token = seen.headers.get("x-vault-token", "")
        if call == "login":
            if self.refuses:
                return Reply(400, {"errors": ["entry for role web not found"]})
            self._made += 1
            return Reply(200, {"auth": self._auth(f"hvs.unittest{self._made:020}", self.ttl)})
        if token in self.gone:
            return Reply(403, {"errors": ["permission denied", "invalid token"]})
        if call == "lookup-self":
            if self.forbids:
                return Reply(403, {"errors": ["1 error occurred:\n\t* permission denied\n\n"]})
            data = {"ttl": self.ttl, "renewable": self.renewable, "num_uses": self.num_uses, "policies": []}
            return Reply(200, {"data": data})
        if call == "renew-self":
            return Reply(200, {"auth": self._auth(token, self.renewed_ttl or self.ttl)})
        if call == "revoke-self":
            self.gone.add(token)
            return Reply(204)
        return Reply(404)

    def _auth(self, token: str, ttl: int) -> dict[str, t.Any]:
        return {
            "client_token": token,
            "accessor": "acc",
            "policies": ["default"],
            "lease_duration": ttl,
            "renewable": self.renewable,
            "num_uses": self.num_uses,
        }


@contextlib.contextmanager
def fake_vault() -> t.Iterator[FakeVault]:
    """The server, running."""
    place: list[Web] = []
    fake = FakeVault(lambda: place[0])
    with Web(fake.answer) as web:
        place.append(web)
        yield fake


def wish(url: str, **changes: t.Any) -> Wish:
    """A wish for a token of role ``web``; ``changes`` are of the login, the connection, or the wish itself."""
    config = {"type": "iam", "role": "web", **STATIC}
    connection: dict[str, t.Any] = {"url": url, "retries": 0, "timeout": 5}
    rest = {}
    for name, value in changes.items():
        if name in LoginConfig.__dataclass_fields__:
            config[name] = value
        elif name in VaultConnection.__dataclass_fields__:
            connection[name] = value
        else:
            rest[name] = value
    given = {name: value for name, value in config.items() if value is not None}
    return Wish(LoginConfig.from_options(given), VaultConnection.from_options(connection), **rest)
