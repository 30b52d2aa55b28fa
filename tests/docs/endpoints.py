# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which STS host a login is signed for, by the code that chooses it."""

from __future__ import annotations

from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.endpoints import sts_target

REGIONS = {None: "aws", "eu-central-1": "aws", "us-gov-west-1": "aws-us-gov", "cn-north-1": "aws-cn"}


def table() -> str:
    """A list-table with a row for each of REGIONS."""
    lines = [
        ".. list-table::",
        "   :header-rows: 1",
        "",
        "   * - ``region``",
        "     - STS host",
        "     - Principal in the Vault role",
    ]
    for region, partition in REGIONS.items():
        lines += [
            f"   * - {f'``{region}``' if region else '(none)'}",
            f"     - ``{sts_target(region, 'auto').host}``",
            f"     - ``arn:{partition}:iam::123456789012:role/app``",
        ]
    return "\n".join(lines)
