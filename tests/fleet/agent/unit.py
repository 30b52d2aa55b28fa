# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The agent's unit: all the hardening that it bears, a store that outlives everything but the machine, no giving up."""

from __future__ import annotations

import typing as t

from tests.fleet.library import PYTHONPATH

PACKAGE = "ansible_collections.vaultfleet.aws.plugins.module_utils._agent"

UNIT = """
[Unit]
Description=Vault token of {name}
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
ExecStart=/usr/bin/python3 -m {package} run --config /etc/vault-agent/{name}.json --name {name}
ExecReload=/bin/kill -HUP $MAINPID
User={name}
Group={name}
Environment=PYTHONPATH={path}
Environment=PYTHONDONTWRITEBYTECODE=1
Restart=always
RestartSec=100ms
TimeoutStartSec=infinity
TimeoutStopSec=15
WatchdogSec=30
WatchdogSignal=SIGKILL
FileDescriptorStoreMax=8
FileDescriptorStorePreserve=yes
RuntimeDirectory={name}
RuntimeDirectoryMode=0755
RuntimeDirectoryPreserve=yes

UMask=0077
LimitCORE=0
MemorySwapMax=0
CapabilityBoundingSet=
AmbientCapabilities=
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
PrivateUsers=yes
PrivateIPC=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
ProcSubset=pid
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
RemoveIPC=yes
KeyringMode=private
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
{more}

[Install]
WantedBy=multi-user.target
"""

# What sinks of other groups take, and sinks of other users (which the agent must be able to read by their group).
OTHER_GROUPS = ("PrivateUsers=no", "SystemCallFilter=@chown")
_CAPABILITIES = "CAP_CHOWN CAP_FOWNER"
OTHER_OWNERS = (*OTHER_GROUPS, f"CapabilityBoundingSet={_CAPABILITIES}", f"AmbientCapabilities={_CAPABILITIES}")


def text(name: str, more: t.Sequence[str] = ()) -> str:
    """The unit of the agent ``name``, its user and group. more: further settings of the service, which win."""
    return UNIT.format(name=name, package=f"{PACKAGE}.cli", path=PYTHONPATH, more="\n".join(more))
