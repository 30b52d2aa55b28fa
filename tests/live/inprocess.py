# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module in this process: as Ansible starts it, without the second that a playbook takes."""

from __future__ import annotations

import contextlib
import io
import json
import typing as t
from collections.abc import Mapping

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.vaultfleet.aws.plugins.modules import aws_vault_login


def run(options: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The module's result for ``options``. Fails the test if it ends in any way but its own."""
    said = io.StringIO()
    with patch_module_args(dict(options)), contextlib.redirect_stdout(said), pytest.raises(SystemExit) as ended:
        aws_vault_login.main()
    result = json.loads(said.getvalue())
    assert isinstance(result, dict)
    assert ended.value.code == (1 if result.get("failed") else 0)
    return result
