# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Secrets engines of a test: KV of both versions, PKI, a database with users of its own, and who may read them."""

from __future__ import annotations

import itertools
import os
import time
import typing as t

from tests.live.agent.agents import Agents
from tests.live.agent.process import Agent
from tests.live.agent.templates.redis import Redis
from tests.stack.handle import Stack

_NUMBERS = itertools.count(1)
LONG = {"token_ttl": "1h", "token_max_ttl": "2h"}


class Engines:
    """Engines below a prefix of their own. kv1, kv2, pki, db: where they are mounted. policy: lets read all of them."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.redis = Redis()
        prefix = f"templates-{os.getpid()}-{next(_NUMBERS)}"
        self.kv1, self.kv2, self.pki, self.db = (f"{prefix}/{name}" for name in ("kv1", "kv2", "pki", "db"))
        self.policy = prefix
        kinds: dict[str, dict[str, t.Any]] = {
            self.kv1: {"type": "kv", "options": {"version": "1"}},
            self.kv2: {"type": "kv", "options": {"version": "2"}},
            self.pki: {"type": "pki"},
            self.db: {"type": "database"},
        }
        for mount, kind in kinds.items():
            stack.root("POST", f"sys/mounts/{mount}", kind)
        rules = [
            f'path "{mount}/*" {{ capabilities = ["read", "update"] }}'
            for mount in (self.kv1, self.kv2, self.pki, self.db)
        ]
        rules.append(f'path "{self.kv2}/data/denied" {{ capabilities = ["deny"] }}')
        stack.root("PUT", f"sys/policies/acl/{self.policy}", {"policy": "\n".join(rules)})
        connection = {"host": "127.0.0.1", "port": self.redis.port, "username": "admin", "password": "of-admin"}
        stack.root(
            "POST",
            f"{self.db}/config/redis",
            {"plugin_name": "redis-database-plugin", "allowed_roles": "*", "tls": False, **connection},
        )
        # The third renewal meets the maximum with two seconds and more to go, wherever in its span it comes: the agent
        # leaves a second between two requests for the same, and a busy machine takes its time.
        self.database_role("app", "6s", "16s")
        stack.root("POST", f"{self.pki}/root/generate/internal", {"common_name": "test CA", "ttl": "1h"})
        stack.root("POST", f"{self.pki}/roles/web", {"allow_any_name": True, "max_ttl": "30m"})
        self._await_kv2()

    def database_role(self, name: str, ttl: str, most: str) -> None:
        """A role of the database, whose users live as long."""
        wish = {"db_name": "redis", "creation_statements": '["+@all"]', "default_ttl": ttl, "max_ttl": most}
        self.stack.root("POST", f"{self.db}/roles/{name}", wish)

    def put(self, name: str, version: int = 2, **values: t.Any) -> None:
        """Write a secret."""
        if version == 1:
            self.stack.root("PUT", f"{self.kv1}/{name}", values)
        else:
            self.stack.root("PUT", f"{self.kv2}/data/{name}", {"data": values})

    def agent(self, agents: Agents, name: str, templates: t.Any, **wishes: t.Any) -> Agent:
        """An agent that may read all this, with templates as its configuration has them; its token lasts for the test,
        if ``role`` does not say otherwise.
        """
        wishes = {"role": LONG, "template_config": {"static_secret_render_interval": "2s"}, **wishes}
        return agents.iam(name, policies=[self.policy], jinja_template=templates, **wishes)

    def close(self) -> None:
        """Remove them."""
        for mount in (self.kv1, self.kv2, self.pki, self.db):
            self.stack.root("DELETE", f"sys/mounts/{mount}")
        self.stack.root("DELETE", f"sys/policies/acl/{self.policy}")
        self.redis.shutdown()
        self.redis.server_close()

    def _await_kv2(self) -> None:
        """Right after its mount a KV store is still upgrading for a moment."""
        give_up = time.monotonic() + 10
        body = {"data": {"x": "y"}}
        while self.stack.vault.call("PUT", f"{self.kv2}/data/first", body, self.stack.root_token()).status != 200:
            assert time.monotonic() < give_up
            time.sleep(0.05)
