# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lookup's terms, keywords and variables, and a sink that it reads."""

from __future__ import annotations

import contextlib
import os
import tempfile
import typing as t
import warnings
from unittest import mock

import urllib3
from ansible.errors import AnsibleError, AnsibleLookupError
from hypothesis import strategies as st

from ansible_collections.vaultfleet.aws.plugins.lookup import vault_aws_token
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.errors import ConfigError, LoginError
from ansible_collections.vaultfleet.aws.tests.unit.plugins.lookup import lookups
from ansible_collections.vaultfleet.aws.tests.unit.support import certificates
from ansible_collections.vaultfleet.aws.tests.unit.support.fuzz.sink_records import RECORDS, TOKENS, put
from ansible_collections.vaultfleet.aws.tests.unit.support.fuzz.target import CANARY, FINE, Target, any_starts, shown
from tests.fuzz.module_options import JUNK, filled
from tests.fuzz.servers import everything

_VALUES: dict[str, list[t.Any]] = {
    "type": ["iam", "ec2"],
    "role": ["web", "WEB"],
    "mount_path": ["aws", "auth/aws"],
    "region": ["us-east-1", "eu-central-1"],
    "access_key": ["AKIAEXAMPLE"],
    "secret_key": [CANARY],
    "session_token": [CANARY],
    "nonce": [CANARY],
    "wrap_ttl": ["60s"],
    "wrapping_token": [CANARY],
    "wrapping_path": ["auth/aws/login"],
    "namespace": ["team"],
    "validate_certs": [True, "x"],
    "retries": [0, "0"],
    "cache": ["none", "run"],
    "cache_timeout": [0, "5s"],
    "check_interval": [0, "1s", "x"],
    "min_ttl": [0, "1h", "9000h"],
    "return": ["token", "login"],
    "revoke": [True, "x"],
    "header_value": ["x"],
    "profile": ["nobody"],
}
_PLACES: dict[str, list[t.Any]] = {
    "url": ["@url@", "@url@/x", "", "x", 7],
    "sink": ["@folder@/token", "@folder@", "relative", "\0", ""],
    "timeout": [5, "x", -1],
    "no_such_option": [1],
}
_DRAWN: dict[str, st.SearchStrategy[t.Any]] = {
    **{name: st.one_of(st.sampled_from(values), st.sampled_from(values), JUNK) for name, values in _VALUES.items()},
    **{name: st.sampled_from(values) for name, values in _PLACES.items()},
}
_GIVEN = st.sets(st.sampled_from(sorted(_DRAWN)), max_size=4).flatmap(
    lambda names: st.fixed_dictionaries({name: _DRAWN[name] for name in sorted(names)})
)


def _judge(example: dict[str, t.Any]) -> str:
    base = {
        "role": "web", "url": "@url@", "access_key": "AKIAEXAMPLE", "secret_key": CANARY, "region": "us-east-1",
        "retries": 0, "timeout": 5, "ca_cert": str(certificates.CA), "cache": "none",
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder), warnings.catch_warnings():
        warnings.simplefilter("ignore", urllib3.exceptions.InsecureRequestWarning)
        put(folder, example["token"], example["record"], everything())
        given = filled({**base, **example["given"]}, {"url": everything(), "folder": folder})
        told: list[str] = []
        error: AnsibleError | None
        with (
            mock.patch.dict(os.environ, {"XDG_RUNTIME_DIR": folder}),
            mock.patch.object(vault_aws_token.display, "warning", told.append),
        ):
            try:
                found = lookups.run(*example["terms"], **given)
            except AnsibleError as e:
                error = e
            else:
                error = None
        if isinstance(error, AnsibleLookupError):
            shown(" ".join(str(error).split()))
            cause = error.__context__
            if isinstance(cause, ConfigError):
                assert any_starts({**lookups.definitions(), **given}, cause.option), f"no option is named: {error}"
            return type(cause).__name__ if isinstance(cause, LoginError) else "AnsibleLookupError"
        if error:  # Ansible's own judgement of kinds of values
            assert CANARY not in str(error), error
            return type(error).__name__
        assert found
        for line in told:
            shown(" ".join(line.split()))
        return FINE


TARGETS = (
    Target(
        "lookup options",
        "the lookup's terms and keywords, and a sink with its record",
        st.fixed_dictionaries(
            {
                "terms": st.lists(st.sampled_from(["web", "db", "", 7, None, "\0"]), max_size=2),
                "given": _GIVEN | _GIVEN.map(lambda given: {**given, "sink": "@folder@/token"}),
                "token": TOKENS,
                "record": RECORDS,
            }
        ),
        _judge,
        share=5,
    ),
)
