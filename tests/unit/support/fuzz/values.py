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
DEEP = [b"[" * 100_000, b'{"a":' * 100_000, b'{"auth":' + b"9" * 5000 + b"}", b"\xff\xfe", b"null", b"{}", b""]


def changed(good: t.Mapping[str, t.Any], values: Strategy = json_values) -> Strategy:
    """``good`` with some of its fields as they should not be, or left out."""
    few = st.dictionaries(st.sampled_from(sorted(good)), values, max_size=2)
    gone = st.lists(st.sampled_from(sorted(good)), max_size=1)
    return st.tuples(few, gone).map(lambda two: {k: v for k, v in {**good, **two[0]}.items() if k not in two[1]})


def written(values: Strategy) -> Strategy:
    """As a server writes them: JSON, whole or cut off, or anything else."""
    whole = values.map(lambda value: json.dumps(value).encode())
    cut = whole.flatmap(lambda text: st.integers(0, len(text)).map(lambda end: text[:end]))
    return st.one_of(whole, whole, whole, cut, st.binary(max_size=60), st.sampled_from(DEEP))


statuses: Strategy = st.sampled_from([200, 200, 200, 204, 301, 307, 400, 403, 404, 412, 429, 472, 473, 500, 501, 503])
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
