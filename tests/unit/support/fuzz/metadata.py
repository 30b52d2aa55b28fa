# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What answers as the instance metadata service, and the settings by which it is found."""

from __future__ import annotations

import dataclasses
import os
import typing as t
from unittest import mock

import hypothesis.strategies as st

from ansible_collections.vaultfleet.aws.plugins.module_utils._auth import ec2, imds
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.config import LoginConfig
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.errors import LoginError
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.login import signing_target
from ansible_collections.vaultfleet.aws.tests.unit.support.fuzz.target import CANARY, Target, ended
from ansible_collections.vaultfleet.aws.tests.unit.support.fuzz.values import (
    Strategy,
    changed,
    json_values,
    replies,
    written,
)
from ansible_collections.vaultfleet.aws.tests.unit.support.web import Reply, Web

DOCUMENT = {"instanceId": "i-0123456789abcdef0", "accountId": "123456789012", "region": "us-east-1", "version": "1"}
_OF = ("identity", "pkcs7", "rsa2048", "region")
_SETTINGS: dict[str, list[str]] = {
    "AWS_METADATA_SERVICE_TIMEOUT": ["", "0", "-1", "x", "nan", "inf", "1e400", "0.5"],
    "AWS_METADATA_SERVICE_NUM_ATTEMPTS": ["", "0", "-1", "x", "1e3"],
    "AWS_EC2_METADATA_SERVICE_ENDPOINT": ["http://[", "http://127.0.0.1:1", "ftp://x", "http://a..b", "http://", "x"],
    "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": ["ipv4", "x", ""],
    "AWS_EC2_METADATA_V1_DISABLED": ["true", "x", ""],
}


def _work(of: str) -> None:
    if of == "region":
        assert signing_target(LoginConfig.from_options({"type": "iam", "role": "web", "region": "auto"})).url
        return
    found = imds.identity_document(of)
    assert found.instance_id
    assert ec2.login_request(LoginConfig.from_options({"type": "ec2", "role": "web"}), found, CANARY).body
    assert found.proof.isascii()


def _judge(example: dict[str, t.Any]) -> str:
    first, *rest = [Reply(one["status"], one["body"], one["headers"]) for one in example["replies"]]
    if example["of"] == "region":  # which is no secret, wherever it is from
        rest = [dataclasses.replace(one, body=one.body.replace(CANARY.encode(), b"x")) for one in rest or [first]]
    answers = [first, *rest]
    with Web(answers) as web:
        given = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": web.url, "AWS_EC2_METADATA_DISABLED": "", **example["environ"]}
        with mock.patch.dict(os.environ, given):
            for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
                os.environ.pop(name, None)
            return ended(lambda: _work(example["of"]), LoginError, options=("region",))


_good = [
    {"status": 200, "body": CANARY.encode(), "headers": {}},
    {"status": 200, "body": b'{"instanceId": "i-1", "accountId": "1", "region": "us-east-1"}', "headers": {}},
]
_proof = {"status": 200, "body": b"TUlJQg==", "headers": {}}
_document = written(changed(DOCUMENT)).map(
    lambda body: [_good[0], {"status": 200, "body": body, "headers": {}}, _proof]
)
_bodies: Strategy = st.one_of(changed(DOCUMENT), json_values)
_garbled = replies(_bodies)
answers = Target(
    "metadata answers",
    "identity documents, proofs, session tokens, regions",
    st.fixed_dictionaries(
        {
            "of": st.sampled_from(_OF),
            "replies": st.one_of(
                _document,
                _garbled,
                _garbled.map(lambda rest: [_good[0], *rest]),
                _garbled.map(lambda rest: [*_good, *rest]),
            ),
            "environ": st.just({}),
        }
    ),
    _judge,
    share=8,
)
_settings = st.fixed_dictionaries({}, optional={name: st.sampled_from(values) for name, values in _SETTINGS.items()})
settings = Target(
    "metadata settings",
    "variables that say where the metadata service is",
    st.fixed_dictionaries({"of": st.sampled_from(_OF), "replies": st.just(_good), "environ": _settings}),
    _judge,
)
TARGETS = (answers, settings)
