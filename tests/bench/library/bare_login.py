# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The least that a module with botocore and hvac can be: their imports and one login, nothing judged, nothing kept.

It shows how much of the others' time is theirs. (hvac signs here; botocore's signer takes no longer.)
"""

from __future__ import annotations

import botocore.auth
import botocore.awsrequest  # noqa: F401 - what signing with botocore takes
import hvac
from ansible.module_utils.basic import AnsibleModule


def main() -> None:
    """The module."""
    module = AnsibleModule({"variables": {"type": "dict", "required": True, "no_log": True}})
    given = module.params["variables"]
    client = hvac.Client(url=given["url"], verify=given["ca_cert"])
    client.auth.aws.iam_login(given["access_key"], given["secret_key"], header_value=given["server_id"], role="web")
    module.exit_json(changed=True)


if __name__ == "__main__":
    main()
