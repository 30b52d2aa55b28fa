# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ansible-runner: what it keeps of a run holds no secret, and slices on workers cost one login each."""

from __future__ import annotations

import concurrent.futures
import configparser
import json
import typing as t
from pathlib import Path

from tests.stack.handle import Stack
from tests.tools.project import COLLECTIONS

from .conftest import OURS, User

SLICES = {"one": ("a", "b", "c"), "two": ("d", "e", "f")}
# Both front ends at work; "seen" is outside of what the runner keeps.
TASKS: list[dict[str, t.Any]] = [
    {
        "name": "Log in",
        "vaultfleet.aws.aws_vault_login": {},
        "register": "login",
        "when": "log_in | default(false)",
    },
    {
        "name": "Use a token of the lookup",
        "ansible.builtin.uri": {
            "url": "{{ lookup('env', 'VAULT_ADDR') }}/v1/auth/token/lookup-self",
            "ca_path": "{{ lookup('env', 'VAULT_CACERT') }}",
            "headers": {"X-Vault-Token": "{{ " + OURS + " }}"},
        },
        "no_log": True,
    },
    {
        "name": "Keep the tokens for the test",
        "ansible.builtin.copy": {
            "content": "{{ [" + OURS + ", login.login.auth.client_token | default('')] | to_json }}",
            "dest": "{{ seen }}/{{ inventory_hostname }}",
            "mode": "0600",
        },
        "no_log": True,
    },
]


def prepare(user: User, folder: Path, hosts: tuple[str, ...], **variables: t.Any) -> None:
    """Fill a private data folder. Its settings are no secrets; the AWS identity is that of whoever runs it."""
    for name in ("project", "inventory", "env"):
        (folder / name).mkdir(parents=True)
    play = {"hosts": "all", "gather_facts": False, "connection": "local", "tasks": TASKS}
    play["module_defaults"] = {"group/vaultfleet.aws.vault": {"url": user.stack.env["VAULT_ADDR"]}}
    (folder / "project" / "site.json").write_text(json.dumps([play]), encoding="utf-8")
    (folder / "inventory" / "hosts").write_text("".join(f"{host}\n" for host in hosts), encoding="utf-8")
    (folder / "env" / "extravars").write_text(json.dumps(variables), encoding="utf-8")


def tokens(seen: Path) -> dict[str, list[str]]:
    """What the hosts had."""
    return {file.name: json.loads(file.read_text(encoding="utf-8")) for file in seen.iterdir()}


def assert_clean(user: User, folders: list[Path], secrets: set[str]) -> None:
    """No file holds a secret, nor the secret key of the client."""
    profiles = configparser.RawConfigParser()
    profiles.read(user.stack.env["AWS_SHARED_CREDENTIALS_FILE"])
    secrets = {*secrets, profiles["default"]["aws_secret_access_key"]} - {""}
    files = [file for folder in folders for file in folder.rglob("*") if file.is_file()]
    assert len(files) > 10
    for file in files:
        content = file.read_bytes()
        assert [secret for secret in secrets if secret.encode() in content] == [], file


def test_artifacts(user: User, tmp_path: Path) -> None:
    private, seen = tmp_path / "private", tmp_path / "seen"
    seen.mkdir()
    prepare(user, private, ("localhost",), seen=str(seen), log_in=True)
    user.run("ansible-runner", "run", str(private), "-p", "site.json", "--cmdline=-vvv --diff", "--ident", "job")
    [(of_lookup, of_module)] = tokens(seen).values()
    assert of_lookup
    assert of_module
    assert_clean(user, [private / "artifacts"], {of_lookup, of_module})


def test_slices(user: User, stack: Stack, tmp_path: Path) -> None:
    """As AWX does it: transmit here, work elsewhere, process here; two workers at once, each with its own login."""
    seen = tmp_path / "seen"
    seen.mkdir()
    before = stack.logins()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        list(pool.map(lambda name: work(user, tmp_path, name), SLICES))
    assert stack.logins() == before + len(SLICES)
    found = tokens(seen)
    assert set(found) == {host for hosts in SLICES.values() for host in hosts}
    for hosts in SLICES.values():
        assert len({found[host][0] for host in hosts}) == 1
    ours = {token for pair in found.values() for token in pair}
    assert_clean(user, [tmp_path / name for name in SLICES], ours)


def work(user: User, folder: Path, name: str) -> None:
    """One slice: each of the three steps has its own folder, and only streams go between them."""
    place = folder / name
    sent, worker, done = place / "sent", place / "worker", place / "done"
    prepare(user, sent, SLICES[name], seen=str(folder / "seen"))
    worker.mkdir()
    controller = {"PATH": user.environment["PATH"], "HOME": str(place)}  # it has no AWS identity
    with (place / "job").open("w") as out:
        user.run("ansible-runner", "transmit", str(sent), "-p", "site.json", environment=controller, into=out)
    node = {**user.environment, "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS)}
    with (place / "job").open() as job, (place / "result").open("w") as out:
        user.run("ansible-runner", "worker", "--private-data-dir", str(worker), environment=node, stdin=job, into=out)
    with (place / "result").open() as result:
        user.run("ansible-runner", "process", str(done), environment=controller, stdin=result)
    [status] = (done / "artifacts").rglob("status")
    assert status.read_text(encoding="utf-8") == "successful"
