# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of any kind and mixture end in the module's own error or success, beside a real server."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from ansible_collections.vaultfleet.aws.plugins.module_utils._login_task import ARGUMENT_SPEC
from tests.fuzz.module_options import EXAMPLES, OPTIONS, filled, judged
from tests.live.core import keys
from tests.live.inprocess import run
from tests.live.playbooks import mine
from tests.stack.handle import Stack


def base(stack: Stack) -> dict[str, t.Any]:
    """What makes a login work, to be mixed with the rest."""
    return {**mine(stack), "url": stack.env["VAULT_ADDR"], "ca_cert": stack.env["VAULT_CACERT"], "retries": 0}


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
def test_options(stack: Stack, tmp_path: Path, closed_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A result or one line of an error, without the secret key in it, and nothing beside the sink."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", stack.env["STACK_AWS_ENDPOINT"])
    monkeypatch.chdir(tmp_path)
    assert set(OPTIONS) == set(ARGUMENT_SPEC)
    good = base(stack)
    key = keys(stack)
    world = {
        "url": stack.env["VAULT_ADDR"],
        "folder": str(tmp_path),
        "closed_port": str(closed_port),
        "access_key": key.access_key,
        "secret_key": key.secret_key,
        "header_value": stack.env["STACK_HEADER_VALUE"],
        "role_arn": stack.env["STACK_APP_ROLE_ARN"],
        "ca_cert": stack.env["VAULT_CACERT"],
    }
    ends = {"fine": 0, "failed": 0}

    @settings(
        max_examples=800,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(EXAMPLES)
    def fuzz(example: dict[str, t.Any]) -> None:
        options = {**(good if example["base"] else {}), **filled(example["changes"], world)}
        result = run({**options, "_ansible_check_mode": example["check"]})
        ends[judged(result, example["check"], good["secret_key"])] += 1

    fuzz()
    assert min(ends.values()) > 80, ends
    assert {one.name for one in tmp_path.iterdir()} <= {"token", "token.meta"}


def test_answer_to_a_good_start(stack: Stack) -> None:
    """What the mixtures start from is a login that works."""
    assert run(base(stack))["login"]["auth"]["client_token"]
