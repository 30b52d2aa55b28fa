# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a redirect leads: what was judged is what is connected to."""

from __future__ import annotations

import functools
import typing as t
from urllib.parse import urlsplit

import hypothesis.strategies as st
import requests
import urllib3

from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.errors import VaultError
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.transport import Transport
from ansible_collections.vaultfleet.aws.tests.unit.support import certificates
from ansible_collections.vaultfleet.aws.tests.unit.support.fuzz.target import FINE, Target, ended
from ansible_collections.vaultfleet.aws.tests.unit.support.vaults import connection

_FROM = ["https://vault.test:8200", "http://vault.test:8200", "https://[::1]:8200", "http://127.0.0.1:8200"]
_PIECES = [
    "http:", "https:", "HTTPS:", "//", "/", "\\", "\\\\", "@", ":", "?", "#", ";", "[", "]", "[::1]", "::1", "%2f",
    "%5c", "%40", "%00", "\t", " ", "\xa0", "\xad", "\xaa", "\xdf", "\x85", ".", "..", "vault.test", "VAULT.test",
    "evil.test", "127.0.0.1", "2130706433", "0x7f.1", ":8200", ":0", ":443", ":99999", "user:pass@", "/v1/auth",
]  # fmt: skip


@functools.cache
def _transport(url: str, own_ca: bool) -> Transport:
    return Transport(connection(url, **({"ca_cert": certificates.CA} if own_ca else {"ca_cert": None})), "fuzz")


def _connects_to(target: str) -> tuple[str, str, int | None] | None:
    """Scheme, host and port that requests and urllib3 make of an address; None if they refuse it."""
    try:
        prepared = requests.Request("POST", target).prepare().url
        assert prepared
        found = urllib3.util.parse_url(prepared)
        host, _pool = requests.adapters.HTTPAdapter().build_connection_pool_key_attributes(
            requests.Request("POST", target).prepare(), True
        )
    except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError):
        return None
    assert (found.host or "").strip("[]") == str(host["host"]).strip("[]").lower(), f"they do not agree on {target!r}"
    return str(found.scheme), str(found.host).strip("[]").lower(), found.port


def _judge(example: dict[str, t.Any]) -> str:
    url = f"{example['from']}/v1/auth/aws/login"
    answer = requests.Response()
    answer.headers["Location"] = example["location"]
    followed: list[str] = []
    transport = _transport(example["from"], example["own_ca"])
    end = ended(lambda: followed.append(transport._redirect(answer, url)), VaultError)
    reached = _connects_to(followed[0]) if end == FINE else None
    if reached:
        before, judged = urlsplit(url), urlsplit(followed[0])
        scheme, host, port = reached
        if judged.hostname and judged.hostname.isascii():
            assert (host, port) == (judged.hostname, judged.port), f"{followed[0]!r} is judged as another host"
        assert scheme == judged.scheme
        assert not (before.scheme == "https" and scheme == "http"), "from https to http"
        assert host == before.hostname or (scheme == "https" and example["own_ca"]), f"another host: {host}"
    return end


TARGETS = (
    Target(
        "redirects",
        "addresses of redirects: the host that is judged is the one that is connected to",
        st.fixed_dictionaries(
            {
                "from": st.sampled_from(_FROM),
                "own_ca": st.booleans(),
                "location": st.lists(st.sampled_from(_PIECES) | st.text(max_size=2), max_size=8).map("".join)
                | st.text(max_size=20),
            }
        ),
        _judge,
        share=8,
    ),
)
