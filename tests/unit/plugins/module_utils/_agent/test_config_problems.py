# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mistakes in the agent's configuration: all are found at once, each with its file, its key and a cure."""

from __future__ import annotations

import json
import os
import socket
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.vaultfleet.aws.plugins.module_utils._agent import files
from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.config import ConfigErrors, Problem, load

AWS = {"type": "iam", "role": "web"}
METHOD: dict[str, t.Any] = {"type": "aws", "config": AWS}
IN_METHOD = "auto_auth.method"
IN_AWS = "auto_auth.method.config"
IN_SINK = "auto_auth.sink"
IN_FILE = "auto_auth.sink.config"
DH = {"dh_type": "curve25519", "dh_path": "/not/there/yet.json"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "agent.json"


def problems(file: Path, values: object, environ: t.Mapping[str, str] | None = None) -> tuple[Problem, ...]:
    text = values if isinstance(values, str) else json.dumps(values).replace("PLACE", str(file.parent))
    file.write_text(text)
    file.chmod(0o600)
    with pytest.raises(ConfigErrors) as caught:
        load([str(file)], environ or {})
    found = caught.value.problems
    assert str(caught.value).splitlines() == [str(problem) for problem in found]
    for problem in found:
        assert problem.text
        assert problem.hint
        assert "canary" not in str(problem)
    return found


def sink(**config: t.Any) -> dict[str, t.Any]:
    return {"type": "file", "config": {"path": "PLACE/token", **config}}


def top(**values: t.Any) -> dict[str, t.Any]:
    return {"auto_auth": {"method": METHOD, "sink": sink()}, **values}


def vault(**values: t.Any) -> dict[str, t.Any]:
    return top(vault=values)


def auto_auth(**values: t.Any) -> dict[str, t.Any]:
    return {"auto_auth": {"method": METHOD, "sink": sink(), **values}}


def method(**values: t.Any) -> dict[str, t.Any]:
    return auto_auth(method={**METHOD, **values})


def aws(**values: t.Any) -> dict[str, t.Any]:
    return method(config={**AWS, **values})


def ec2(**values: t.Any) -> dict[str, t.Any]:
    return method(config={"type": "ec2", "role": "node", **values})


INTERVAL = "static_secret_render_interval"
KEYS = {"access_key": "AKIAEXAMPLE", "secret_key": "secret-key-canary"}
NO_TYPE = {"config": AWS, "mount_path": "auth/aws"}

# What is wrong, the key that is named, and a word of what is said.
WRONG: list[tuple[dict[str, t.Any], str, str]] = [
    ({}, "auto_auth", "missing"),
    (top(auto_auth=[]), "auto_auth", "missing"),
    (top(auto_auth="on"), "auto_auth", "a string"),
    (top(auto_auth=None), "auto_auth", "null"),
    (top(vault={}, vaults={}), "vaults", "did you mean vault?"),
    (top(auto_auth=[auto_auth()["auto_auth"]] * 2), "auto_auth", "more than once"),
    (top(vault=[{}, {}]), "vault", "more than once"),
    (top(vault=["x"]), "vault", "not an object"),
    (top(pid_file="agent.pid"), "pid_file", "absolute"),
    (top(pid_file="/tmp/"), "pid_file", "absolute"),
    (top(pid_file="PLACE"), "pid_file", "directory"),
    (top(pid_file="PLACE/none/pid"), "pid_file", "no directory"),
    (top(pid_file=7), "pid_file", "an integer"),
    (top(exit_after_auth="true"), "exit_after_auth", "without quotes"),
    (top(exit_after_auth=1), "exit_after_auth", "an integer"),
    (top(log_level="loud"), "log_level", "trace, debug, info, warn or error"),
    (top(log_level=""), "log_level", "not a level"),
    (top(log_format="xml"), "log_format", "standard or json"),
    (top(exit_on_err=True), "exit_on_err", "belongs in auto_auth.method"),
    (top(address="https://vault:8200"), "address", "belongs in vault"),
    # blocks and keys of Vault Agent that are refused by name
    (top(listener=[{"tcp": {}}]), "listener", "sink"),
    (top(api_proxy={}), "api_proxy", "sink"),
    (top(cache={}), "cache", "sink"),
    (top(template=[]), "template", "jinja_template"),
    (top(template_config={"exit_on_retry_failure": True}), "template_config.exit_on_retry_failure", "never ends"),
    (top(template_config={"static_secret_render_interval": "0s"}), f"template_config.{INTERVAL}", "outside 1"),
    (top(env_template={}), "env_template", "EnvironmentFile"),
    (top(exec={}), "exec", "EnvironmentFile"),
    (top(telemetry={}), "telemetry", "metrics_file"),
    (top(log_file="/var/log/agent.log"), "log_file", "stderr"),
    (top(log_rotate_bytes=1), "log_rotate_bytes", "stderr"),
    (top(log_rotate_duration="1h"), "log_rotate_duration", "stderr"),
    (top(log_rotate_max_files=1), "log_rotate_max_files", "stderr"),
    (top(disable_keep_alives=["auto-auth"]), "disable_keep_alives", "no such switch"),
    (top(disable_idle_connections=[]), "disable_idle_connections", "no such switch"),
    (
        auto_auth(enable_reauth_on_new_credentials=True),
        "auto_auth.enable_reauth_on_new_credentials",
        "never force",
    ),
    # vault
    (vault(adress="https://vault:8200"), "vault.adress", "did you mean address?"),
    (vault(address="vault:8200"), "vault.address", "http"),
    (vault(address=["https://vault:8200"]), "vault.address", "an array"),
    (vault(address="https://canary:canary@vault:8200"), "vault.address", "password"),
    (vault(address="unix:///run/vault.sock"), "vault.address", "http"),
    (vault(ca_cert="PLACE/none.pem"), "vault.ca_cert", "none.pem"),
    (vault(ca_path="PLACE/none"), "vault.ca_path", "none"),
    (vault(client_cert="PLACE/none.pem"), "vault.client_cert", "none.pem"),
    (vault(client_key="/dev/null"), "vault.client_key", "client_cert"),
    (vault(tls_skip_verify="perhaps"), "vault.tls_skip_verify", "not a boolean"),
    (vault(tls_skip_verify=0), "vault.tls_skip_verify", "an integer"),
    (vault(tls_server_name="a b"), "vault.tls_server_name", "white space"),
    (vault(namespace="te am"), "vault.namespace", "white space"),
    (vault(retry={"num_retries": -2}), "vault.retry.num_retries", "-2"),
    (vault(retry={"num_retries": "3"}), "vault.retry.num_retries", "a string"),
    (vault(retry={"retries": 3}), "vault.retry.retries", "num_retries"),
    (vault(retry=3), "vault.retry", "an integer"),
    # auto_auth
    (auto_auth(lookup_intervall=3), "auto_auth.lookup_intervall", "did you mean lookup_interval?"),
    (auto_auth(lookup_interval=-1), "auto_auth.lookup_interval", "outside"),
    (auto_auth(lookup_interval="soon"), "auto_auth.lookup_interval", "not a duration"),
    (auto_auth(lookup_interval=1.5), "auto_auth.lookup_interval", "fraction"),
    (auto_auth(revoke_on_exit="yes"), "auto_auth.revoke_on_exit", "a string"),
    (auto_auth(metrics_file="agent.prom"), "auto_auth.metrics_file", "absolute"),
    (auto_auth(role="web"), "auto_auth.role", "belongs in auto_auth.method.config"),
    (auto_auth(sinks=[sink()], sink=[]), "auto_auth.sinks", "together with sink"),
    # the method
    (auto_auth(method=[]), IN_METHOD, "missing"),
    (auto_auth(method=[METHOD, METHOD]), IN_METHOD, "more than once"),
    (auto_auth(method={"aws": METHOD, "gcp": {}}), IN_METHOD, "more than once"),
    (auto_auth(method=NO_TYPE), f"{IN_METHOD}.type", "missing"),
    (auto_auth(method={"config": AWS}), f"{IN_METHOD}.type", "missing"),
    (auto_auth(method={"aws": {**METHOD, "type": "gcp"}}), f"{IN_METHOD}.aws.type", "is not 'aws'"),
    (auto_auth(method={"approle": {"config": {}}}), f"{IN_METHOD}.approle.type", "use aws"),
    (method(type="kubernetes"), f"{IN_METHOD}.type", "use aws"),
    (method(type=1), f"{IN_METHOD}.type", "an integer"),
    (method(mount_path="auth/"), f"{IN_METHOD}.mount_path", "mount"),
    (method(mount_path="../sys"), f"{IN_METHOD}.mount_path", "mount"),
    (method(min_backoff=0), f"{IN_METHOD}.min_backoff", "outside 1"),
    (method(min_backoff="500ms"), f"{IN_METHOD}.min_backoff", "whole seconds"),
    (method(min_backoff="10m"), f"{IN_METHOD}.min_backoff", "300 s, the default"),
    (method(min_backoff=20, max_backoff=10), f"{IN_METHOD}.min_backoff", "more than max_backoff, 10 s"),
    (method(max_backof=10), f"{IN_METHOD}.max_backof", "did you mean max_backoff?"),
    (method(Max_Backoff=10), f"{IN_METHOD}.Max_Backoff", "did you mean max_backoff?"),
    (method(exit_on_err="true"), f"{IN_METHOD}.exit_on_err", "without quotes"),
    (method(wrap_ttl="long"), f"{IN_METHOD}.wrap_ttl", "not a duration"),
    (
        auto_auth(method={**METHOD, "wrap_ttl": "5m"}, sink=[sink(), sink(path="PLACE/two")]),
        f"{IN_METHOD}.wrap_ttl",
        "2 sinks",
    ),
    (method(config=[]), IN_AWS, "missing"),
    (method(config="iam"), IN_AWS, "a string"),
    ({**method(namespace="b"), "vault": {"namespace": "a"}}, f"{IN_METHOD}.namespace", "vault.namespace"),
    (method(region="eu-central-1"), f"{IN_METHOD}.region", "belongs in auto_auth.method.config"),
    # its config
    (method(config={"role": "web"}), f"{IN_AWS}.type", "iam or ec2"),
    (aws(type="IAM"), f"{IN_AWS}.type", "iam or ec2"),
    (method(config={"type": "iam"}), f"{IN_AWS}.role", "missing"),
    (aws(role=""), f"{IN_AWS}.role", "empty"),
    (aws(role=7), f"{IN_AWS}.role", "an integer"),
    (aws(roll="web"), f"{IN_AWS}.roll", "did you mean role?"),
    (aws(region="eu central"), f"{IN_AWS}.region", "white space"),
    (aws(header_value="a\r\nb"), f"{IN_AWS}.header_value", "one line"),
    (aws(access_key="AKIAEXAMPLE"), f"{IN_AWS}.secret_key", "missing"),
    (aws(secret_key="secret-key-canary"), f"{IN_AWS}.access_key", "missing"),
    (aws(**{**KEYS, "secret_key": ["canary"]}), f"{IN_AWS}.secret_key", "an array"),
    (aws(**{**KEYS, "secret_key": "canary\n"}), f"{IN_AWS}.secret_key", "white space"),
    (aws(**KEYS, profile="dev"), f"{IN_AWS}.profile", "together"),
    (aws(nonce="nonce-canary"), f"{IN_AWS}.nonce", "type is iam"),
    (aws(sts_endpoint="ftp://sts"), f"{IN_AWS}.sts_endpoint", "http"),
    (aws(credential_poll_interval=0), f"{IN_AWS}.credential_poll_interval", "outside 1"),
    (aws(credential_poll_interval=True), f"{IN_AWS}.credential_poll_interval", "a boolean"),
    (aws(assume_role_arn="vault-client"), f"{IN_AWS}.assume_role_arn", "arn:aws"),
    (aws(assume_role_session_name="x" * 3), f"{IN_AWS}.assume_role_arn", "missing"),
    (ec2(nonce=""), f"{IN_AWS}.nonce", "empty"),
    (ec2(nonce="nonce-canary" * 20), f"{IN_AWS}.nonce", "longer"),
    (ec2(region="eu-central-1"), f"{IN_AWS}.region", "type is ec2"),
    (ec2(signature_type="dsa"), f"{IN_AWS}.signature_type", "rsa2048"),
    (ec2(credential_poll_interval=60), f"{IN_AWS}.credential_poll_interval", "type is ec2"),
    # sinks
    (auto_auth(sink=[]), "auto_auth.sink", "missing"),
    ({"auto_auth": {"method": METHOD}}, "auto_auth.sink", "missing"),
    (auto_auth(sink="PLACE/token"), "auto_auth.sink", "a string"),
    (auto_auth(sink=["PLACE/token"]), "auto_auth.sink", "not an object"),
    (auto_auth(sink={"config": {"path": "PLACE/token"}}), "auto_auth.sink.type", "missing"),
    (auto_auth(sink={"type": "file"}), "auto_auth.sink.config", "missing"),
    (auto_auth(sink={"type": "inmem", "config": {}}), "auto_auth.sink.type", "use file"),
    (auto_auth(sink=[sink(), {"inmem": {}}]), "auto_auth.sink[1].inmem.type", "use file"),
    (auto_auth(sink={"type": "file", "config": {}}), f"{IN_FILE}.path", "missing"),
    (auto_auth(sink=sink(path="token")), f"{IN_FILE}.path", "absolute"),
    (auto_auth(sink=sink(path=1)), f"{IN_FILE}.path", "an integer"),
    (auto_auth(sink=sink(path="PLACE")), f"{IN_FILE}.path", "a directory"),
    (auto_auth(sink=sink(path="PLACE/none/token")), f"{IN_FILE}.path", "create it first"),
    (auto_auth(sink=sink(path="PLACE/a\nb")), f"{IN_FILE}.path", "absolute"),
    (auto_auth(sink=sink(mode=640)), f"{IN_FILE}.mode", 'write 416 or "0640"'),
    (auto_auth(sink=sink(mode=600)), f"{IN_FILE}.mode", 'write 384 or "0600"'),
    (auto_auth(sink=sink(mode=400)), f"{IN_FILE}.mode", 'write 256 or "0400"'),
    (auto_auth(sink=sink(mode=440)), f"{IN_FILE}.mode", 'write 288 or "0440"'),
    (auto_auth(sink=sink(mode=0)), f"{IN_FILE}.mode", "owner"),
    (auto_auth(sink=sink(mode="rw-")), f"{IN_FILE}.mode", "octal"),
    (auto_auth(sink=sink(mode=True)), f"{IN_FILE}.mode", "a boolean"),
    (auto_auth(sink=sink(owner="no-such-user")), f"{IN_FILE}.owner", "no user"),
    (auto_auth(sink=sink(gid="no-such-group")), f"{IN_FILE}.gid", "no group"),
    (auto_auth(sink=sink(uid=-2)), f"{IN_FILE}.uid", "no user"),
    (auto_auth(sink=sink(owner=1, uid=1)), f"{IN_FILE}.uid", "together with owner"),
    (auto_auth(sink=sink(perms="0640")), f"{IN_FILE}.perms", "mode"),
    (auto_auth(sink=[sink(), sink(path="PLACE/./token")]), "auto_auth.sink[1].config.path", "own file"),
    (auto_auth(sink=sink(), metrics_file="PLACE/token"), f"{IN_FILE}.path", "own file"),
    (auto_auth(sink={**sink(), "path": "PLACE/token"}), "auto_auth.sink.path", "belongs in auto_auth.sink.config"),
    (auto_auth(sink={**sink(), "wrap_ttl": "x"}), f"{IN_SINK}.wrap_ttl", "not a duration"),
    (auto_auth(sink={**sink(), "wrap_ttl": 4}), f"{IN_SINK}.wrap_ttl", "outside 5 seconds"),
    (
        auto_auth(method={**METHOD, "wrap_ttl": "5m"}, sink={**sink(), "wrap_ttl": "5m"}),
        f"{IN_SINK}.wrap_ttl",
        "in the method and in the sink",
    ),
    (auto_auth(sink={**sink(), "dh_type": "curve25519"}), f"{IN_SINK}.dh_path", "is missing"),
    (auto_auth(sink={**sink(), "dh_path": "/dh.json"}), f"{IN_SINK}.dh_type", "is missing"),
    (auto_auth(sink={**sink(), **DH, "dh_type": "p256"}), f"{IN_SINK}.dh_type", "use curve25519"),
    (auto_auth(sink={**sink(), **DH, "dh_path": "dh.json"}), f"{IN_SINK}.dh_path", "absolute"),
    (auto_auth(sink={**sink(), **DH, "dh_path": "/etc/hostname"}), f"{IN_SINK}.dh_path", "is not JSON"),
    (auto_auth(sink={**sink(), **DH, "dh_path": "/etc"}), f"{IN_SINK}.dh_path", "Is a directory"),
    (auto_auth(sink={**sink(), "derive_key": True}), f"{IN_SINK}.derive_key", "is for an encrypted sink"),
    (auto_auth(sink={**sink(), **DH, "derive_key": "true"}), f"{IN_SINK}.derive_key", "without quotes"),
    (auto_auth(sink={**sink(), "aad": "x"}), f"{IN_SINK}.aad", "is for an encrypted sink"),
    (auto_auth(sink={**sink(), "aad_env_var": "X"}), f"{IN_SINK}.aad_env_var", "is for an encrypted sink"),
    (auto_auth(sink={**sink(), **DH, "aad_env_var": "NOT_SET"}), f"{IN_SINK}.aad_env_var", "is not set"),
    (auto_auth(sinks=[{"sink": {**sink(), "wrap_ttl": "x"}}], sink=[]), "auto_auth.sinks.sink.wrap_ttl", "duration"),
]


@pytest.mark.parametrize(("values", "key", "word"), WRONG, ids=[f"{key}-{word}" for _values, key, word in WRONG])
def test_a_mistake_is_named(file: Path, values: dict[str, t.Any], key: str, word: str) -> None:
    found = [problem for problem in problems(file, values) if problem.key == key]
    assert len(found) == 1
    assert word in f"{found[0].text} -- {found[0].hint}"
    assert found[0].file == str(file)
    assert str(found[0]).startswith(f"{file}: {key}: ")


# Those above where a second thing is wrong by nature.
DOUBLE = {"auto_auth.sinks", "auto_auth.sinks.sink.wrap_ttl"}


@pytest.mark.parametrize(("values", "key", "word"), WRONG, ids=[f"{key}-{word}" for _values, key, word in WRONG])
def test_nothing_that_is_right_is_blamed(file: Path, values: dict[str, t.Any], key: str, word: str) -> None:
    if key not in DOUBLE:
        assert [problem.key for problem in problems(file, values)] == [key], word


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "is not JSON"),
        ("[]", "is not a JSON object"),
        ("{}", "has no curve25519_public_key"),
        ('{"curve25519_public_key": 1}', "has no curve25519_public_key"),
        ('{"curve25519_public_key": "a-b_"}', "has a curve25519_public_key that is not base64"),
        (
            '{"curve25519_public_key": "MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMQ=="}',
            "has a curve25519_public_key of 31 bytes instead of 32",
        ),
        ("x" * 65537, "is over 65536 bytes"),
    ],
)
def test_a_bad_key_of_a_reader_is_told_before_anything_starts(file: Path, text: str, word: str) -> None:
    dh = file.parent / "dh.json"
    dh.write_text(text)
    (found,) = problems(file, auto_auth(sink={**sink(), **DH, "dh_path": str(dh)}))
    assert found.key == "auto_auth.sink.dh_path"
    assert f"{dh} {word}" in found.text
    assert "keygen" in found.hint


def test_all_mistakes_are_found_at_once(file: Path) -> None:
    values = {
        "listener": {},
        "log_level": "loud",
        "vault": {"adress": "x", "address": "ftp://x", "tls_server_name": "a b", "client_key": "/dev/null"},
        "auto_auth": {
            "method": {
                "type": "aws",
                "mount_path": "auth",
                "max_backof": 1,
                "min_backoff": "never",
                "config": {
                    **AWS,
                    "role": "a b",
                    "regoin": "x",
                    "access_key": 3,
                    "secret_key": "canary",
                    "region": "x y",
                },
            },
            "sink": [sink(mode=640, owner="no-such-user"), {"type": "file"}],
        },
    }
    assert {problem.key for problem in problems(file, values)} == {
        "listener",
        "log_level",
        "vault.adress",
        "vault.address",
        "vault.tls_server_name",
        "vault.client_key",
        "auto_auth.method.max_backof",
        "auto_auth.method.min_backoff",
        "auto_auth.method.mount_path",
        "auto_auth.method.config.role",
        "auto_auth.method.config.regoin",
        "auto_auth.method.config.access_key",
        "auto_auth.method.config.region",
        "auto_auth.sink[0].config.mode",
        "auto_auth.sink[0].config.owner",
        "auto_auth.sink[1].config",
    }


def test_a_bad_variable_is_named_and_its_value_is_not(file: Path) -> None:
    environ = {"VAULT_CLIENT_TIMEOUT": "soon", "BAO_ADDR": "nowhere", "VAULT_PROXY_ADDR": "canary"}
    found = problems(file, top(), environ)
    assert [(problem.file, problem.key) for problem in found] == [
        ("environment", "BAO_ADDR"),
        ("environment", "VAULT_CLIENT_TIMEOUT"),
        ("environment", "VAULT_PROXY_ADDR"),
    ]


def test_a_variable_that_the_file_replaces_is_not_judged(file: Path) -> None:
    file.write_text(json.dumps(vault(address="https://vault:8200")).replace("PLACE", str(file.parent)))
    assert load([str(file)], {"VAULT_ADDR": "nowhere"}).connection.url == "https://vault:8200"


# --- files


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ('{\n  "auto_auth": {,}\n}', ":2:17"),
        ('{"a": 1', ":1:8"),
        ("", ":1:1"),
        ('auto_auth {\n  method "aws" {}\n}', ":1:1"),
    ],
)
def test_json_that_is_none(file: Path, text: str, position: str) -> None:
    (problem,) = problems(file, text)
    assert str(problem).startswith(f"{file}{position}: ")


@pytest.mark.parametrize(
    "text", ["[]", "null", "7", '{"a": NaN}', '{"a": ' + "9" * 10000 + "}", '{"a":' * 100000 + "1" + "}" * 100000]
)
def test_json_that_is_no_configuration(file: Path, text: str) -> None:
    assert problems(file, text)


def test_a_key_that_is_given_twice_is_not_dropped_in_silence(file: Path) -> None:
    text = json.dumps(top()).replace("PLACE", str(file.parent)).replace('"role"', '"role": "a", "role"')
    (problem,) = problems(file, text)
    assert problem.key == "auto_auth.method.config.role"
    assert "more than once" in problem.text


def test_keys_cannot_forge_lines(file: Path) -> None:
    (problem,) = problems(file, top(**{"a\nb\x1b[31m\ud800": 1}))
    assert "\n" not in str(problem)
    assert str(problem).isprintable()
    str(problem).encode()


def unusable(path: Path) -> Problem:
    with pytest.raises(ConfigErrors) as caught:
        load([str(path)], {})
    (problem,) = caught.value.problems
    assert problem.file.startswith(str(path))
    assert problem.hint
    return problem


def test_no_file(tmp_path: Path) -> None:
    assert "No such file" in unusable(tmp_path / "none.json").text


def test_what_cannot_be_opened(file: Path) -> None:
    with socket.socket(socket.AF_UNIX) as there:
        there.bind(str(file))
        assert "cannot be read" in unusable(file).text


def test_a_fifo_is_not_waited_for(file: Path) -> None:
    os.mkfifo(file)
    assert "regular file" in unusable(file).text


def test_a_file_of_a_megabyte_and_more(file: Path) -> None:
    file.write_text("{" + " " * 1024 * 1024 + "}")
    assert "1 MiB" in unusable(file).text


def test_bytes_that_are_no_text(file: Path) -> None:
    file.write_bytes(b'{"a": "\xff"}')
    assert "UTF-8" in unusable(file).text


def test_a_directory_without_configuration(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "*.json" in unusable(tmp_path / "empty").text


def test_hcl_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "agent.hcl").write_text("{}")
    assert "JSON" in unusable(tmp_path / "agent.hcl").hint
    assert "JSON" in unusable(tmp_path).hint


def test_nothing_is_said_to_be_missing_that_may_stand_in_an_unreadable_file(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{")
    (tmp_path / "b.json").write_text('{"log_level": "loud"}')
    with pytest.raises(ConfigErrors) as caught:
        load([str(tmp_path)], {})
    assert [(Path(found.file).name, found.key) for found in caught.value.problems] == [
        ("a.json", ""),
        ("b.json", "log_level"),
    ]


def test_no_path_at_all() -> None:
    with pytest.raises(ConfigErrors, match="--config"):
        load([], {})


def test_a_repeated_key_among_many_is_found_at_once() -> None:
    """As many as a file may hold; each was once compared with all others, which took minutes."""
    text = "{" + ",".join(f'"k{number}":1' for number in range(60000)) + ',"k1":1}'
    found: list[Problem] = []
    started = time.monotonic()
    files.from_text(text, found)
    assert time.monotonic() - started < 5
    assert [one.key for one in found] == ["k1"]
