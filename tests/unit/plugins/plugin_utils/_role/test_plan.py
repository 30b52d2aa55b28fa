# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role's variables: what they become, and what is said of those that are wrong."""

from __future__ import annotations

import configparser
import contextlib
import json
import re
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.vaultfleet.aws.plugins.module_utils._agent import config
from ansible_collections.vaultfleet.aws.plugins.plugin_utils._role.plan import KNOWN, PREFIX, Plan, PlanError, plan

ROLE = Path(__file__).parents[5] / "roles" / "vault_agent"
SECRET = "s3cr3t/with+odd=characters%(x)s"


def variables(**more: t.Any) -> dict[str, t.Any]:
    """Those of the smallest use, with the role's defaults as Ansible makes them."""
    given = {
        "name": "vault-agent",
        "state": "present",
        "service_state": "started",
        "type": "iam",
        "sinks": [{"path": "/run/vault-agent/token", "mode": "0640"}],
        "readers": [],
        "wait_timeout": 60,
        "url": "https://vault.example.org:8200",
        "role": "web",
        **more,
    }
    return {f"{PREFIX}{name}": value for name, value in given.items()}


def planned(**more: t.Any) -> Plan:
    return plan(variables(**more))


def refused(**more: t.Any) -> list[str]:
    with pytest.raises(PlanError) as caught:
        planned(**more)
    return list(caught.value.problems)


def test_a_mistake_is_fit_to_be_shown() -> None:
    """Also one about a name that is not."""
    template = {"contents": "x", "dest": "/run/app.conf", "wait": {"\x1f": ""}}
    said = refused(templates=[template])
    assert any(r"wait.\x1f: is not a known key -- " in one for one in said)
    assert all(one.isprintable() for one in said)


def method(made: Plan) -> t.Any:
    return made.config["auto_auth"]["method"][0]


def test_the_smallest_use() -> None:
    made = planned()
    assert made.config == {
        "vault": {"address": "https://vault.example.org:8200"},
        "auto_auth": {
            "method": [{"type": "aws", "mount_path": "auth/aws", "config": {"type": "iam", "role": "web"}}],
        },
    }
    plain: dict[str, t.Any] = {"owner": None, "group": None, "more": {}}
    assert made.sinks == [{"path": "/run/vault-agent/token", "mode": 0o640, **plain}]
    assert (made.write, made.in_homes, made.secret, made.wait_timeout) == ([], False, False, 60)


def test_the_defaults_here_are_the_roles() -> None:
    defaults = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text(encoding="utf-8"))
    theirs = json.loads(json.dumps(defaults).replace("{{ vault_agent_name }}", "vault-agent"))
    needed = {f"{PREFIX}url": 0, f"{PREFIX}role": 0}
    assert {**variables(), **theirs} == variables()
    assert set(theirs) == set(variables()) - set(needed)


def test_each_variable_is_documented_and_known() -> None:
    specs = yaml.safe_load((ROLE / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))
    options = specs["argument_specs"]["main"]["options"]
    assert set(options) == {PREFIX + name for name in KNOWN}
    defaults = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text(encoding="utf-8"))
    assert {name: option["default"] for name, option in options.items() if "default" in option} == defaults


