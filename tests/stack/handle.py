# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A running stack in a test's hands: settings, Vault as root, switches. Standard library only, Python 3.9 or newer."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass
from pathlib import Path

from .control import healthy, read_env
from .errors import StackError
from .layout import Layout, layout
from .processes import recorded, stop
from .vault import Vault, await_health, health, start_server, unseal
from .wire import Answer, call


@dataclass(frozen=True)
class Stack:
    """One running stack. Every method raises StackError with the server's words where it is refused."""

    lay: Layout
    env: dict[str, str]

    @classmethod
    def load(cls, directory: str | Path = ".stack") -> Stack:
        """The stack that was started with ``--dir directory``. Raises StackError where none is."""
        lay = layout(str(directory))
        return cls(lay, read_env(lay))

    @property
    def vault(self) -> Vault:
        """For calls without the root token: ``stack.vault.call("POST", "auth/aws/login", {...})``."""
        return Vault(self.env["VAULT_ADDR"], self.env["VAULT_CACERT"])

    @property
    def instances(self) -> list[str]:
        """Ids of the running instances."""
        return self.env["STACK_INSTANCE_IDS"].split(",")

    def private_address(self, instance: str) -> str:
        """The address of an instance in its private network. Raises StackError if there is no such instance."""
        settings = json.loads((self.lay.aws / "imds.json").read_text(encoding="utf-8"))
        for one in settings["instances"]:
            if one["instanceId"] == instance:
                return str(one["privateIp"])
        raise StackError(f"no such instance: {instance}")

    @property
    def container_token(self) -> str:
        """What the container credentials endpoint wants to see in Authorization."""
        return Path(self.env["STACK_CONTAINER_AUTHORIZATION_TOKEN_FILE"]).read_text(encoding="ascii")

    def healthy(self) -> bool:
        """Whether everything runs and answers, and Vault is unsealed."""
        return healthy(self.lay)

    def root_token(self) -> str:
        """The root token. Keep it out of output."""
        return Path(self.env["STACK_ROOT_TOKEN_FILE"]).read_text(encoding="ascii")

    def root(
        self,
        method: str,
        path: str,
        body: t.Mapping[str, t.Any] | None = None,
        namespace: str | None = None,
    ) -> dict[str, t.Any]:
        """One Vault call with the root token; returns the whole JSON answer, {} where there is none."""
        return dict(self.vault.must(method, path, body, self.root_token(), namespace))

    def logins(self, mount: str | None = None, namespace: str | None = None) -> int:
        """How many login requests the audit log holds, of one mount and one namespace ("" is the root) or of all."""
        return len(self.login_requests(mount, namespace))

    def login_requests(self, mount: str | None = None, namespace: str | None = None) -> list[dict[str, t.Any]]:
        """The audit log's entries of login requests, oldest first; their secrets are hashed."""
        return [
            entry
            for entry in self.audit()
            if entry["type"] == "request"
            and entry["request"]["path"].startswith("auth/" if mount is None else f"auth/{mount}/")
            and entry["request"]["path"].endswith("/login")
            and (namespace is None or entry["request"].get("namespace", {}).get("path", "").strip("/") == namespace)
        ]

    def requests(self) -> int:
        """How many requests the audit log holds, of whatever kind.

        Not how many entries: what is answered to somebody who waited no longer comes at any time.
        """
        return sum(entry["type"] == "request" for entry in self.audit())

    def audit(self) -> list[dict[str, t.Any]]:
        """Every entry of the audit log, oldest first."""
        with Path(self.env["STACK_AUDIT_LOG"]).open(encoding="utf-8") as stream:
            # The last line may still be on its way.
            return [json.loads(line) for line in stream if line.endswith("\n")]

    def delete_accesslist(self, instance: str, mount: str | None = None, namespace: str | None = None) -> None:
        """Forget the first login of ``instance``, as an operator does after a lost nonce."""
        mount = mount or self.env["STACK_MOUNT"]
        self.root("DELETE", f"auth/{mount}/identity-accesslist/{instance}", namespace=namespace)

    def seal(self) -> None:
        """Seal Vault; everything but sys/health answers 503 then."""
        self.root("POST", "sys/seal")

    def unseal(self) -> None:
        """Unseal Vault and wait until it is active."""
        unseal(self.vault, self.lay)
        self._active()

    def stop_vault(self) -> None:
        """Stop the Vault server; its port refuses connections then. Nothing to do if it is stopped."""
        for process in recorded(self.lay.run):
            if process.name == "vault":
                stop(self.lay.run, process)

    def start_vault(self) -> None:
        """Start the stopped Vault server on the same port, with what it had stored, and unseal it."""
        self.start_vault_sealed()
        self.unseal()

    def start_vault_sealed(self) -> None:
        """Start the stopped Vault server on the same port and leave it sealed."""
        if health(self.vault):
            raise StackError("the Vault server runs already; stop it first")
        process = start_server(self.lay, self.env["STACK_BAO"])
        await_health(self.vault, (503,), process, self.lay.log / "vault.log")

    def _active(self) -> None:
        process = next(one for one in recorded(self.lay.run) if one.name == "vault")
        await_health(self.vault, (200,), process, self.lay.log / "vault.log")

    def imds_endpoint(self, instance: str | None = None) -> str:
        """Address of the metadata service: of one instance, with switches of its own, or of the selected one."""
        address = self.env["AWS_EC2_METADATA_SERVICE_ENDPOINT"]
        return address if instance is None else f"{address}/{instance}"

    def imds_port(self, instance: str) -> int:
        """A port of 127.0.0.1 where the metadata service of ``instance`` is as on AWS, without an id before paths."""
        return int(self._imds("listen", instance, {})["port"])

    def imds(self, view: str = "", **switches: t.Any) -> dict[str, t.Any]:
        """Set switches of the metadata service (see imds.DEFAULTS) and return them all.

        ``view`` is an instance id, "container", or "" for the service without an id in its address.
        """
        return self._imds("set", view, switches)

    def imds_reset(self, view: str = "") -> None:
        """Every switch of ``view`` as at the start; its session tokens and credentials are forgotten."""
        self._imds("reset", view, {})

    def imds_rotate(self, view: str = "") -> None:
        """The next role credentials are new ones; the old stay valid, as on AWS."""
        self._imds("rotate", view, {})

    def imds_forget_tokens(self, view: str = "") -> None:
        """Every session token handed out so far answers 401."""
        self._imds("forget-tokens", view, {})

    def aws_fault(self, mode: str = "none", seconds: float = 0.0, service: str = "", count: int | None = None) -> None:
        """Make the AWS API fail: ``error`` (500), ``throttle``, ``hang`` (answer after ``seconds``), or ``none``.

        ``service`` is sts, iam, ec2, or "" for all; after ``count`` requests it is over by itself.
        """
        self._aws("fault", {"mode": mode, "seconds": seconds, "service": service, "count": count})

    def aws_expire(self, access_key_id: str) -> None:
        """End the session that this temporary access key belongs to."""
        self._aws("expire", {"access_key_id": access_key_id})

    def aws_calls(self) -> dict[str, int]:
        """How often each AWS action was asked for so far, as "sts:GetCallerIdentity"; refused ones count."""
        return t.cast("dict[str, int]", self._aws("state", {})["calls"])

    def _imds(self, what: str, view: str, switches: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        address = f"{self.env['AWS_EC2_METADATA_SERVICE_ENDPOINT']}/control/{what}"
        return _fine(call(address, "POST", {"view": view, **switches}))

    def _aws(self, what: str, wish: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        return _fine(call(f"{self.env['STACK_AWS_ENDPOINT']}/control/{what}", "POST", wish))


def _fine(answer: Answer) -> dict[str, t.Any]:
    if answer.status != 200:
        raise StackError(f"the stack refused that: {answer.body.get('error')}")
    return answer.body
