# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Our own hot paths as programs: each prints as JSON what it measured, or runs under cProfile."""

from __future__ import annotations

from .imports import AUTH, CORE, LIBRARIES

COLLECTION = "ansible_collections.vaultfleet.aws.plugins"
MODULE = f"{COLLECTION}.modules.aws_vault_login"
# Processes, each with what the one before it has and a bit more: what a task's module on the host is made of.
STEPS = {
    "an empty Python": "pass",
    "and Ansible's support for modules": "import ansible.module_utils.basic",
    "and botocore, hvac": f"import ansible.module_utils.basic; {LIBRARIES}",
    "and our module": f"import ansible.module_utils.basic; {LIBRARIES}; import {MODULE}",
}
# The controller's part before a module runs: to collect what it imports, and to pack it.
PAYLOAD = """
import json, sys, time
from ansible.executor.module_common import modify_module
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader, module_loader
from ansible.template import Templar
init_plugin_loader()
templar = Templar(loader=DataLoader())
name = sys.argv[1]
path = module_loader.find_plugin_with_context(name).plugin_resolved_path
start = time.perf_counter()
made = modify_module(
    module_name=name, module_path=path, module_args={}, templar=templar,
    task_vars={"ansible_python_interpreter": sys.executable}, module_compression="ZIP_DEFLATED",
)
print(json.dumps([time.perf_counter() - start, len(made.b_module_data)]))
"""
_WISH = f"""
import os
{CORE}
from {AUTH}.config import LoginConfig, VaultConnection
from {AUTH}.login import log_in
from {AUTH}.vault import Vault
connection = VaultConnection.from_options({{"url": os.environ["VAULT_ADDR"], "ca_cert": os.environ["VAULT_CACERT"]}})
header = os.environ["VAULTFLEET_AWS_HEADER_VALUE"]
config = LoginConfig.from_options({{"type": "iam", "role": "web", "header_value": header}})
"""
_LOOKUP = """
from ansible.plugins.loader import init_plugin_loader, lookup_loader
init_plugin_loader()
plugin = lookup_loader.get("vaultfleet.aws.vault_aws_token")
plugin.run([], variables={}, role="web")
"""
# What is run before the profiler, and what under it so many times.
PROFILED = {
    "a login in a loaded process": (_WISH, 'log_in(config, Vault(connection, "bench"))', 20),
    "a hit in a loaded process": (_LOOKUP, 'plugin.run([], variables={}, role="web")', 500),
}
# Both count seconds of a processor: what waits for an answer costs nothing here.
UNDER_PROFILER = """
{before}
import cProfile, sys, time
def work():
    for _again in range({times}):
        {statement}
profile = cProfile.Profile(time.process_time)
profile.runcall(work)
profile.dump_stats(sys.argv[1])
"""
PROFILER = """
import cProfile, runpy, sys, time
file, module = sys.argv[1:3]
sys.argv[:3] = [module]
profile = cProfile.Profile(time.process_time)
try:
    profile.runcall(runpy.run_module, module, run_name="__main__", alter_sys=True)
finally:
    profile.dump_stats(file)
"""
