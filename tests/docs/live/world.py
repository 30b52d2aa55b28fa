# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The world that the documentation speaks of, made of the stack: a namespace of its own, set up by the server guide.

Where the documentation has names of its own, such as the server's address, those of the stack are put in their place.
Logins are those of an EC2 instance whose instance profile has the AWS role ``app``.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import sys
import typing as t
from collections.abc import Mapping
from pathlib import Path

import yaml

from tests.docs.blocks import PROJECT, Block
from tests.live.core import Keys
from tests.stack.handle import Stack

NAMESPACE = "docs"
HEADER_VALUE = "vault.example.org"
ADDRESS = "https://vault.example.org:8200"
ROLE = PROJECT / "roles" / "vault_agent"
UTILS = "ansible_collections.vaultfleet.aws.plugins.module_utils"


@dataclasses.dataclass(frozen=True)
class World:
    """Runs blocks. folder: where they run; instance: the one whose metadata they see; keys: the server's own in AWS."""

    stack: Stack
    folder: Path
    instance: str
    keys: Keys

    def here(self, text: str) -> str:
        """``text`` with the stack's names in the place of the documentation's."""
        env = self.stack.env
        names = {
            f"{ADDRESS}/v1/": f"{env['VAULT_ADDR']}/v1/{NAMESPACE}/",
            ADDRESS: env["VAULT_ADDR"],
            "/etc/ssl/vault-ca.pem": env["VAULT_CACERT"],
            "/run/": f"{self.folder}/run/",
            "i-0123456789abcdef0": self.instance,
            # AWS is an emulation here, so the server is told where it is.
            "bao auth enable aws\n": f"bao auth enable aws\nbao write auth/aws/config/client {self._endpoints()}\n",
        }
        for name, ours in names.items():
            text = text.replace(name, ours)
        # As AWS's own endpoints, told to the server, would send the world's logins to AWS.
        return re.sub(r"(endpoint=)https://[\w.-]+\.amazonaws\.com", rf"\1{self.stack.env['STACK_AWS_ENDPOINT']}", text)

    def _endpoints(self) -> str:
        endpoint = self.stack.env["STACK_AWS_ENDPOINT"]
        keys = f"access_key={self.keys.access_key} secret_key={self.keys.secret_key}"
        return f"endpoint={endpoint} iam_endpoint={endpoint} sts_endpoint={endpoint} sts_region=us-east-1 {keys}"

    def environment(self, **more: str) -> dict[str, str]:
        """The variables of a user on the instance. The stack's CA stands for the one in the system's store."""
        env = self.stack.env
        ca = env["VAULT_CACERT"]
        programs = [str(self.folder / "bin"), str(Path(sys.executable).parent), str(Path(env["STACK_BAO"]).parent)]
        collections = str(PROJECT / ".dev" / "collections")
        return {
            "PATH": os.pathsep.join([*programs, os.environ["PATH"]]),
            "HOME": str(self.folder),
            "LC_ALL": "C.UTF-8",
            "PYTHONPATH": collections,
            "VAULT_ADDR": env["VAULT_ADDR"],
            "VAULT_CACERT": ca,
            "VAULT_NAMESPACE": NAMESPACE,
            "SSL_CERT_FILE": ca,
            "REQUESTS_CA_BUNDLE": ca,
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": self.stack.imds_endpoint(self.instance),
            "XDG_RUNTIME_DIR": str(self.folder),
            "ANSIBLE_COLLECTIONS_PATH": collections,
            "ANSIBLE_HOME": str(self.folder / "ansible"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_INVENTORY": str(self.folder / "inventory"),
            **more,
        }

    def shell(self, block: Block, **environment: str) -> str:
        """Run a block of commands, up to the first that fails; what it printed."""
        script = f": {block.place}\n{self.here(block.text)}"
        return self.run(["bash", "-euo", "pipefail", "-c", script], self.environment(**environment))

    def operate(self, block: Block) -> str:
        """The same as the server's operator, who has the root token."""
        return self.shell(block, VAULT_TOKEN=self.stack.root_token())

    def play(self, blocks: list[Block], **environment: str) -> str:
        """Run blocks of tasks, or of whole plays, one after the other."""
        books = []
        for number, block in enumerate(blocks):
            book = self.folder / f"{block.file.stem}-{number}.yml"
            # What runs here runs as who runs the tests.
            text = self.here(block.text).replace("become: true", "become: false")
            content = yaml.safe_load(text)
            if "hosts" not in content[0]:
                content = [{"hosts": "localhost", "gather_facts": False, "tasks": content}]
            for play in content:
                play["name"] = block.place
            book.write_text(json.dumps(content), encoding="utf-8")
            books.append(str(book))
        return self.run(["ansible-playbook", *books], self.environment(**environment))

    def judge(self, blocks: list[Block]) -> str:
        """Let Ansible judge the form of blocks that run the role, and the role their variables."""
        books, plays = [], []
        defaults = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text(encoding="utf-8"))
        for number, block in enumerate(blocks):
            book = self.folder / f"role-{number}.yml"
            book.write_text(self.here(block.text), encoding="utf-8")
            books.append(str(book))
            [play] = yaml.safe_load(block.text)
            for role in play["roles"]:
                variables = {**defaults, **play.get("vars", {}), **role.get("vars", {})}
                given = {name: f"{{{{ {name} }}}}" for name in variables if name.startswith("vault_agent_")}
                task = {"name": block.place, "vaultfleet.aws.vault_agent_plan": {"variables": given}}
                plays.append({"name": block.place, "vars": variables, "tasks": [task]})
        self.run(["ansible-playbook", "--syntax-check", *books], self.environment())
        return self._book(plays)

    def evaluate(self, blocks: list[Block], **environment: str) -> str:
        """Evaluate each of the variables that blocks set."""
        plays = []
        for block in blocks:
            variables = yaml.safe_load(self.here(block.text))
            tasks = [
                {"name": name, "ansible.builtin.assert": {"that": f"{name} is truthy", "quiet": True}}
                for name in variables
            ]
            plays.append({"name": block.place, "vars": variables, "tasks": tasks})
        return self._book(plays, **environment)

    def _book(self, plays: list[dict[str, t.Any]], **environment: str) -> str:
        book = self.folder / "book.yml"
        whole = [{"hosts": "localhost", "gather_facts": False, **play} for play in plays]
        book.write_text(json.dumps(whole), encoding="utf-8")
        return self.run(["ansible-playbook", str(book)], self.environment(**environment))

    def agent(self, block: Block) -> str:
        """Run the agent with a block as its configuration, once; the token of its first sink."""
        config = json.loads(self.here(block.text))
        config["vault"]["ca_cert"] = self.stack.env["VAULT_CACERT"]
        sink = Path(config["auto_auth"]["sink"][0]["config"]["path"])
        sink.parent.mkdir(parents=True, exist_ok=True)
        file = self.folder / "agent.json"
        file.write_text(json.dumps(config), encoding="utf-8")
        self.run(
            [sys.executable, "-m", f"{UTILS}._agent.cli", "run", "--once", "--config", str(file)], self.environment()
        )
        return sink.read_text(encoding="ascii")

    def run(self, command: list[str], environment: Mapping[str, str]) -> str:
        """Run a command in the folder; what it printed. It must work."""
        done = subprocess.run(
            command, cwd=self.folder, env=dict(environment), capture_output=True, check=False, text=True, timeout=900
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout
