# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The list of a bundle's parts, as CycloneDX: for programs that look for known weaknesses and for licences."""

from __future__ import annotations

import email.parser
import json
import typing as t

from ansible_collections.vaultfleet.aws.plugins.plugin_utils._bundle.pins import Pin

_LONGEST_NAME = 80  # characters; older packages put the whole text of their licence there


def render(version: str, metadata: t.Mapping[Pin, bytes]) -> bytes:
    """Return the list, without a time, so that it is the same again. metadata: the METADATA of each package."""
    document = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": "vaultfleet-agent",
                "name": "vaultfleet-agent",
                "version": version,
                "licenses": [{"license": {"id": "GPL-3.0-or-later"}}],
            }
        },
        "components": [_component(pin, metadata[pin]) for pin in sorted(metadata, key=lambda pin: pin.name)],
        "dependencies": [
            {"ref": "vaultfleet-agent", "dependsOn": sorted(_purl(pin) for pin in metadata)},
        ],
    }
    return (json.dumps(document, indent=1) + "\n").encode()


def _component(pin: Pin, metadata: bytes) -> dict[str, t.Any]:
    return {
        "type": "library",
        "bom-ref": _purl(pin),
        "name": pin.name,
        "version": pin.version,
        "purl": _purl(pin),
        "hashes": [{"alg": "SHA-256", "content": pin.sha256}],
        "licenses": [_license(metadata)],
    }


def _purl(pin: Pin) -> str:
    return f"pkg:pypi/{pin.name}@{pin.version}"


def _license(metadata: bytes) -> dict[str, t.Any]:
    said = email.parser.BytesParser().parsebytes(metadata, headersonly=True)
    expression = said.get("License-Expression")
    if expression:
        return {"expression": expression}
    name = said.get("License") or ""
    if not name or "\n" in name or len(name) > _LONGEST_NAME:
        classifiers = [one for one in said.get_all("Classifier") or [] if one.startswith("License ::")]
        name = classifiers[0].rpartition(" :: ")[2] if classifiers else "unknown: see its files"
    return {"license": {"name": name}}
