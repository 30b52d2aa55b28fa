# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One login for a whole run, wherever the lookup stands and however the play is played."""

from __future__ import annotations

import json
import time
import typing as t

import pytest

from tests.live.lookup.runs import NAME, TOKEN, Runs, meet, play, see
from tests.stack.handle import Stack


def test_wherever_it_stands(runs: Runs, stack: Stack) -> None:
    before = stack.logins("aws")
    secret_url = f"{stack.env['VAULT_ADDR']}/v1/{stack.env['STACK_DEMO_SECRET_PATH']}"
    printed: dict[str, t.Any] = {
        "ansible.builtin.command": "printenv TOKEN",
        "environment": {"TOKEN": "{{ token }}"},
        "no_log": True,
        "changed_when": False,
        "run_once": True,
    }
    ended = runs.run(
        play(
            see("template"),
            see("vars", "token"),
            see("loop", "token", loop=[1, 2]),
            see("looped", "item", loop=f"{{{{ query('{NAME}', 'web') }}}}", loop_control={"label": "a token"}),
            see("when", "token", when=f"{TOKEN} is match('[sb.hv]')"),
            see("delegated", "token", delegate_to="localhost"),
            {"name": "Environment", **printed, "register": "printed"},
            see("environment", "printed.stdout", run_once=True),
            {"name": "Async", **printed, "async": 20, "poll": 1, "register": "waited"},
            see("async", "waited.stdout", run_once=True),
            see("answer", f"lookup('{NAME}', role='web', **{{'return': 'login'}}).auth.client_token", run_once=True),
            {
                "name": "Read with uri",
                "ansible.builtin.uri": {
                    "url": secret_url,
                    "headers": {"X-Vault-Token": "{{ token }}"},
                    "ca_path": stack.env["VAULT_CACERT"],
                },
                "register": "read",
                "no_log": True,
                "run_once": True,
            },
            {
                "name": "What was read",
                "ansible.builtin.assert": {"that": ["read.json.data.data.username == 'demo'", "through_url == 'demo'"]},
                "vars": {
                    "through_url": f"{{{{ (lookup('ansible.builtin.url', '{secret_url}', ca_path='"
                    + stack.env["VAULT_CACERT"]
                    + "', headers={'X-Vault-Token': token}, split_lines=false) | from_json).data.data.username }}"
                },
                "run_once": True,
            },
            vars={"token": f"{{{{ {TOKEN} }}}}"},
        ),
        hosts=5,
        callback=True,
    )
    assert stack.logins("aws") == before + 1
    assert {
        name for name in ("template", "vars", "loop", "looped", "when", "delegated") if len(ended.tokens(name)) < 5
    } == set()
    assert len(ended.tokens("environment")) == len(ended.tokens("async")) == len(ended.tokens("answer")) == 1
    assert len(set(ended.tokens())) == 1
    logins, hits, renewals, revoked = ended.numbers
    assert (logins, renewals, revoked) == (1, 0, 1)
    assert hits > 30


@pytest.mark.parametrize(
    ("hosts", "arguments", "keywords"),
    [
        (6, ["--forks=1"], {}),
        (60, ["--forks=50"], {}),
        (10, ["--forks=10"], {"strategy": "ansible.builtin.free"}),
        (6, [], {"serial": 2}),
        (3, ["--check", "--diff"], {}),
    ],
    ids=["forks-1", "forks-50", "free", "serial", "check"],
)
def test_however_it_is_played(
    hosts: int, arguments: list[str], keywords: dict[str, t.Any], runs: Runs, stack: Stack
) -> None:
    before = stack.logins("aws")
    ended = runs.run(play(see("one"), see("two"), **keywords), hosts=hosts, arguments=arguments)
    assert stack.logins("aws") == before + 1
    assert len(ended.tokens()) == 2 * hosts
    assert len(set(ended.tokens())) == 1


def test_plays_with_roles_of_their_own(runs: Runs, stack: Stack) -> None:
    before = stack.logins("aws")
    plays = [
        play(see(role.replace("-", "_"), f"lookup('{NAME}')"), vars={"vaultfleet_aws_role": role})
        for role in ("web", "web-batch", "web-nolookup") * 2
    ]
    both = play(
        see("first", f"query('{NAME}', 'web', 'web-batch')[0]"),
        see("second", f"query('{NAME}', 'web', 'web-batch')[1]"),
    )
    ended = runs.run(*plays, both, hosts=2)
    assert stack.logins("aws") == before + 3
    of_role = {name: set(ended.tokens(name)) for name in ("web", "web_batch", "web_nolookup")}
    assert [len(tokens) for tokens in of_role.values()] == [1, 1, 1]
    assert len(set(ended.tokens())) == 3
    assert set(ended.tokens("first")) == of_role["web"]
    assert set(ended.tokens("second")) == of_role["web_batch"]


def test_other_logins_never_share(runs: Runs, stack: Stack) -> None:
    before = stack.logins()
    options = {
        "plain": "",
        "namespace": ", namespace='team'",
        "mount": ", mount_path='aws-open'",
        "profile": ", profile='client'",
        "regional": ", region='eu-central-1'",
        "spared": ", revoke=false",
    }
    tasks = [see(name, f"lookup('{NAME}', role='web'{more})") for name, more in options.items()]
    stranger = see("other", f"lookup('{NAME}', role='other', profile='other')")
    ended = runs.run(play(*tasks, stranger, *tasks, stranger), hosts=2)
    assert stack.logins() == before + len(options) + 1
    assert stack.logins("aws", "team") >= 1
    assert len(set(ended.tokens())) == len(options) + 1
    assert all(len(set(ended.tokens(name))) == 1 for name in (*options, "other"))


def test_two_runs_at_once(runs: Runs, stack: Stack) -> None:
    before = stack.logins("aws")
    both = [runs.start(play(see("mine"), meet(runs.folder, name), see("mine")), hosts=3, name=name) for name in "ab"]
    for run, name in zip(both, "ab", strict=True):
        run.reached(name)
    assert len(runs.stores) == 2
    for run, name in zip(both, "ab", strict=True):
        run.go(name)
    tokens = [set(run.end().tokens()) for run in both]
    assert [len(one) for one in tokens] == [1, 1]
    assert tokens[0] != tokens[1]
    assert stack.logins("aws") == before + 2


def test_two_playbooks_of_one_run(runs: Runs, stack: Stack) -> None:
    before = stack.logins("aws")
    second = runs.command(play(see("two")), name="second")[-1]
    ended = runs.run(play(see("one")), callback=True, arguments=[second])
    assert stack.logins("aws") == before + 1
    assert ended.numbers == (1, 1, 0, 1)
    assert ended.tokens("one") == ended.tokens("two")


def test_renewed_then_replaced(runs: Runs, stack: Stack) -> None:
    arn = f"arn:aws:iam::{stack.env['STACK_ACCOUNT_ID']}:user/client"
    role = {"auth_type": "iam", "bound_iam_principal_arn": arn, "token_ttl": "10s", "token_max_ttl": "18s"}
    stack.root("POST", "auth/aws/role/brief", role)
    before = stack.logins("aws")
    # Until more than half of the lease is over, counted from when it was noted down: where a play takes its time, it
    # must not be over for good before the first renewal.
    old = f"find {runs.memory} -regextype egrep -regex '.*/run-[^/]*/[0-9a-f]{{64}}' -mmin +{5.4 / 60:.3f} | grep -q ."
    wait = {
        "name": "Wait",
        "ansible.builtin.shell": f"until {old}; do sleep 0.05; done",
        "changed_when": False,
        "run_once": True,
    }
    tasks = [see(f"at{number}", f"lookup('{NAME}', role='brief')") for number in range(3)]
    try:
        ended = runs.run(
            play(*(one for task in tasks for one in (task, wait)), see("last", f"lookup('{NAME}', role='brief')")),
            hosts=4,
            callback=True,
        )
    finally:
        stack.root("DELETE", "auth/aws/role/brief")
    logins, hits, renewals, revoked = ended.numbers
    assert logins == stack.logins("aws") - before == len(set(ended.tokens())) >= 2
    assert renewals >= 1
    assert len(ended.tokens()) == 16
    # After a renewal that gave too little comes a login.
    assert logins + hits + renewals in (16, 17)
    assert ended.tokens("at0")[0] == ended.tokens("at1")[0] != ended.tokens("last")[0]
    assert revoked >= 1


def test_revoked_meanwhile(runs: Runs, stack: Stack) -> None:
    before = stack.logins("aws")
    revoke = {
        "name": "Revoke",
        "ansible.builtin.uri": {
            "url": f"{stack.env['VAULT_ADDR']}/v1/auth/token/revoke-self",
            "method": "POST",
            "headers": {"X-Vault-Token": f"{{{{ {TOKEN} }}}}"},
            "ca_path": stack.env["VAULT_CACERT"],
            "status_code": 204,
        },
        "run_once": True,
    }
    wait = {"name": "Wait", "ansible.builtin.command": "sleep 1.1", "changed_when": False, "run_once": True}
    ended = runs.run(
        play(see("first"), revoke, wait, see("meanwhile"), see("then")),
        hosts=5,
        variables={"VAULTFLEET_AWS_CHECK_INTERVAL": "1"},
    )
    assert stack.logins("aws") == before + 2
    assert len(set(ended.tokens())) == 2
    assert len(set(ended.tokens("then"))) == 1
    assert set(ended.tokens("then")) != set(ended.tokens("first"))


@pytest.mark.parametrize("role", ["web-nolookup", "web-limited"])
def test_tokens_that_cannot_be_looked_up(role: str, runs: Runs, stack: Stack) -> None:
    """The one is shared and trusted; the other, of limited use, is each lookup's own."""
    before = stack.logins("aws")
    wait = {"name": "Wait", "ansible.builtin.command": "sleep 1.1", "changed_when": False}
    expression = f"lookup('{NAME}', role='{role}', check_interval=1)"
    ended = runs.run(play(see("one", expression), wait, see("two", expression)))
    expected = 1 if role == "web-nolookup" else 2
    assert stack.logins("aws") == before + expected
    assert len(set(ended.tokens())) == expected


def test_cache_none(runs: Runs, stack: Stack) -> None:
    before = stack.logins("aws")
    expression = f"lookup('{NAME}', role='web', cache='none')"
    ended = runs.run(play(see("one", expression), see("two", expression)), callback=True)
    assert len(set(ended.tokens())) == 2
    assert stack.logins("aws") == before + 2
    assert ended.numbers == (2, 0, 0, 2)


def test_wrapped(runs: Runs, stack: Stack) -> None:
    place = runs.folder / "answer"
    wrapped = f"lookup('{NAME}', role='web', cache='none', wrap_ttl='1m', **{{'return': 'login'}})"
    keep: dict[str, t.Any] = {
        "name": "Keep",
        "ansible.builtin.copy": {"content": f"{{{{ {wrapped} | to_json }}}}", "dest": str(place), "mode": "0600"},
        "no_log": True,
    }
    runs.run(play(keep))
    answer = json.loads(place.read_text(encoding="utf-8"))
    assert answer["wrap_info"]["creation_path"] == "auth/aws/login"
    inner = stack.vault.must("POST", "sys/wrapping/unwrap", {}, answer["wrap_info"]["token"])
    assert runs.lives(inner["auth"]["client_token"])


def test_ec2(runs: Runs, stack: Stack, instance: str) -> None:
    before = stack.logins("aws")
    expression = f"lookup('{NAME}', role='node', type='ec2')"
    unset = ["env", "-u", "VAULTFLEET_AWS_HEADER_VALUE"]
    ended = runs.run(play(see("one", expression)), fails=True, wrapper=unset)
    assert "nonce: is missing" in ended.shown
    assert stack.logins("aws") == before
    variables = {"VAULTFLEET_AWS_NONCE": "0123456789abcdef-live"}
    for number in (1, 2):
        ended = runs.run(
            play(see("one", expression), see("two", expression)), hosts=2, variables=variables, wrapper=unset
        )
        assert len(set(ended.tokens())) == 1
        assert stack.logins("aws") == before + number


def test_variables_are_templated(runs: Runs, stack: Stack) -> None:
    """Ansible itself hands a lookup the variables as they were written; people write templates in them."""
    variables = {
        "address": stack.env["VAULT_ADDR"],
        "vaultfleet_aws_role": "{{ 'we' ~ 'b' }}",
        "vaultfleet_aws_url": "https://{{ address | split('://') | last }}",
        "vaultfleet_aws_retries": "{{ 1 + 1 }}",
        "vaultfleet_aws_revoke": "{{ 1 == 2 }}",
        "ansible_hashi_vault_ca_cert": "{{ certificate }}",
        "certificate": stack.env["VAULT_CACERT"],
        "token": f"{{{{ lookup('{NAME}') }}}}",
    }
    without = ["env", "-u", "VAULT_ADDR", "-u", "VAULT_CACERT"]
    ended = runs.run(play(see("one", "token"), vars=variables), hosts=2, callback=True, wrapper=without)
    assert len(set(ended.tokens())) == 1
    assert ended.numbers == (1, 1, 0, 0)


def test_a_first_attempt(runs: Runs, stack: Stack) -> None:
    """Installed where Ansible looks, environment variables only, the command line of the README."""
    before = stack.logins("aws")
    environment = runs.environment()
    home = runs.folder / "home"
    (home / ".ansible").mkdir(parents=True)
    (home / ".ansible" / "collections").symlink_to(environment.pop("ANSIBLE_COLLECTIONS_PATH"))
    expression = "{{ lookup('vaultfleet.aws.vault_aws_token') | length > 20 }}"
    command = ["env", "-u", "ANSIBLE_COLLECTIONS_PATH", "-u", "ANSIBLE_HOME"]
    started = time.monotonic()
    ended = runs.run(
        play({"name": "Is there one", "ansible.builtin.debug": {"msg": expression}}),
        variables={"HOME": str(home), "VAULTFLEET_AWS_ROLE": "web"},
        wrapper=command,
    )
    assert '"msg": true' in ended.shown
    assert "[WARNING]" not in ended.shown, ended.shown
    assert stack.logins("aws") == before + 1
    assert time.monotonic() - started < 90  # two or three, on a machine that has nothing else to do
