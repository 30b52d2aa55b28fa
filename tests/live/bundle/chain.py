# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run by a Python of a host, with a bundle: asks botocore's chain once for each case, and prints what it found.

Argument: the folder of libraries. Standard input: the cases, by name, each with the environment and the options
of the login. Only the bundle and the standard library are in reach, as with the bundle's own program.
"""

import json
import os
import sys

LIBRARY = os.path.dirname(os.__file__)  # noqa: PTH120
sys.path[:] = [sys.argv[1], LIBRARY, os.path.join(LIBRARY, "lib-dynload")]  # noqa: PTH118
sys.dont_write_bytecode = True

from vaultfleet_agent._auth import config, credentials, endpoints  # type: ignore[import-not-found]

found = {}
for name, (environment, options) in json.load(sys.stdin).items():
    os.environ.clear()
    os.environ.update(environment)
    login = config.LoginConfig.from_options({"type": "iam", "role": "web", **options})
    keys = credentials.find_credentials(login, "eu-central-1")
    found[name] = [keys.provider, keys.access_key]
hosts = [endpoints.sts_target(region, "auto").host for region in ("us-east-1", "eu-central-1", "cn-north-1")]
files = [getattr(module, "__file__", None) for module in sys.modules.values()]
foreign = [file for file in files if file and not file.startswith((sys.argv[1], LIBRARY, __file__))]
json.dump({"found": found, "hosts": hosts, "foreign": foreign}, sys.stdout)
