# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values that come from others, near what is right and far from it."""

from __future__ import annotations

import json
import typing as t

import hypothesis.strategies as st

from ansible_collections.vaultfleet.aws.tests.unit.support.fuzz.target import CANARY

Strategy = st.SearchStrategy[t.Any]

scalars: Strategy = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.binary(max_size=5)
)
anything: Strategy = scalars | st.lists(scalars, max_size=3) | st.dictionaries(st.text(max_size=5), scalars, max_size=3)
json_scalars: Strategy = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=10)
    | st.sampled_from([0, 1, -1, 10**400, 1e308, "", "\udc80", "\u2028", "a\r\nb", CANARY, f"x {CANARY}"])
)
json_values: Strategy = st.recursive(
    json_scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
BODIES = {
    "deep list": b"[" * 100_000,
    "deep object": b'{"a":' * 100_000,
    "long number": b'{"auth":' + b"9" * 5000 + b"}",
    "no UTF-8": b"\xff\xfe",
    "null": b"null",
    "empty object": b"{}",
    "nothing": b"",
}


_ODD: list[t.Any] = [
    None,
    True,
    False,
    [],
    {},
    0,
    1,
    -1,
    10**400,
    1e308,
    float("inf"),
    float("nan"),
    "",
    "0",
    CANARY,
    "\udc80",
]
odd: Strategy = st.one_of(st.sampled_from(_ODD), st.sampled_from(_ODD), json_values)


# What an option of this name may be, in whatever front end; for mixtures that get past the first judgement.
RIGHT: dict[str, list[t.Any]] = {
    "aad": ["app"],
    "address": ["https://vault.test:8200"],
    "assume_role_arn": ["arn:aws:iam::123456789012:role/app"],
    "assume_role_external_id": ["some-id"],
    "assume_role_session_name": ["some-session"],
    "credential_poll_interval": [60, "60s"],
    "group": ["root", 0, "0"],
    "header_value": ["vault.example.org"],
    "log_format": ["json", "standard"],
    "log_level": ["info", "debug", "warn"],
    "lookup_interval": ["5m", 60],
    "max_backoff": ["5m", 300],
    "metrics_file": ["/tmp/metrics.prom"],
    "min_backoff": ["1s", 2],
    "mode": ["0640", 0o600, "0400"],
    "mount_path": ["aws", "auth/aws", "auth/aws2"],
    "namespace": ["team", "team/app"],
    "num_retries": [0, 3],
    "owner": ["root", 0],
    "path": ["/tmp/token", "/run/vault-agent/token"],
    "profile": ["work"],
    "proxies": ["http://proxy.test:3128", {"https": "http://proxy.test:3128"}],
    "readers": [["app"], []],
    "region": ["us-east-1", "auto", "cn-north-1"],
    "retries": [0, 3, "5"],
    "revoke_on_exit": [True, False],
    "role": ["web", "Web-1"],
    "signature_type": ["identity", "pkcs7", "rsa2048"],
    "static_secret_render_interval": ["5m"],
    "sts_endpoint": ["auto", "regional", "global"],
    "timeout": ["30s", 5],
    "tls_server_name": ["vault.test"],
    "tls_skip_verify": [True, False],
    "type": ["iam", "ec2", "aws", "file"],
    "url": ["https://vault.test:8200", "http://[::1]:80"],
    "validate_certs": [True, False],
    "wait_timeout": ["5m", 60],
    "wrap_ttl": ["60s", 60],
    "wrapping_path": ["auth/aws/login"],
}


def near(name: str, others: Strategy) -> Strategy:
    """A value for the option ``name``: right as often as not."""
    right = st.sampled_from(RIGHT[name]) if name in RIGHT else others
    return st.booleans().flatmap(lambda good: right if good else others)


def changed(good: t.Mapping[str, t.Any], values: Strategy = odd) -> Strategy:
    """``good`` with some of its fields as they should not be, or left out."""
    one = st.dictionaries(st.sampled_from(sorted(good)), values, min_size=1, max_size=1)
    few = st.dictionaries(st.sampled_from(sorted(good)), values, max_size=3)
    fields = st.one_of(one, one, few).map(lambda some: {**good, **some})
    gone = st.sampled_from(sorted(good)).map(lambda name: {k: v for k, v in good.items() if k != name})
    return st.one_of(st.just(dict(good)), fields, fields, fields, gone)


odd_bodies: Strategy = st.sampled_from([*BODIES]).map(lambda name: BODIES[name])  # not in each repr


def written(values: Strategy) -> Strategy:
    """As a server writes them: JSON, whole or cut off, or anything else."""
    whole = values.map(lambda value: json.dumps(value).encode())
    cut = whole.flatmap(lambda text: st.integers(0, len(text)).map(lambda end: text[:end]))
    return st.one_of(whole, whole, whole, cut, st.binary(max_size=60), odd_bodies)


statuses: Strategy = st.sampled_from([*[200] * 9, 204, 301, 307, 400, 403, 404, 412, 429, 472, 473, 500, 501, 503])
_header_texts: Strategy = st.text(st.characters(codec="latin-1", exclude_characters="\r\n"), max_size=20)
_headers: dict[str, list[str]] = {
    "Content-Type": ["application/json", "text/html", "", f"text/{CANARY}"],
    "Location": ["/", "/v1/other", "//", "http://[", f"http://{CANARY}/", f"http://127.0.0.1:1/{CANARY}", "\\\\x"],
    "Retry-After": ["0", "1", "-1", "1e9", "99999999999999", "Wed, 21 Oct 2015 07:28:00 GMT", "Fri, 99 Foo 9999"],
    "Date": ["Wed, 21 Oct 2015 07:28:00 GMT", "Fri, 31 Dec 9999 23:59:59 -2359", "Mon, 01 Jan 0001 00:00:00 +2359"],
    "Content-Encoding": ["gzip", "identity", CANARY],
    "Content-Length": ["0", "5", "-1", "x", "9" * 20],
}
headers: Strategy = st.fixed_dictionaries(
    {}, optional={name: st.sampled_from(values) | _header_texts for name, values in _headers.items()}
)


def replies(values: Strategy, most: int = 3) -> Strategy:
    """What a server answers, one after the other."""
    one = st.fixed_dictionaries(
        {"status": statuses, "body": written(values), "headers": st.one_of(st.just({}), st.just({}), headers)}
    )
    return st.lists(one, min_size=1, max_size=most)
