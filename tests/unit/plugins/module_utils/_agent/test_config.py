# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The agent's configuration: what Vault Agent takes means the same here, and the environment fills the gaps."""

from __future__ import annotations

import copy
import json
import os
import typing as t
from pathlib import Path

import pytest

from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.config import (
    AgentConfig,
    ConfigErrors,
    foretell,
    load,
)
from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.sink_options import AgentSink, Encryption
from ansible_collections.vaultfleet.aws.tests.unit.support import certificates

AWS = {"type": "iam", "role": "web"}
METHOD = {"type": "aws", "config": AWS}
EXAMPLES = Path(__file__).parents[5] / "examples"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory for sinks and configurations."""
    place = tmp_path / "agent"
    place.mkdir()
    return place


def sink(place: Path, name: str = "token", **config: t.Any) -> dict[str, t.Any]:
    return {"type": "file", "config": {"path": str(place / name), **config}}


def loaded(place: Path, values: object, environ: t.Mapping[str, str] | None = None) -> AgentConfig:
    file = place / "agent.json"
    file.write_text(json.dumps(values))
    file.chmod(0o600)
    return load([str(file)], environ or {})


def with_method(place: Path, **method: t.Any) -> dict[str, t.Any]:
    return {"auto_auth": {"method": {**METHOD, **method}, "sink": sink(place)}}


def with_aws(place: Path, **config: t.Any) -> dict[str, t.Any]:
    return with_method(place, config={**AWS, **config})


def with_sink(place: Path, **config: t.Any) -> dict[str, t.Any]:
    return {"auto_auth": {"method": METHOD, "sink": sink(place, **config)}}


def test_the_least_configuration_has_vault_agents_defaults(place: Path) -> None:
    config = loaded(place, with_method(place))
    assert (config.login.type, config.login.role, config.login.mount_path) == ("iam", "web", "aws")
    assert (config.login.region, config.login.sts_endpoint, config.login.wrap_ttl) == (None, "auto", 0)
    assert (config.connection.url, config.connection.retries) == ("https://127.0.0.1:8200", 0)
    assert (config.connection.timeout, config.connection.validate_certs) == (30, True)
    assert config.sinks == (AgentSink(str(place / "token"), 0o600),)
    assert (config.min_backoff, config.max_backoff) == (1, 300)
    assert (config.lookup_interval, config.credential_poll_interval) == (300, 60)
    assert not any((config.exit_on_err, config.exit_after_auth, config.revoke_on_exit))
    assert (config.pid_file, config.metrics_file) == (None, None)
    assert (config.log_level, config.log_format, config.notices) == ("info", "standard", ())


def test_every_key_arrives(place: Path) -> None:
    ca = certificates.CA
    values = {
        "pid_file": str(place / "pid"),
        "exit_after_auth": True,
        "log_level": "WARNING",
        "log_format": "json",
        "vault": {
            "address": "https://vault.example.org:8200/",
            "namespace": "team/",
            "ca_cert": ca,
            "ca_path": str(place),
            "client_cert": ca,
            "client_key": ca,
            "tls_skip_verify": "true",
            "tls_server_name": "vault.example.org",
        },
        "auto_auth": {
            "method": {
                "type": "AWS",
                "mount_path": "auth/aws-open",
                "namespace": "team",
                "wrap_ttl": "5m",
                "min_backoff": "2s",
                "max_backoff": 2,
                "exit_on_err": True,
                "config": {
                    "type": "iam",
                    "role": "web",
                    "region": "eu-central-1",
                    "header_value": "vault.example.org",
                    "access_key": "AKIAEXAMPLE",
                    "secret_key": "secret-key-canary",
                    "session_token": "session-token-canary",
                    "credential_poll_interval": "2m",
                    "sts_endpoint": "regional",
                    "assume_role_arn": "arn:aws:iam::123456789012:role/vault-client",
                    "assume_role_external_id": "external-id",
                    "assume_role_session_name": "session",
                },
            },
            "sink": sink(place, mode="0640", owner=os.getuid(), group=os.getgid()),
            "lookup_interval": 0,
            "revoke_on_exit": True,
            "revoke_previous": True,
            "metrics_file": str(place / "agent.prom"),
        },
    }
    config = loaded(place, values)
    login, connection = config.login, config.connection
    assert (config.pid_file, config.metrics_file) == (str(place / "pid"), str(place / "agent.prom"))
    assert config.exit_after_auth
    assert config.exit_on_err
    assert config.revoke_on_exit
    assert config.revoke_previous
    assert (config.log_level, config.log_format) == ("warn", "json")
    assert (config.min_backoff, config.max_backoff) == (2, 2)
    assert (config.lookup_interval, config.credential_poll_interval) == (0, 120)
    assert (connection.url, connection.namespace) == ("https://vault.example.org:8200", "team")
    assert (connection.ca_cert, connection.ca_path) == (ca, str(place))
    assert (connection.client_cert, connection.client_key) == (ca, ca)
    assert (connection.validate_certs, connection.tls_server_name) == (False, "vault.example.org")
    assert (login.mount_path, login.wrap_ttl, login.region) == ("aws-open", 300, "eu-central-1")
    assert (login.header_value, login.sts_endpoint) == ("vault.example.org", "regional")
    assert (login.access_key, login.secret_key) == ("AKIAEXAMPLE", "secret-key-canary")
    assert login.session_token == "session-token-canary"
    assert login.assume_role_arn == "arn:aws:iam::123456789012:role/vault-client"
    assert (login.assume_role_external_id, login.assume_role_session_name) == ("external-id", "session")
    assert config.sinks == (AgentSink(str(place / "token"), 0o640, os.getuid(), os.getgid()),)
    assert config.notices == ()


def test_an_ec2_login(place: Path) -> None:
    config = loaded(place, with_method(place, config={"type": "ec2", "role": "node", "signature_type": "rsa2048"}))
    assert (config.login.type, config.login.signature_type, config.login.nonce) == ("ec2", "rsa2048", None)


@pytest.mark.parametrize(
    ("method", "sinks"),
    [
        ("object", "object"),
        ("object", "array"),
        ("array", "object"),
        ("array", "array"),
        ("label", "label"),
        ("label in array", "label in array"),
        ("array in label", "array in label"),
        ("object", "documented"),
        ("object", "documented label"),
        ("object", "one below sink"),
    ],
)
@pytest.mark.parametrize("name", ["sink", "sinks"])
def test_all_shapes_mean_the_same(place: Path, name: str, method: str, sinks: str) -> None:
    body = {"config": AWS, "min_backoff": "3s"}
    methods = {
        "object": {"type": "aws", **body},
        "array": [{"type": "aws", **body}],
        "label": {"aws": body},
        "label in array": [{"aws": body}],
        "array in label": {"aws": [body]},
    }
    config = {"path": str(place / "token"), "mode": 416}
    shapes = {
        "object": {"type": "file", "config": config},
        "array": [{"type": "file", "config": [config]}],
        "label": {"file": {"config": config}},
        "label in array": [{"file": {"config": config}}],
        "array in label": {"file": [{"config": config}]},
        "documented": [{"sink": {"type": "file", "config": config}}],
        "documented label": [{"sink": {"file": {"config": config}}}],
        "one below sink": {"sink": [{"type": "file", "config": config}]},
    }
    for auto_auth in (block := {"method": methods[method], name: shapes[sinks]}, [block]):
        found = loaded(place, {"auto_auth": auto_auth})
        assert (found.login.role, found.min_backoff) == ("web", 3)
        assert found.sinks == (AgentSink(str(place / "token"), 0o640),)


@pytest.mark.parametrize("shape", ["plain", "documented", "labels", "one label"])
def test_several_sinks(place: Path, shape: str) -> None:
    first, second = sink(place, "one"), sink(place, "two", mode="0640")
    shapes: dict[str, t.Any] = {
        "plain": [first, second],
        "documented": [{"sink": first}, {"sink": second}],
        "labels": [{"file": {"config": first["config"]}}, {"file": {"config": second["config"]}}],
        "one label": {"file": [{"config": first["config"]}, {"config": second["config"]}]},
    }
    config = loaded(place, {"auto_auth": {"method": METHOD, "sinks": shapes[shape]}})
    assert config.sinks == (AgentSink(str(place / "one")), AgentSink(str(place / "two"), 0o640))


@pytest.mark.parametrize(("region", "meant"), [("", "auto"), ("auto", "auto"), ("eu-central-1", "eu-central-1")])
def test_an_empty_region_is_detected_as_vault_agent_does(place: Path, region: str, meant: str) -> None:
    assert loaded(place, with_aws(place, region=region)).login.region == meant


@pytest.mark.parametrize(
    ("mode", "meant"), [(416, 0o640), (384, 0o600), ("0640", 0o640), ("640", 0o640), ("0o440", 0o440)]
)
def test_modes(place: Path, mode: object, meant: int) -> None:
    assert loaded(place, with_sink(place, mode=mode)).sinks[0].mode == meant


@pytest.mark.parametrize(
    ("owner", "uid", "gid"),
    [
        ({"owner": "root", "group": "root"}, 0, 0),
        ({"uid": 12, "gid": "13"}, 12, 13),
        ({"uid": -1, "gid": -1}, None, None),
        ({"owner": -1, "gid": 7}, None, 7),
    ],
)
def test_owners(place: Path, owner: dict[str, t.Any], uid: int | None, gid: int | None) -> None:
    found = loaded(place, with_sink(place, **owner)).sinks[0]
    assert (found.uid, found.gid) == (uid, gid)


@pytest.mark.parametrize("ttl", [0, "0s"])
def test_a_wrap_ttl_of_nothing_wraps_nothing(place: Path, ttl: object) -> None:
    values = with_method(place, wrap_ttl=ttl)
    values["auto_auth"]["sink"] = [sink(place, "one"), sink(place, "two")]
    assert loaded(place, values).login.wrap_ttl == 0


@pytest.mark.parametrize("namespaces", [{"vault": "team"}, {"method": "team/"}, {"vault": "team/", "method": "team"}])
def test_the_namespace_of_either_block(place: Path, namespaces: dict[str, str]) -> None:
    values = with_method(place)
    if "vault" in namespaces:
        values["vault"] = {"namespace": namespaces["vault"]}
    if "method" in namespaces:
        values["auto_auth"]["method"] = {**METHOD, "namespace": namespaces["method"]}
    assert loaded(place, values).connection.namespace == "team"


def test_retries_of_vault_agent_are_said_to_have_no_effect(place: Path) -> None:
    config = loaded(place, {**with_method(place), "vault": {"retry": {"num_retries": 5}}})
    assert config.connection.retries == 0
    (notice,) = config.notices
    assert "vault.retry" in notice
    assert "no effect" in notice


# --- several files


def files(place: Path, **contents: object) -> list[str]:
    for name, values in contents.items():
        (place / f"{name}.json").write_text(json.dumps(values))
    return [str(place / f"{name}.json") for name in contents]


def test_a_later_file_replaces_whole_blocks_and_says_so(place: Path) -> None:
    first = {
        **with_method(place),
        "vault": {"address": "https://one:8200", "namespace": "team"},
        "exit_after_auth": True,
    }
    second = {"vault": {"address": "https://two:8200"}, "exit_after_auth": False, "log_level": "debug"}
    paths = files(place, one=first, two=second)
    config = load(paths, {})
    assert (config.connection.url, config.connection.namespace) == ("https://two:8200", "")
    assert config.exit_after_auth, "a true one stays, as in Vault Agent"
    assert config.log_level == "debug"
    assert [notice for notice in config.notices if all(path in notice for path in paths)] == list(config.notices)
    assert len(config.notices) == 1
    with pytest.raises(ConfigErrors):
        load(paths[1:], {})


def test_a_directory_is_read_by_name_without_what_editors_leave(place: Path) -> None:
    files(place, b={"log_level": "error"}, a={**with_method(place), "log_level": "debug"})
    for name in ("c.json~", ".#c.json", "#c.json#", "README"):
        (place / name).write_text("no JSON")
    (place / "d.json").mkdir()
    assert load([str(place)], {}).log_level == "error"


# --- environment


@pytest.mark.parametrize("prefix", ["VAULT_", "BAO_"])
def test_the_environment_fills_what_the_file_leaves_open(place: Path, prefix: str) -> None:
    ca = certificates.CA
    environ = {
        "ADDR": "https://vault.example.org:8200",
        "NAMESPACE": "team",
        "CACERT": ca,
        "CAPATH": str(place),
        "CLIENT_CERT": ca,
        "CLIENT_KEY": ca,
        "TLS_SERVER_NAME": "vault.example.org",
        "CLIENT_TIMEOUT": "10s",
        "PROXY_ADDR": "http://proxy.example.org:3128",
        "MAX_RETRIES": "7",
        "SKIP_VERIFY": "1",
    }
    config = loaded(place, with_method(place), {prefix + name: value for name, value in environ.items()})
    connection = config.connection
    assert (connection.url, connection.namespace) == ("https://vault.example.org:8200", "team")
    assert (connection.ca_cert, connection.ca_path) == (ca, str(place))
    assert (connection.client_cert, connection.client_key) == (ca, ca)
    assert (connection.tls_server_name, connection.timeout, connection.retries) == ("vault.example.org", 10, 0)
    assert connection.proxies == dict.fromkeys(("http", "https"), "http://proxy.example.org:3128")
    assert not connection.validate_certs
    (notice,) = config.notices
    assert "SKIP_VERIFY" in notice


def test_openbaos_variable_comes_first_and_an_empty_one_is_none(place: Path) -> None:
    environ = {"VAULT_ADDR": "https://vault:8200", "BAO_ADDR": "https://bao:8200", "BAO_NAMESPACE": ""}
    config = loaded(place, with_method(place), {**environ, "VAULT_NAMESPACE": "team"})
    assert (config.connection.url, config.connection.namespace) == ("https://bao:8200", "team")


def test_the_file_beats_the_environment_and_says_so(place: Path) -> None:
    values = {**with_method(place), "vault": {"address": "https://file:8200", "tls_skip_verify": False}}
    config = loaded(place, values, {"VAULT_ADDR": "https://environment:8200", "VAULT_SKIP_VERIFY": "true"})
    assert (config.connection.url, config.connection.validate_certs) == ("https://file:8200", True)
    assert len(config.notices) == 2
    for notice, names in zip(
        config.notices, (("vault.address", "VAULT_ADDR"), ("tls_skip_verify", "VAULT_SKIP_VERIFY"))
    ):
        assert all(name in notice for name in (*names, str(place / "agent.json")))


def test_no_notice_if_file_and_environment_agree(place: Path) -> None:
    values = {**with_method(place), "vault": {"address": "https://vault:8200", "tls_skip_verify": False}}
    assert loaded(place, values, {"VAULT_ADDR": "https://vault:8200", "VAULT_SKIP_VERIFY": "0"}).notices == ()


# --- secrets


@pytest.mark.parametrize(("mode", "told"), [(0o600, False), (0o640, True), (0o604, True)])
def test_secrets_that_others_can_read_are_told_of(place: Path, mode: int, told: bool) -> None:
    values = with_aws(place, access_key="AKIAEXAMPLE", secret_key="secret-key-canary")
    (path,) = files(place, agent=values)
    Path(path).chmod(mode)
    config = load([path], {})
    assert len(config.notices) == told
    assert all("secret_key" in notice and f"{mode:04o}" in notice for notice in config.notices)
    assert "canary" not in repr(config)


# --- examples


@pytest.mark.parametrize("name", ["agent-iam.json", "agent-ec2.json"])
def test_the_examples_are_configurations(place: Path, name: str) -> None:
    values = json.loads((EXAMPLES / name).read_text())
    here = copy.deepcopy(values)
    here["vault"]["ca_cert"] = certificates.CA
    here["auto_auth"]["sink"][0]["config"]["path"] = str(place / "token")
    config = loaded(place, here)
    assert config.login.type == values["auto_auth"]["method"][0]["config"]["type"]
    assert config.sinks[0].mode == 0o640
    assert config.notices == ()


def test_an_agent_that_runs_needs_one_place(place: Path) -> None:
    """A sink whose directory is gone holds up no other; without any place the configuration is refused."""
    lost = {"type": "file", "config": {"path": str(place / "lost" / "token")}}
    file = place / "agent.json"
    for sinks in ([lost, sink(place)], [lost]):
        with pytest.raises(ConfigErrors, match="lost"):
            loaded(place, {"auto_auth": {"method": METHOD, "sink": sinks}})
        if len(sinks) == 2:
            assert len(load([str(file)], {}, some=True).sinks) == 2
    with pytest.raises(ConfigErrors, match="lost"):
        load([str(file)], {}, some=True)


def test_wrapped_and_encrypted_sinks(place: Path) -> None:
    """All keys, in Vault Agent's words; the environment's aad counts, and a key that comes later is waited for."""
    dh = {"dh_type": "curve25519", "dh_path": str(place / "dh.json")}
    values = with_method(place)
    values["auto_auth"]["sink"] = [
        {**sink(place, "none"), "wrap_ttl": 0, "dh_type": "", "dh_path": "", "derive_key": False, "aad": ""},
        {**sink(place, "wrapped"), "wrap_ttl": "5m"},
        {**sink(place, "both"), **dh, "wrap_ttl": 60, "derive_key": True, "aad": "config-canary", "aad_env_var": "AAD"},
        {**sink(place, "plain"), **dh, "aad": "\u00e9"},
    ]
    config = loaded(place, values, {"AAD": "of the environment"})
    assert [(one.wrap_ttl, one.encryption) for one in config.sinks] == [
        (0, None),
        (300, None),
        (60, Encryption(str(place / "dh.json"), True, b"of the environment")),
        (0, Encryption(str(place / "dh.json"), False, "\u00e9".encode())),
    ]
    late = [
        notice for notice in config.notices if "is not written before the reader put its public key there" in notice
    ]
    assert len(late) == 2
    assert any("sink[2].aad_env_var" in notice and "sink[2].aad is not" in notice for notice in config.notices)
    assert "canary" not in repr(config)


def test_what_is_judged_from_afar_looks_at_no_key_and_no_environment(place: Path) -> None:
    values = with_method(place)
    values["auto_auth"]["sink"] = {
        **sink(place),
        "dh_type": "curve25519",
        "dh_path": "/etc/hostname",
        "aad_env_var": "NOT_SET",
    }
    (found,) = foretell(json.dumps(values)).sinks
    assert found.encryption == Encryption("/etc/hostname")