def test_everything_reaches_the_configuration_in_a_form_for_both_agents() -> None:
    made = planned(
        ca_cert="/etc/ca.pem",
        client_cert="/etc/c.pem",
        client_key="/etc/k.pem",
        tls_server_name="vault",
        validate_certs="no",
        namespace="/team/",
        mount_path="auth/aws-eu/",
        region="auto",
        sts_endpoint="regional",
        header_value="vault.example.org",
        profile="p",
        credential_poll_interval="2m",
        wrap_ttl="5m",
        min_backoff=2,
        max_backoff="90s",
        lookup_interval="1h",
        revoke_on_exit=True,
        metrics_file="/var/lib/metrics/agent.prom",
        log_level="debug",
        log_format="json",
        assume_role_arn="arn:aws:iam::123456789012:role/x",
    )
    assert made.config["vault"] == {
        "address": "https://vault.example.org:8200",
        "ca_cert": "/etc/ca.pem",
        "client_cert": "/etc/c.pem",
        "client_key": "/etc/k.pem",
        "tls_server_name": "vault",
        "tls_skip_verify": True,
    }
    assert method(made) == {
        "type": "aws",
        "mount_path": "auth/aws-eu",
        "namespace": "team",
        "wrap_ttl": "300s",
        "min_backoff": "2s",
        "max_backoff": "90s",
        "config": {
            "type": "iam",
            "role": "web",
            "region": "",
            "sts_endpoint": "regional",
            "header_value": "vault.example.org",
            "profile": "p",
            "credential_poll_interval": 120,
            "assume_role_arn": "arn:aws:iam::123456789012:role/x",
        },
    }
    auto_auth = made.config["auto_auth"]
    assert (auto_auth["lookup_interval"], auto_auth["revoke_on_exit"]) == ("3600s", True)
    assert auto_auth["metrics_file"] == "/var/lib/metrics/agent.prom"
    assert (made.config["log_level"], made.config["log_format"]) == ("debug", "json")
    assert (made.write, made.profile, made.revoke) == (["/var/lib/metrics"], True, True)
    # The agent takes what the role writes, as it was meant.
    whole = {**made.config, "auto_auth": {**auto_auth, "sink": [{"type": "file", "config": {"path": "/run/t"}}]}}
    read = config.foretell(json.dumps(whole))
    assert (read.login.region, read.login.mount_path, read.connection.namespace) == ("auto", "aws-eu", "team")
    assert (read.login.wrap_ttl, read.min_backoff, read.max_backoff, read.lookup_interval) == (300, 2, 90, 3600)
    assert (read.connection.validate_certs, read.credential_poll_interval) == (False, 120)


def test_wrapped_and_encrypted_sinks() -> None:
    more = {"dh_type": "curve25519", "dh_path": "/home/app/reader.pub", "derive_key": True, "aad": "for app"}
    made = planned(sinks=[{"path": "/run/vault-agent/a", "wrap_ttl": "5m"}, {"path": "/run/vault-agent/b", **more}])
    assert [sink["more"] for sink in made.sinks] == [{"wrap_ttl": "300s"}, more]
    assert made.in_homes, "the reader's key is to be seen"
    assert not made.write
    # The variable is the host's, so that nobody here knows it.
    of_host = {"dh_type": "curve25519", "dh_path": "/etc/reader.pub", "aad_env_var": "NOT_SET"}
    made = planned(sinks=[{"path": "/run/vault-agent/a", **of_host}])
    assert [sink["more"] for sink in made.sinks] == [of_host]


def test_static_keys_stand_in_no_configuration() -> None:
    made = planned(access_key="AKIAEXAMPLE", secret_key=SECRET, session_token="t0k3n")
    assert SECRET not in json.dumps(made.config)
    assert "AKIAEXAMPLE" not in json.dumps(made.config)
    assert SECRET not in repr(made)
    assert made.secret
    parser = configparser.RawConfigParser()
    parser.read_string(str(made.aws_credentials))
    assert dict(parser["default"]) == {
        "aws_access_key_id": "AKIAEXAMPLE",
        "aws_secret_access_key": SECRET,
        "aws_session_token": "t0k3n",
    }


def test_a_nonce_stands_in_no_configuration() -> None:
    made = planned(type="ec2", nonce="n0nc3-n0nc3", signature_type="rsa2048")
    assert method(made)["config"] == {"type": "ec2", "role": "web", "signature_type": "rsa2048"}
    assert (made.nonce, made.aws_credentials, made.secret) == ("n0nc3-n0nc3", None, True)
    assert "n0nc3" not in repr(made)
    assert made.login == {
        "type": "ec2",
        "url": "https://vault.example.org:8200",
        "namespace": "",
        "mount_path": "aws",
    }


def test_where_the_service_writes() -> None:
    sinks = [{"path": path} for path in ("/run/vault-agent/a/b", "/run/vault-agent2/t", "/srv/app/t", "/srv/app/u")]
    made = planned(sinks=sinks)
    assert made.write == ["/run/vault-agent2", "/srv/app"]
    assert not made.in_homes
    assert {sink["mode"] for sink in made.sinks} == {0o640}
    assert planned(sinks=[{"path": "/home/app/.vault-token", "owner": "app"}]).in_homes


