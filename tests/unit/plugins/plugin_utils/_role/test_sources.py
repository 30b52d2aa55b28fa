# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a bundle comes from: what of it can be judged on the controller is, before any host is touched."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from ansible_collections.vaultfleet.aws.plugins.plugin_utils._role import sources
from ansible_collections.vaultfleet.aws.plugins.plugin_utils._role.plan import PlanError

NONE: dict[str, str | None] = {"src": None, "sha256": None, "wheelhouse": None}


def found(folder: Path, **bundle: str) -> dict[str, str | None]:
    """As the role asks, from a playbook in ``folder``."""

    def file(name: str) -> str | None:
        path = folder / name
        return str(path) if path.exists() else None

    return sources.found({**NONE, **bundle}, file, lambda name: str(folder / name))


def test_a_file_is_known_by_its_path(tmp_path: Path) -> None:
    archive = tmp_path / "agent.tar.gz"
    archive.write_bytes(b"x" * 3_000_000)
    sha256 = hashlib.sha256(archive.read_bytes()).hexdigest()
    assert found(tmp_path, src="agent.tar.gz", sha256=sha256) == {**NONE, "src": str(archive), "sha256": sha256}


def test_what_hosts_fetch_is_theirs_to_judge(tmp_path: Path) -> None:
    url = {"src": "https://files.example.org/agent.tar.gz", "sha256": "0" * 64}
    assert found(tmp_path, **url) == {**NONE, **url}
    assert found(tmp_path) == NONE
    (tmp_path / "wheels").mkdir()
    assert found(tmp_path, wheelhouse="wheels") == {**NONE, "wheelhouse": "wheels"}


@pytest.mark.parametrize(
    ("bundle", "problem"),
    [
        ({"src": "nothing.tar.gz", "sha256": "0" * 64}, "vault_agent_bundle_src: there is no file nothing.tar.gz on"),
        ({"src": "wheels", "sha256": "0" * 64}, "vault_agent_bundle_src: there is no file wheels on"),
        ({"src": "empty", "sha256": "0" * 64}, "vault_agent_bundle_sha256: {}/empty has another SHA-256, e3b0c44298fc"),
        ({"wheelhouse": "nowhere"}, "vault_agent_wheelhouse: there is no folder nowhere on the controller"),
        ({"wheelhouse": "empty"}, "vault_agent_wheelhouse: there is no folder empty on the controller"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, bundle: dict[str, str], problem: str) -> None:
    (tmp_path / "wheels").mkdir()
    (tmp_path / "empty").touch()
    with pytest.raises(PlanError) as caught:
        found(tmp_path, **bundle)
    (said,) = caught.value.problems
    assert said.startswith(problem.format(tmp_path))
    assert " -- " in said
