# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Any command line ends in an exit code and a line, and nothing else."""

from __future__ import annotations

import sys

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ansible_collections.vaultfleet.aws.plugins.module_utils._agent import log
from ansible_collections.vaultfleet.aws.plugins.module_utils._cli import arguments, cli

FLAGS = [f"--{name.replace('_', '-')}" for name in (*arguments.LOGIN, *arguments.CONNECTION, *arguments.BY_FILE)]
WORDS = st.one_of(
    st.sampled_from(
        [*FLAGS, "--check", "--store", "--show", "--format", "json", "-", "--", "-h", "http://127.0.0.1:9"]
    ),
    st.text(max_size=12),
    st.builds("{}={}".format, st.sampled_from(FLAGS), st.text(max_size=12)),
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(WORDS, max_size=6))
@example(["--", "--role", "web"])
@example(["--role", "\ud800"])
@example(["@file"])
def test_any_arguments(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, argv: list[str]) -> None:
    """Whatever stands there, it ends with a code of ours and, if not with the help, with one line for a terminal."""
    monkeypatch.setattr(log, "silence_libraries", lambda: None)
    monkeypatch.setattr(sys, "stdin", None)
    code = cli.main(["--check", *argv])
    seen = capfd.readouterr()
    assert code in (0, 1)
    assert "bug" not in seen.err
    if code == 1:
        assert seen.err.startswith("error: ")
        assert seen.err.count("\n") == 1
        assert seen.err[:-1].isprintable()
