# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever comes in as options or as an answer ends in a value or in an error of the family, never in anything else."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import typing as t

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from ansible_collections.vaultfleet.aws.plugins.module_utils._auth import imds
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.config import LoginConfig, VaultConnection
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.durations import parse_duration
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.endpoints import sts_target
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.errors import (
    ConfigError,
    LoginError,
    SinkError,
    redact,
)
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.login import log_in
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.sink import Sink
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.vault import Login
from ansible_collections.vaultfleet.aws.tests.unit.support.vaults import AUTH, Proofs, plain_vault_at
from ansible_collections.vaultfleet.aws.tests.unit.support.web import Reply, Web

T = t.TypeVar("T")


def bounded(examples: int) -> t.Callable[[T], T]:
    """So many examples, the same in each run, with nothing left on disk."""
    return settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


@contextlib.contextmanager
def family(*kinds: type[LoginError]) -> t.Iterator[None]:
    """An error of these kinds is fine, if it is one line of bearable length."""
    try:
        yield
    except kinds as e:
        if not str(e).isprintable() or len(str(e)) > 2000:
            pytest.fail(f"not fit to be shown: {str(e)!r}")


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.binary(max_size=5)
anything = scalars | st.lists(scalars, max_size=3) | st.dictionaries(st.text(max_size=5), scalars, max_size=3)
TEXTS = [
    "iam", "ec2", "web", "aws", "auth/aws", "auto", "regional", "global", "us-east-1", "eu-central-1",
    "cn-north-1", "5m", "0", "https://sts.amazonaws.com", "https://sts.eu-west-1.amazonaws.com:443/",
    "http://[::1]:80", "http://[", "https://x:y@z", "https://vault.test:8200", "//",
    "arn:aws:iam::123456789012:role/x", "pkcs7", "a\r\nb", "\udc80", "\0", "/", "~", "~root",
]  # fmt: skip
value = st.sampled_from(TEXTS) | anything


def options_of(cls: t.Any) -> st.SearchStrategy[dict[str, t.Any]]:
    """Options with the right names, mostly."""
    names = [field.name for field in dataclasses.fields(cls)]
    return st.dictionaries(st.sampled_from([*names, "other"]), value, max_size=8)


@bounded(150)
@given(options_of(LoginConfig), st.sampled_from(["iam", "ec2", None]))
def test_login_options(options: dict[str, t.Any], kind: str | None) -> None:
    """A config, which then has a target, or a ConfigError that is one line."""
    with family(ConfigError):
        config = LoginConfig.from_options({**options, **({"type": kind, "role": "web"} if kind else {})})
        if config.region != "auto":
            assert sts_target(config.region, config.sts_endpoint).url.endswith("/")


@bounded(150)
@given(options_of(VaultConnection), st.booleans())
def test_connection_options(options: dict[str, t.Any], with_url: bool) -> None:
    """The same for the connection."""
    with family(ConfigError):
        made = VaultConnection.from_options({**options, **({"url": "https://vault.test"} if with_url else {})})
        assert made.timeout >= 1


@bounded(60)
@given(st.dictionaries(st.sampled_from(["path", "mode", "owner", "group"]), value), st.booleans())
def test_sink_options(tmp_path_factory: pytest.TempPathFactory, options: dict[str, t.Any], with_path: bool) -> None:
    """The same for a sink."""
    path = {"path": str(tmp_path_factory.getbasetemp() / "token")} if with_path else {}
    with family(ConfigError, SinkError):
        assert Sink.from_options("sink", {**options, **path}).mode & 0o400


@bounded(150)
@given(st.text(alphabet="0123456789.smhd- +e", max_size=12) | anything)
def test_durations(text: object) -> None:
    """Seconds, or a ConfigError."""
    with family(ConfigError):
        assert parse_duration("x", text) >= 0


@bounded(60)
@given(st.text(), st.lists(st.text(min_size=4), max_size=2))
def test_redact(text: str, secrets: list[str]) -> None:
    """One line, and short."""
    shown = redact(text, secrets)
    assert shown.isprintable()
    assert len(shown) <= 600


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
auth_blocks = st.dictionaries(st.sampled_from(sorted(AUTH)), json_values, max_size=8).map(lambda d: {**AUTH, **d})
answers = (
    json_values
    | st.fixed_dictionaries({"auth": auth_blocks | json_values})
    | st.fixed_dictionaries({"errors": json_values})
    | st.fixed_dictionaries({"wrap_info": json_values})
).map(lambda v: json.dumps(v).encode())
bodies = answers | st.binary(max_size=60) | answers.flatmap(lambda b: st.integers(0, len(b)).map(lambda n: b[:n]))
statuses = st.sampled_from([200, 204, 301, 307, 400, 403, 404, 412, 429, 500, 503])
header_values = st.text(st.characters(codec="latin-1", exclude_characters="\r\n"), max_size=20)
headers = st.dictionaries(
    st.sampled_from(["Content-Type", "Location", "Retry-After", "Date", "Content-Encoding", "X-Any"]),
    header_values,
    max_size=3,
)


@bounded(60)
@given(st.lists(st.tuples(statuses, bodies, headers), min_size=1, max_size=2), st.booleans())
def test_answers(replies: list[tuple[int, bytes, dict[str, str]]], wrap: bool) -> None:
    """A login's answers."""
    with (
        Web([Reply(*reply) for reply in replies]) as web,
        plain_vault_at(web.url, retries=1) as vault,
        family(LoginError),
    ):
        login = vault.login("aws", Proofs(), wrap_ttl=60 if wrap else 0)
        assert isinstance(login, Login)
        assert bool(login.token) is not wrap


@bounded(30)
@given(st.binary(max_size=80) | st.binary(max_size=40).map(lambda b: b"HTTP/1.1 200 OK\r\n" + b))
def test_bytes(raw: bytes) -> None:
    """What is not even HTTP."""
    server = Web(Reply(raw=lambda sock: sock.sendall(raw)))
    with server as web, plain_vault_at(web.url, retries=0) as vault, family(LoginError):
        vault.lookup_self("hvs.token")


@bounded(30)
@given(st.lists(st.tuples(statuses, bodies, headers), min_size=1, max_size=4))
def test_metadata(replies: list[tuple[int, bytes, dict[str, str]]]) -> None:
    """The metadata service's answers."""
    with pytest.MonkeyPatch.context() as patch, Web([Reply(*reply) for reply in replies]) as web:
        patch.delenv("AWS_EC2_METADATA_DISABLED", raising=False)
        patch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", web.url)
        with family(LoginError):
            assert imds.identity_document("identity").instance_id


@bounded(30)
@given(json_values, json_values)
def test_whole_login(metadata: t.Any, policies: t.Any) -> None:
    """What a login makes of an answer that is nearly right."""
    config = LoginConfig.from_options(
        {"type": "iam", "role": "web", "access_key": "AKIAEXAMPLE", "secret_key": "static-secret-key"}
    )
    answer = {"auth": {**AUTH, "metadata": metadata, "policies": policies}}
    with Web(Reply(body=json.dumps(answer).encode())) as web, plain_vault_at(web.url) as vault:
        assert log_in(config, vault).login.token
