# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The list of parts."""

from __future__ import annotations

import json

import pytest

from ansible_collections.vaultfleet.aws.plugins.plugin_utils._bundle import sbom
from ansible_collections.vaultfleet.aws.plugins.plugin_utils._bundle.pins import Pin

ONE = Pin("one", "1.0", "0" * 64)


def test_components() -> None:
    """Sorted; each with name, version, purl, hash and licence."""
    two = Pin("two", "2.0", "1" * 64)
    made = json.loads(sbom.render("0.1.0", {two: b"License: MIT\n", ONE: b"License-Expression: MIT\n"}))
    assert (made["bomFormat"], made["specVersion"]) == ("CycloneDX", "1.6")
    assert made["metadata"]["component"]["version"] == "0.1.0"
    assert [component["name"] for component in made["components"]] == ["one", "two"]
    assert made["components"][1] == {
        "type": "library",
        "bom-ref": "pkg:pypi/two@2.0",
        "name": "two",
        "version": "2.0",
        "purl": "pkg:pypi/two@2.0",
        "hashes": [{"alg": "SHA-256", "content": "1" * 64}],
        "licenses": [{"license": {"name": "MIT"}}],
    }


@pytest.mark.parametrize(
    ("metadata", "license_of"),
    [
        (b"License-Expression: BSD-3-Clause\nLicense: other\n", {"expression": "BSD-3-Clause"}),
        (b"License: Apache License 2.0\n", {"license": {"name": "Apache License 2.0"}}),
        (b"License: " + b"x" * 200 + b"\nClassifier: License :: OSI Approved :: MIT License\n",
         {"license": {"name": "MIT License"}}),
        (b"License: a\n  whole text\nClassifier: License :: Public Domain\n", {"license": {"name": "Public Domain"}}),
        (b"Classifier: Topic :: Internet\n\nLicense: in the body\n", {"license": {"name": "unknown: see its files"}}),
        (b"", {"license": {"name": "unknown: see its files"}}),
    ],
)  # fmt: skip
def test_license(metadata: bytes, license_of: object) -> None:
    [component] = json.loads(sbom.render("0.1.0", {ONE: metadata}))["components"]
    assert component["licenses"] == [license_of]
