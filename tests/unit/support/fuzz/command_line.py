# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Arguments of the login command."""

from __future__ import annotations

import contextlib
import io
import sys
import typing as t
from unittest import mock

import hypothesis.strategies as st

from ansible_collections.vaultfleet.aws.plugins.module_utils._agent import log
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth import cores
from ansible_collections.vaultfleet.aws.plugins.module_utils._cli import arguments, cli
from ansible_collections.vaultfleet.aws.tests.unit.support.fuzz.target import FINE, Target, shown

FLAGS = [f"--{name.replace('_', '-')}" for name in (*arguments.LOGIN, *arguments.CONNECTION, *arguments.BY_FILE)]
WORDS = st.one_of(
    st.sampled_from(
        [*FLAGS, "--check", "--store", "--show", "--format", "json", "-", "--", "-h", "http://127.0.0.1:9"]
    ),
    st.text(max_size=12),
    st.builds("{}={}".format, st.sampled_from(FLAGS), st.text(max_size=12)),
    st.sampled_from(["\ud800", "@file", "--role=\udc80"]),
)


def _judge(example: list[str]) -> str:
    """Whatever stands there, it ends with a code of ours and, if not with the help, with one line for a terminal."""
    said = io.StringIO()
    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(said),
        mock.patch.object(log, "silence_libraries"),
        mock.patch.object(cores, "forbid"),
        mock.patch.object(sys, "stdin", None),
    ):
        code = cli.main(["--check", *example])
    text = said.getvalue()
    assert code in (0, 1), code
    assert "bug" not in text, text
    if code == 0:
        return FINE
    assert text.startswith("error: "), text
    assert text.count("\n") == 1, text
    shown(text[:-1])
    return "ConfigError"


_lines: st.SearchStrategy[t.Any] = st.lists(WORDS, max_size=6)
TARGETS = (Target("command line", "arguments of vault-aws-login", _lines, _judge, share=4),)
