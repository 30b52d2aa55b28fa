# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of any kind and mixture end in the module's own error or success."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ansible_collections.vaultfleet.aws.plugins.module_utils._login_task import ARGUMENT_SPEC
from tests.live.core import keys
from tests.live.inprocess import run
from tests.live.playbooks import mine
from tests.stack.handle import Stack

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


def plausible(stack: Stack, folder: Path, closed_port: int) -> dict[str, st.SearchStrategy[t.Any]]:
    """For each option values that mean something, so that the mixtures get past the first judgement, and junk."""
    address = stack.env["VAULT_ADDR"]
    key = keys(stack)
    path = str(folder / "token")
    # Junk here could be a place on this machine, or a host to wait for.
    sink_path = st.sampled_from([path, str(folder), f"{path}/x", "relative", "", "/\0", f"{path}\n", None])
    places = ["aws", "auth/aws", "aws-open", "token", "nowhere"]
    good: dict[str, list[t.Any]] = {
        "type": ["iam", "ec2"],
        "role": ["web", "WEB", "web-batch", "nobody", "node"],
        "mount_path": places,
        "region": ["us-east-1", "eu-central-1", "auto", "cn-north-1"],
        "sts_endpoint": ["auto", "regional", "global", "https://sts.eu-central-1.amazonaws.com"],
        "access_key": [key.access_key],
        "secret_key": [key.secret_key, "x" * 40],
        "session_token": ["t" * 40],
        "profile": ["nobody"],
        "header_value": [stack.env["STACK_HEADER_VALUE"]],
        "signature_type": ["identity", "pkcs7"],
        "nonce": ["n" * 20],
        "assume_role_arn": [stack.env["STACK_APP_ROLE_ARN"]],
        "assume_role_external_id": ["some-id"],
        "assume_role_session_name": ["some-session"],
        "wrap_ttl": ["60s", 30],
        "wrapping_token": ["hvs." + "w" * 24],
        "wrapping_path": ["auth/aws/login", "sys/wrapping/wrap"],
        "namespace": ["team", "/", "nowhere"],
        "ca_cert": [stack.env["VAULT_CACERT"]],
        "tls_server_name": ["localhost"],
        "validate_certs": [True, False],
        "retries": [0],
        "min_ttl": [0, "1h", "9000h"],
        "return_token": [True, False],
        "state": ["present", "absent"],
    }
    drawn: dict[str, st.SearchStrategy[t.Any]] = {
        name: st.one_of(st.sampled_from(values), st.sampled_from(values), JUNK) for name, values in good.items()
    }
    drawn["url"] = st.sampled_from(
        [address, f"{address}/", f"{address}/x", f"https://127.0.0.1:{closed_port}", "", "x", 7]
    )
    drawn["timeout"] = st.sampled_from([5, "5s", "0", "x", -1, None])
    drawn["proxies"] = st.sampled_from([f"http://127.0.0.1:{closed_port}", {}, [], {"https": 1}, "x:1", {"a": "b"}])
    drawn["ca_path"] = st.sampled_from([str(folder), path, "", None])
    for name in ("client_cert", "client_key"):
        drawn[name] = st.sampled_from([stack.env["VAULT_CACERT"], path, "", None])
    drawn["sink"] = st.one_of(
        st.fixed_dictionaries(
            {"path": sink_path},
            optional={"mode": JUNK, "owner": st.sampled_from(["root", "nobody-at-all", 0, "-1", ""]), "group": JUNK},
        ),
        st.sampled_from([{}, "x", []]),  # a number there is a traceback of Ansible's own, before any module's code
    )
    return drawn


def base(stack: Stack) -> dict[str, t.Any]:
    """What makes a login work, to be mixed with the rest."""
    return {**mine(stack), "url": stack.env["VAULT_ADDR"], "ca_cert": stack.env["VAULT_CACERT"], "retries": 0}


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
def test_options(stack: Stack, tmp_path: Path, closed_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A result or one line of an error, without the secret key in it, and nothing beside the sink."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", stack.env["STACK_AWS_ENDPOINT"])
    monkeypatch.chdir(tmp_path)
    options = plausible(stack, tmp_path, closed_port)
    assert set(options) == set(ARGUMENT_SPEC)
    good = base(stack)
    secret = good["secret_key"]
    ends = {"ok": 0, "failed": 0}

    @settings(
        max_examples=800,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(
        st.sampled_from([good, good, good, {}]),
        st.sets(st.sampled_from(sorted(options)), max_size=3).flatmap(
            lambda names: st.fixed_dictionaries({name: options[name] for name in sorted(names)})
        ),
        st.booleans(),
    )
    def fuzz(start: dict[str, t.Any], changes: dict[str, t.Any], check: bool) -> None:
        result = run({**start, **changes, "_ansible_check_mode": check})
        ends["failed" if result.get("failed") else "ok"] += 1
        if result.get("failed"):
            message = result["msg"]
            assert isinstance(message, str)
            assert len(message) < 2000
            assert "Traceback" not in str(result)
            assert secret not in message
        elif check:
            assert "login" not in result
        else:
            assert isinstance(result["changed"], bool)

    fuzz()
    assert min(ends.values()) > 80, ends
    assert {one.name for one in tmp_path.iterdir()} <= {"token", "token.meta"}


def test_answer_to_a_good_start(stack: Stack) -> None:
    """What the mixtures start from is a login that works."""
    assert run(base(stack))["login"]["auth"]["client_token"]
