# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The demo: a real server with real logins, examples/demo.yml run twice, and a table of what happened.

All that the table says comes from Ansible's report of the runs (the junit callback), the sinks, and Vault's audit log.
"""

from __future__ import annotations

import json
import sys
import time
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from tests.stack.errors import StackError
from tests.stack.handle import Stack

from . import commands
from .private_stack import clean_environment, private_stack
from .project import COLLECTIONS, ROOT, ToolError

PLAYBOOK = "examples/demo.yml"
INTRODUCTION = f"""\
This demo, on this machine only:
  1. starts a real Vault-compatible server (OpenBao) with HashiCorp's AWS auth method, an AWS emulation that checks
     signatures, and an instance metadata service, all on 127.0.0.1 (the first time, it downloads and builds them);
  2. runs {PLAYBOOK}: an iam and an ec2 login, a secret read with the token, a file made from it, and one login
     that is meant to fail, to show its hint;
  3. runs it again: nothing changes, no token is fetched;
  4. stops the servers and removes what it wrote.
"""


@dataclass(frozen=True)
class Played:
    """One run of the playbook. logins: login requests that Vault saw; tasks: (seconds, result) of each task."""

    logins: int
    tasks: tuple[tuple[float, Mapping[str, t.Any]], ...]

    @property
    def changed(self) -> int:
        """How many tasks changed something."""
        return sum(bool(task[1].get("changed")) for task in self.tasks)


def main() -> int:
    """The command line: 0 if both runs came out as they should."""
    commands.raise_on_termination()
    print(INTRODUCTION, flush=True)
    try:
        with private_stack("vaultfleet-demo-") as (stack, folder):
            show(stack, folder)
    except (StackError, ToolError) as exc:
        print(f"demo: error: {exc}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("demo: interrupted; the servers are stopped, the files removed", file=sys.stderr)
        return 130
    print("\nThe servers are stopped, the files removed.")
    return 0


def show(stack: Stack, folder: Path) -> None:
    """Run the playbook twice and print the table. Raises ToolError if a run is not what it should be."""
    # As an operator would, so that tokens tell whose they are.
    stack.root("PUT", f"auth/{stack.env['STACK_MOUNT']}/config/identity", {"iam_metadata": ["client_arn"]})
    app = folder / "app"
    app.mkdir()
    variables = {
        "vault_url": stack.env["VAULT_ADDR"],
        "vault_ca_cert": stack.env["VAULT_CACERT"],
        "vault_server_id": stack.env["STACK_HEADER_VALUE"],
        "demo_folder": str(app),
    }
    settings = folder / "settings.json"
    settings.write_text(json.dumps(variables), encoding="utf-8")
    first = play(stack, folder, settings, "first run")
    second = play(stack, folder, settings, "second run")
    if second.changed or not first.changed:
        raise ToolError(f"tasks changed: {first.changed}, then {second.changed}; it should be some, then none")
    print(f"\n{table(first, second, app)}\n")
    print(f"First run:  {first.changed} tasks changed, {first.logins} login requests in Vault's audit log.")
    print(f"Second run: {second.changed} tasks changed, {second.logins} login request, the one that is meant to fail.")


def play(stack: Stack, folder: Path, settings: Path, title: str) -> Played:
    """Run the playbook once, as a user does. Raises ToolError if it fails."""
    report = folder / title.replace(" ", "-")
    environment = {
        **clean_environment(folder / "home"),
        "AWS_SHARED_CREDENTIALS_FILE": stack.env["AWS_SHARED_CREDENTIALS_FILE"],
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": stack.env["AWS_EC2_METADATA_SERVICE_ENDPOINT"],
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "ANSIBLE_LOCALHOST_WARNING": "0",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "0",
        "ANSIBLE_CALLBACKS_ENABLED": "ansible.builtin.junit",
        "JUNIT_OUTPUT_DIR": str(report),
    }
    command = ["ansible-playbook", PLAYBOOK, "--extra-vars", f"@{settings}"]
    print(f"\n== {title}: {' '.join(command)}", flush=True)
    before = stack.logins()
    start = time.monotonic()
    if commands.run(command, ROOT, environment) != 0:
        raise ToolError(f"the {title} of {PLAYBOOK} failed: see the lines above")
    print(f"== {title}: done in {time.monotonic() - start:.1f} s", flush=True)
    return Played(stack.logins() - before, read_report(report))


def read_report(folder: Path) -> tuple[tuple[float, Mapping[str, t.Any]], ...]:
    """Seconds and result of each task in the report that Ansible's junit callback wrote."""
    [file] = folder.glob("*.xml")
    cases = ElementTree.parse(file).iter("testcase")  # noqa: S314 - our own file
    return tuple((float(case.get("time", "0")), json.loads(case.findtext("system-out") or "{}")) for case in cases)


def table(first: Played, second: Played, app: Path) -> str:
    """One line for each login of the first run, with what its task took in both runs."""
    roles = {record["accessor"]: record["role"] for record in _records(app)}
    rows = [("identity", "type", "role", "TTL", "login", "second run")]
    for (seconds, result), (again, kept) in zip(first.tasks, second.tasks, strict=True):
        identity = result.get("identity")
        if identity:
            auth = result["login"]["auth"]
            same = kept["login"]["auth"]["accessor"] == auth["accessor"]
            rows.append(
                (
                    identity["arn"] or identity["instance_id"],
                    identity["type"],
                    roles[auth["accessor"]],
                    f"{auth['lease_duration'] / 86400:.3g} d",
                    f"{seconds:.1f} s",
                    f"{again:.1f} s, {'same' if same else 'another'} token",
                )
            )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def _records(app: Path) -> list[dict[str, t.Any]]:
    return [json.loads(file.read_text(encoding="utf-8")) for file in app.glob("*.meta")]


if __name__ == "__main__":
    sys.exit(main())
