# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Agents against the stack: each with a role, a folder and a configuration of its own, ended with the test."""

from __future__ import annotations

import concurrent.futures
import contextlib
import itertools
import os
import typing as t
from collections.abc import Callable
from pathlib import Path

from tests.live.agent.audit import Audit, Json, mark_of
from tests.live.agent.process import Agent
from tests.stack.handle import Stack

_NUMBERS = itertools.count(1)


class Agents:
    """Makes agents, each with a role of its own, and ends them."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self.stack = stack
        self.folder = folder
        self._audit = Audit(stack)
        self._stack = contextlib.ExitStack()

    def iam(self, name: str = "iam", environ: t.Mapping[str, str] | None = None, **wishes: t.Any) -> Agent:
        """An agent of type iam; see ``_new`` for ``wishes``."""
        login = {"type": "iam", "header_value": self.stack.env["STACK_HEADER_VALUE"]}
        credentials = {"AWS_SHARED_CREDENTIALS_FILE": self.stack.env["AWS_SHARED_CREDENTIALS_FILE"]}
        bound = {
            "auth_type": "iam",
            "bound_iam_principal_arn": f"arn:aws:iam::{self.stack.env['STACK_ACCOUNT_ID']}:user/client",
        }
        return self._new(name, login, bound, credentials if environ is None else environ, **wishes)

    def ec2(self, instance: str, name: str = "ec2", **wishes: t.Any) -> Agent:
        """An agent of type ec2 on ``instance``, which Vault has not seen."""
        self.stack.delete_accesslist(instance)
        self.stack.imds_reset(instance)
        self._stack.callback(self.stack.imds_reset, instance)
        bound = {"auth_type": "ec2", "bound_account_id": self.stack.env["STACK_ACCOUNT_ID"]}
        return self._new(name, {"type": "ec2"}, bound, imds(self.stack, instance), **wishes)

    def _new(
        self,
        name: str,
        login: Json,
        bound: Json,
        environ: t.Mapping[str, str],
        *,
        role: Json | None = None,
        login_options: Json | None = None,
        method: Json | None = None,
        auto_auth: Json | None = None,
        policies: t.Sequence[str] = (),
        **top: t.Any,
    ) -> Agent:
        """An agent that was not started. role: parameters of its role on the server, which has a TTL of 4 s, at most
        9 s, if they say nothing else. policies: beside the usual ones. login_options, method, auto_auth, top: for its
        configuration.
        """
        unique = f"agent-{os.getpid()}-{next(_NUMBERS)}-{name}"
        folder = self.folder / unique
        folder.mkdir()
        self.role(unique, {**bound, **(role or {})}, policies)
        config: Json = {
            "log_level": "trace",
            "vault": {"address": self.stack.env["VAULT_ADDR"], "ca_cert": self.stack.env["VAULT_CACERT"]},
            "auto_auth": {
                "method": {
                    "type": "aws",
                    "max_backoff": "4s",
                    **(method or {}),
                    "config": {"role": unique, **login, **(login_options or {})},
                },
                "sink": [{"type": "file", "config": {"path": str(folder / "token"), "mode": "0640"}}],
                **(auto_auth or {}),
            },
            **top,
        }
        agent = Agent(self._audit, folder, unique, config, environ)
        self._stack.callback(agent.close)
        return agent

    def role(self, name: str, parameters: Json, policies: t.Sequence[str] = ()) -> None:
        """Write a role for the time of the test; its tokens carry a policy by which the audit log tells them."""
        all_policies = ["demo-read", *policies, mark_of(name)]
        given = {"token_ttl": "4s", "token_max_ttl": "9s", "token_policies": all_policies, **parameters}
        self.stack.root("PUT", f"auth/aws/role/{name}", given)
        self._stack.callback(self.stack.root, "DELETE", f"auth/aws/role/{name}")

    def close(self) -> None:
        """End them all, and remove their roles."""
        self._stack.close()


def side_by_side(*scenarios: Callable[[], None]) -> None:
    """Run scenarios that have agents of their own and mostly wait; all their failures are shown."""
    with concurrent.futures.ThreadPoolExecutor(len(scenarios)) as pool:
        done = [pool.submit(scenario) for scenario in scenarios]
    failures = [error for one in done if (error := one.exception()) is not None]
    if failures:
        raise BaseExceptionGroup("scenarios failed", failures)


def imds(stack: Stack, instance: str) -> dict[str, str]:
    """The environment in which the SDK finds the metadata service of ``instance``."""
    return {"AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": stack.imds_endpoint(instance)}
