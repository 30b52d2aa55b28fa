# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action plugin of the bundle: options, check mode, result and errors."""

from __future__ import annotations

import types
import typing as t
from pathlib import Path

import pytest
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.action import ActionBase

from ansible_collections.vaultfleet.aws.plugins.action import vault_agent_bundle
from ansible_collections.vaultfleet.aws.plugins.plugin_utils._bundle import build
from ansible_collections.vaultfleet.aws.plugins.plugin_utils._bundle.errors import BundleError

BUNDLE = build.Bundle("/b/x.tar.gz", "00", 1, 2, "0.1.0-00")


def run(
    monkeypatch: pytest.MonkeyPatch, folder: Path, check_mode: bool = False, **options: t.Any
) -> tuple[dict[str, t.Any], build.Wish]:
    """Run the plugin beside a builder that builds nothing: the result, and what it was to build."""
    plugin = vault_agent_bundle.ActionModule.__new__(vault_agent_bundle.ActionModule)
    plugin._task = types.SimpleNamespace(args=options, check_mode=check_mode, action="x", async_val=0)
    plugin._loader = DataLoader()
    plugin._loader.set_basedir(str(folder))
    wishes: list[build.Wish] = []

    def bundles(wish: build.Wish) -> tuple[dict[str, build.Bundle], bool]:
        wishes.append(wish)
        if "0" in wish.pythons:
            raise BundleError("pythons: zero", "give one")
        return dict.fromkeys(wish.pythons, BUNDLE), not wish.dry

    monkeypatch.setattr(ActionBase, "run", lambda *_args: {})
    monkeypatch.setattr(build, "bundles", bundles)
    return plugin.run(task_vars={}), wishes[0]


def test_result(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each line once, in the order of the task."""
    result, wish = run(monkeypatch, tmp_path, pythons=["3.11", 3.9, "3.11"], dest="out", wheelhouse="/w/../wheels")
    bundle = {"path": "/b/x.tar.gz", "sha256": "00", "size": 1, "unpacked_size": 2, "version": "0.1.0-00"}
    assert result == {"changed": True, "bundles": {"3.11": bundle, "3.9": bundle}}
    assert wish == build.Wish(("3.11", "3.9"), str(tmp_path / "out"), "/wheels")


def test_defaults(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Bundles go to the user's cache folder, wheels come from the index."""
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    result, wish = run(monkeypatch, tmp_path, check_mode=True, pythons=["3.9"])
    assert wish == build.Wish(("3.9",), "/cache/vaultfleet-aws/bundles", None, dry=True)
    assert result["changed"] is False
    assert run(monkeypatch, tmp_path, pythons=["3.9"], templates=True)[1].templates
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/me")
    assert run(monkeypatch, tmp_path, pythons="3.9")[1].dest == "/home/me/.cache/vaultfleet-aws/bundles"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pythons": ["0"]}, "pythons: zero -- give one"),
        ({"pythons": []}, "pythons: is empty"),
        ({}, "missing required arguments: pythons"),
        ({"pythons": ["3.9"], "wheel_house": "/w"}, "Unsupported parameters.*wheel_house"),
    ],
)
def test_errors(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, options: dict[str, t.Any], message: str) -> None:
    with pytest.raises(AnsibleError, match=message):
        run(monkeypatch, tmp_path, **options)