def test_a_removal_needs_a_name_only() -> None:
    assert plan({f"{PREFIX}name": "x", f"{PREFIX}state": "absent"}) == Plan("x", "absent")
    given = variables(state="absent", url=None, role=None, revoke_on_exit="yes")
    assert plan(given) == Plan("vault-agent", "absent", revoke=True)


WRONG: list[tuple[dict[str, t.Any], str]] = [
    ({"rolle": "web"}, "rolle: is not a variable of this role -- did you mean vault_agent_role?"),
    ({"url": None}, "url: is missing"),
    ({"role": None}, "role: is missing"),
    ({"url": "vault.example.org"}, "url: is not an http or https URL"),
    ({"url": "https://vault.example.org/v1"}, "url: has the path '/v1'"),
    ({"type": "gcp"}, "type: 'gcp' is not a type"),
    ({"name": "Vault"}, "name: 'Vault' is not a name"),
    ({"name": "a" * 32}, "name: 'aaa"),
    ({"name": "../x"}, "name: '../x' is not a name"),
    ({"name": 7}, "name: 7 is not a name"),
    ({"state": "there"}, "state: 'there' is unknown"),
    ({"service_state": "running"}, "service_state: 'running' is unknown"),
    ({"mount_path": "a b"}, "mount_path: holds white space"),
    ({"nonce": "abc"}, "nonce: is for type ec2, but type is iam"),
    ({"type": "ec2", "nonce": ""}, "nonce: is empty"),
    ({"type": "ec2", "nonce": 12}, "nonce: is an integer -- give a string"),
    ({"type": "ec2", "region": "eu-central-1"}, "region: is for type iam"),
    ({"type": "ec2", "credential_poll_interval": 60}, "credential_poll_interval: is for type iam"),
    ({"access_key": "AKIA"}, "secret_key: is missing, but access_key is given"),
    ({"access_key": "AKIA", "secret_key": "x", "profile": "p"}, "profile: is given together with access_key"),
    ({"client_key": "/etc/k.pem"}, "client_key: is given without client_cert"),
    ({"ca_cert": "ca.pem"}, "ca_cert: is not an absolute path"),
    ({"validate_certs": "perhaps"}, "validate_certs: 'perhaps' is not a boolean"),
    ({"revoke_on_exit": 2}, "revoke_on_exit: 2 is not a boolean"),
    ({"min_backoff": "10m"}, "min_backoff: 600 s is more than max_backoff, 300 s, the default"),
    ({"max_backoff": "soon"}, "max_backoff: 'soon' is not a duration"),
    ({"wait_timeout": "-1"}, "wait_timeout: '-1' is outside 0 seconds"),
    ({"log_level": "loud"}, "log_level: 'loud' is not a level"),
    ({"metrics_file": "x.prom"}, "metrics_file: 'x.prom' is not an absolute path"),
    ({"metrics_file": "/run/vault-agent/token"}, "sinks.path: /run/vault-agent/token is written for another purpose"),
    ({"sinks": []}, "sinks: is not a list with a sink in it"),
    ({"sinks": "/run/t"}, "sinks: is not a list"),
    ({"sinks": ["/run/t"]}, "sinks: is not a mapping"),
    ({"sinks": [{"mode": "0640"}]}, "sinks.path: is missing"),
    ({"sinks": [{"path": "/run/a", "mode": 640}]}, "sinks.mode: 640 is not a mode"),
    ({"sinks": [{"path": "/run/a"}, {"path": "/run/a"}]}, "sinks[1].path: /run/a is written for another purpose"),
    (
        {"sinks": [{"path": "/run/a", "wrap": "5m"}]},
        "sinks.wrap: is not known -- use path, mode, owner, group, wrap_ttl",
    ),
    ({"sinks": [{"path": "/run/a", "wrap_ttl": "soon"}]}, "sinks.wrap_ttl: 'soon' is not a duration"),
    ({"sinks": [{"path": "/run/a", "wrap_ttl": "5m"}], "wrap_ttl": "5m"}, "sinks.wrap_ttl: is given in the method"),
    ({"sinks": [{"path": "/run/a", "dh_type": "curve25519"}]}, "sinks.dh_path: is missing, but dh_type is there"),
    ({"sinks": [{"path": "/run/a", "aad": "x"}]}, "sinks.aad: is for an encrypted sink, and this one is not"),
    ({"sinks": [{"path": "/run/a", "derive_key": "x"}]}, "sinks.derive_key: "),
    ({"sinks": [{"path": "/run/a", "owner": "a b"}]}, "sinks.owner: 'a b' is neither name nor id"),
    ({"sinks": [{"path": "/run/a"}, {"path": "/run/b"}], "wrap_ttl": "5m"}, "wrap_ttl: is given with 2 sinks"),
    ({"readers": "app"}, "readers: is not a list"),
    ({"readers": ["a,b"]}, "readers: 'a,b' is not the name of a user"),
    ({"readers": [1000]}, "readers: 1000 is not the name of a user"),
    ({"python": "python3"}, "python: 'python3' is not an absolute path"),
    ({"python": "/usr/bin/python3 -O"}, "python: '/usr/bin/python3 -O' is not an absolute path"),
    ({"bundle_src": "x.tar.gz"}, "bundle_sha256: is missing, but vault_agent_bundle_src is given"),
    ({"bundle_sha256": "0" * 64}, "bundle_src: is missing"),
    ({"bundle_src": "x", "bundle_sha256": "0" * 63}, "bundle_sha256: is not a SHA-256"),
    ({"bundle_src": "x", "bundle_sha256": "0" * 64, "wheelhouse": "w"}, "wheelhouse: is given together with"),
    ({"wheelhouse": 3}, "wheelhouse: is not the name of a folder"),
    ({"sink_setype": "a b"}, "sink_setype: 'a b' is not an SELinux type"),
    ({"assume_role_external_id": "xy"}, "assume_role_arn: is missing"),
]


@pytest.mark.parametrize(("wrong", "text"), WRONG, ids=[text[:40] for _wrong, text in WRONG])
def test_what_is_wrong_is_named(wrong: dict[str, t.Any], text: str) -> None:
    (problem,) = refused(**wrong)
    assert problem.startswith(PREFIX + text)
    assert " -- " in problem


def test_all_that_is_wrong_is_named_at_once() -> None:
    problems = refused(url=7, roll="x", sinks=[{"path": "a"}], wait_timeout="x", revoke_on_exit="x", python="x")
    names = [problem.partition(":")[0].partition("[")[0].removeprefix(PREFIX) for problem in problems]
    assert sorted(names) == ["python", "revoke_on_exit", "roll", "sinks.path", "url", "wait_timeout"]


@pytest.mark.parametrize("name", ["secret_key", "session_token", "nonce"])
def test_a_wrong_secret_is_not_repeated(name: str) -> None:
    kind = "ec2" if name == "nonce" else "iam"
    for value in (f"{SECRET}\n", f"{SECRET} {SECRET}\x07", {"x": SECRET}):
        problems = refused(**{"type": kind, "access_key": "AKIA", name: value})
        assert problems
        assert SECRET not in "\n".join(problems)


@pytest.mark.parametrize("value", [None, 0, -1, 2**70, 1.5, True, [], {}, "", "\x00", "é", "x" * 5000, [[]], {"a": {}}])
def test_any_value_is_taken_or_refused_by_name(value: t.Any) -> None:
    for name in sorted(KNOWN):
        with contextlib.suppress(PlanError):
            assert planned(**{name: value}).name
            continue
        assert all(problem.startswith(PREFIX) for problem in refused(**{name: value})), name


@pytest.mark.parametrize("name", sorted(KNOWN))
@pytest.mark.parametrize("wrong", [-1, 1.5, [1], {"a": 1}, "\x00"])
def test_each_variable_refuses_by_its_name(name: str, wrong: t.Any) -> None:
    arn = {"assume_role_arn": "arn:aws:iam::123456789012:role/x"}
    beside: dict[str, dict[str, t.Any]] = {
        "nonce": {"type": "ec2"},
        "signature_type": {"type": "ec2"},
        "assume_role_external_id": arn,
        "assume_role_session_name": arn,
        "bundle_src": {"bundle_sha256": "0" * 64},
        "bundle_sha256": {"bundle_src": "x"},
    }
    named = [text for text in refused(**{**beside.get(name, {}), name: wrong}) if re.match(rf"{PREFIX}{name}\W", text)]
    assert named
    assert all(" -- " in text for text in named)
