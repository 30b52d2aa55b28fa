# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module's options, of any kind and mixture.

Where an example has ``@NAME@``, a place or server of its world stands there: ``filled`` puts that in.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import typing as t
import warnings
from collections.abc import Mapping
from pathlib import Path
from unittest import mock

import urllib3
from hypothesis import strategies as st

from ansible_collections.vaultfleet.aws.tests.unit.support import certificates
from ansible_collections.vaultfleet.aws.tests.unit.support.fuzz.target import CANARY, FINE, Target, shown
from ansible_collections.vaultfleet.aws.tests.unit.support.web import closed_port
from tests.fuzz.servers import everything
from tests.live.inprocess import run

TEXT = st.text(max_size=40)
JUNK = st.one_of(
    TEXT,
    st.integers(),
    st.booleans(),
    st.none(),
    st.floats(allow_nan=False),
    st.lists(TEXT, max_size=2),
    st.dictionaries(TEXT, TEXT, max_size=2),
    st.sampled_from(["", " ", "\n", "\0", "{{ 1 }}", "%s%n", "../..", "http://", "https://[::1", "0" * 900, "ü" * 200]),
)
# Values that mean something, so that the mixtures get past the first judgement.
GOOD: dict[str, list[t.Any]] = {
    "type": ["iam", "ec2"],
    "role": ["web", "WEB", "web-batch", "nobody", "node"],
    "mount_path": ["aws", "auth/aws", "aws-open", "token", "nowhere"],
    "region": ["us-east-1", "eu-central-1", "auto", "cn-north-1"],
    "sts_endpoint": ["auto", "regional", "global", "https://sts.eu-central-1.amazonaws.com"],
    "access_key": ["@access_key@"],
    "secret_key": ["@secret_key@", "x" * 40],
    "session_token": ["t" * 40],
    "profile": ["nobody"],
    "header_value": ["@header_value@"],
    "signature_type": ["identity", "pkcs7"],
    "nonce": ["n" * 20],
    "assume_role_arn": ["@role_arn@"],
    "assume_role_external_id": ["some-id"],
    "assume_role_session_name": ["some-session"],
    "wrap_ttl": ["60s", 30],
    "wrapping_token": ["hvs." + "w" * 24],
    "wrapping_path": ["auth/aws/login", "sys/wrapping/wrap"],
    "namespace": ["team", "/", "nowhere"],
    "ca_cert": ["@ca_cert@"],
    "tls_server_name": ["localhost"],
    "validate_certs": [True, False],
    "retries": [0],
    "min_ttl": [0, "1h", "9000h"],
    "return_token": [True, False],
    "state": ["present", "absent"],
}
# Junk here could be a place on this machine, or a host to wait for.
_ANSIBLES = ("value of ", "argument ", "missing required", "Unsupported ")  # its own words, which it escapes
SINK_PATHS = ["@folder@/token", "@folder@", "@folder@/token/x", "relative", "", "/\0", "@folder@/token\n", None]
PLACES: dict[str, list[t.Any]] = {
    "url": ["@url@", "@url@/", "@url@/x", "https://127.0.0.1:@closed_port@", "", "x", 7],
    "timeout": [5, "5s", "0", "x", -1, None],
    "proxies": ["http://127.0.0.1:@closed_port@", {}, [], {"https": 1}, "x:1", {"a": "b"}],
    "ca_path": ["@folder@", "@folder@/token", "", None],
    "client_cert": ["@ca_cert@", "@folder@/token", "", None],
    "client_key": ["@ca_cert@", "@folder@/token", "", None],
}


def _drawn() -> dict[str, st.SearchStrategy[t.Any]]:
    drawn: dict[str, st.SearchStrategy[t.Any]] = {
        name: st.one_of(st.sampled_from(values), st.sampled_from(values), JUNK) for name, values in GOOD.items()
    }
    drawn.update({name: st.sampled_from(values) for name, values in PLACES.items()})
    drawn["sink"] = st.one_of(
        st.fixed_dictionaries(
            {"path": st.sampled_from(SINK_PATHS)},
            optional={"mode": JUNK, "owner": st.sampled_from(["root", "nobody-at-all", 0, "-1", ""]), "group": JUNK},
        ),
        st.sampled_from([{}, "x", []]),  # a number there is a traceback of Ansible's own, before any module's code
    )
    return drawn


OPTIONS = _drawn()
CHANGES = st.sets(st.sampled_from(sorted(OPTIONS)), max_size=3).flatmap(
    lambda names: st.fixed_dictionaries({name: OPTIONS[name] for name in sorted(names)})
)
EXAMPLES = st.fixed_dictionaries(
    {"base": st.sampled_from([True, True, True, False]), "changes": CHANGES, "check": st.booleans()}
)


def filled(value: t.Any, world: Mapping[str, str]) -> t.Any:
    """``value`` with what stands for places of the ``world`` put in."""
    if isinstance(value, str):
        for name, text in world.items():
            value = value.replace(f"@{name}@", text)
        return value
    if isinstance(value, list):
        return [filled(one, world) for one in value]
    return {key: filled(one, world) for key, one in value.items()} if isinstance(value, dict) else value


def judged(result: dict[str, t.Any], check: bool, secret: str) -> str:
    """A result or one line of an error, without the secret key in it."""
    assert secret not in str(result.get("msg")), "the secret key shows"
    if result.get("failed"):
        message = result["msg"]
        assert isinstance(message, str)
        assert len(message) < 2000, message
        assert "Traceback" not in str(result), result
        return "failed"
    if check:
        assert "login" not in result
    else:
        assert isinstance(result["changed"], bool)
    return FINE


def _judge(example: dict[str, t.Any]) -> str:
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder), warnings.catch_warnings():
        warnings.simplefilter("ignore", urllib3.exceptions.InsecureRequestWarning)
        world = {
            "url": everything(),
            "folder": folder,
            "closed_port": str(_closed()),
            "access_key": "AKIAEXAMPLE",
            "secret_key": CANARY,
            "header_value": "vault.example.org",
            "role_arn": "arn:aws:iam::123456789012:role/app",
            "ca_cert": str(certificates.CA),
        }
        base = {"role": "web", "access_key": "@access_key@", "secret_key": "@secret_key@", "region": "us-east-1"}
        given = {**(base if example["base"] else {}), "url": "@url@", "ca_cert": "@ca_cert@", "retries": 0}
        options = filled({**given, **example["changes"]}, world)
        with mock.patch.dict(os.environ, {"AWS_ENDPOINT_URL_STS": everything(), "TMPDIR": folder}):
            result = run({**options, "_ansible_check_mode": example["check"]})
        left = {one.name for one in Path(folder).iterdir()}
        assert left <= {"token", "token.meta", "relative", "relative.meta"}, left
        if result.get("failed") and not result["msg"].startswith(_ANSIBLES):
            shown(" ".join(result["msg"].split()))
        return judged(result, example["check"], CANARY)


_CLOSED: list[int] = []


def _closed() -> int:
    if not _CLOSED:
        _CLOSED.append(closed_port())
    return _CLOSED[0]


TARGETS = (Target("module options", "the options of aws_vault_login, in a whole run of it", EXAMPLES, _judge, share=4),)
