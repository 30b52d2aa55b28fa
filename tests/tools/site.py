# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builds the documentation site; a warning is an error. Needs no network once its lock is installed.

What antsibull-docs' own linter says of the pages, the session docs-check of the suite's gates tells."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zlib

from .project import ROOT, ToolError, link_collection
from .pythons import newest_core
from .venv import ensure_venv, venv_environment

PREVIEW = ROOT / "docs" / "preview"
NAME = "vaultfleet.aws"
ANSIBLE = "https://docs.ansible.com/projects/ansible/devel/"
# What generated pages refer to of Ansible's own documentation. Its inventory would have to be fetched at each build.
ELSEWHERE = {
    "std:label": {
        "action_plugins": "plugins/action.html#action-plugins",
        "ansible_collections.ansible.builtin.template_module": "collections/ansible/builtin/template_module.html",
        "ansible_collections.community.hashi_vault.vault_login_module": (
            "collections/community/hashi_vault/vault_login_module.html"
        ),
        "ansible_configuration_settings": "reference_appendices/config.html#ansible-configuration-settings",
        "callback_plugins": "plugins/callback.html#callback-plugins",
        "common_return_values": "reference_appendices/common_return_values.html#common-return-values",
    },
    "std:envvar": {
        name: f"reference_appendices/config.html#envvar-{name}"
        for name in ("ANSIBLE_CALLBACKS_ENABLED", "ANSIBLE_DEBUG", "ANSIBLE_DISPLAY_ARGS_TO_STDOUT")
    },
}


def main() -> int:
    """Build the site, print where it is; returns the exit code."""
    try:
        environment = venv_environment(ensure_venv("docs", newest_core()[1]))
        link_collection()
        _prepare(environment)
        _run(
            "antsibull-docs --config-file antsibull-docs.cfg collection --cleanup everything --fail-on-error"
            " --use-current --squash-hierarchy --dest-dir rst",
            NAME,
            environment=environment,
        )
        site = PREVIEW / "build" / "html"
        _run(
            "sphinx-build --builder html --fail-on-warning --keep-going --quiet -c . rst",
            str(site),
            environment=environment,
        )
    except (ToolError, OSError) as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 1
    print(f"The site is in {site.relative_to(ROOT)}: open {site.relative_to(ROOT) / 'index.html'}")
    return 0


def _prepare(environment: dict[str, str]) -> None:
    """A fresh folder with antsibull-docs' settings, which look nothing up in the network."""
    shutil.rmtree(PREVIEW, ignore_errors=True)
    # antsibull-docs wants folders that nobody else can write to.
    for folder in (PREVIEW, PREVIEW / "rst"):
        folder.mkdir(mode=0o700)
    _run(
        "antsibull-docs sphinx-init --use-current --squash-hierarchy --lenient --fail-on-error",
        f"--project={NAME}",
        "--copyright=vaultfleet.aws contributors",
        f"--title={NAME}",
        "--dest-dir=.",
        NAME,
        environment=environment,
    )
    inventory = PREVIEW / "elsewhere.inv"
    inventory.write_bytes(_inventory())
    with (PREVIEW / "conf.py").open("a", encoding="utf-8") as settings:
        settings.write(f"\nintersphinx_mapping = {{'ansible': ({ANSIBLE!r}, {str(inventory)!r})}}\n")
    # Guides name pictures as they stand in the repository, where code hosts show both.
    shutil.copytree(ROOT / "docs" / "images", PREVIEW / "images")
    # The collection's own index is the start page.
    (PREVIEW / "rst" / "index.rst").unlink()


def _inventory() -> bytes:
    """Sphinx's inventory, version 2, of ELSEWHERE."""
    header = "# Sphinx inventory version 2\n# Project: ansible\n# Version: \n# The remainder is compressed with zlib.\n"
    lines = [
        f"{name} {kind} -1 {place} {name if kind == 'std:label' else '-'}\n"
        for kind, places in ELSEWHERE.items()
        for name, place in places.items()
    ]
    return header.encode() + zlib.compress("".join(lines).encode())


def _run(command: str, *arguments: str, environment: dict[str, str]) -> None:
    directory = PREVIEW if PREVIEW.is_dir() else ROOT
    done = subprocess.run(
        [*command.split(), *arguments],
        cwd=directory,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        print(done.stdout, end="", file=sys.stderr)
        raise ToolError(f"{command.split()[0]} found something: see the lines above")


if __name__ == "__main__":
    sys.exit(main())
