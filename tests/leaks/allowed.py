# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What may hold a secret, as a user asked for it. Whatever is not listed here may not."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .canaries import KINDS, NONCE, PRIVATE_KEY, SECRET_KEY, SESSION_TOKEN, TEMPLATE_SECRET, TOKEN, WRAPPING_TOKEN
from .evidence import ENVIRONMENT, HOST_DISK, HOST_MEMORY, HOST_OPEN, HOST_TREE, LEFT, STDOUT, TEMPORARY, Found


@dataclass(frozen=True)
class Allowed:
    """Secrets of ``kinds`` may be in ``place``, where the label fits ``label``, on ``path``."""

    path: str
    place: str
    label: str
    kinds: tuple[str, ...]
    reason: str

    def fits(self, path: str, found: Found) -> bool:
        """Whether it allows that."""
        return (
            path == self.path
            and found.place == self.place
            and found.canary.kind in self.kinds
            and re.fullmatch(self.label, found.label) is not None
        )


LIST = (
    Allowed("module", LEFT, "/sink", (TOKEN,), "the sink that the task names"),
    Allowed("examples", LEFT, "/app/(token|iam-token|ec2-token)", (TOKEN,), "the sinks of the examples"),
    Allowed("examples", LEFT, "/app/nonce", (NONCE,), "the example's own nonce, where its lookup keeps it"),
    Allowed("examples", LEFT, "/app/app.ini", (TEMPLATE_SECRET,), "the settings that the example writes"),
    Allowed(
        "examples",
        TEMPORARY,
        "home/.ansible/tmp/.*/app.ini.j2",
        (TEMPLATE_SECRET,),
        "the settings that the example writes, on their way through Ansible's own template module",
    ),
    Allowed("bundle", ENVIRONMENT, ".*", KINDS, "keys and tokens that the user has in the environment"),
    Allowed("agent", LEFT, "/agents/[^/]+/token", (TOKEN,), "plain sinks"),
    Allowed("agent", LEFT, "/agents/[^/]+/wrapped", (WRAPPING_TOKEN,), "a wrapped sink"),
    Allowed("agent", LEFT, "/agents/[^/]+/rendered", (TEMPLATE_SECRET,), "a rendered file"),
    Allowed("agent", LEFT, "/agents/[^/]+/private.json", (PRIVATE_KEY,), "the private key that keygen is asked for"),
    Allowed("agent", LEFT, "/agents/[^/]+/agent.json", (NONCE,), "a configuration in which the user gives a nonce"),
    Allowed("command", STDOUT, "token on stdout", (TOKEN, WRAPPING_TOKEN), "what the command is for"),
    Allowed("command", LEFT, "/home/.vault-token", (TOKEN,), "--store"),
    Allowed("command", TEMPORARY, "home/.vault-token", (TOKEN,), "--store, as seen while it went on"),
    Allowed("command", LEFT, "/private.json", (PRIVATE_KEY,), "the private key that keygen is asked for"),
    Allowed("command", ENVIRONMENT, ".*", (SECRET_KEY, SESSION_TOKEN), "AWS keys that the user has in the environment"),
    Allowed(
        "role",
        HOST_TREE,
        r"\w+:/etc/vault-agent/hunt.credentials/(aws-credentials|nonce)",
        (NONCE, SECRET_KEY, SESSION_TOKEN),
        "keys and nonces that the user gives the role, in files of root's that systemd hands over",
    ),
    Allowed(
        "role",
        HOST_DISK,
        r"\w+: /etc/vault-agent/hunt.credentials/(aws-credentials|nonce)",
        (NONCE, SECRET_KEY, SESSION_TOKEN),
        "the same files, on the disk",
    ),
    Allowed(
        "role",
        HOST_MEMORY,
        r"\w+:/run/(hunt/token|module-sink)",
        (TOKEN,),
        "plain sinks of the agent and of the module, in memory",
    ),
    Allowed("role", HOST_MEMORY, r"\w+:/run/hunt/wrapped", (WRAPPING_TOKEN,), "a wrapped sink, in memory"),
    Allowed("role", HOST_MEMORY, r"\w+:/run/hunt/app.conf", (TEMPLATE_SECRET,), "a rendered file, in memory"),
    Allowed(
        "role",
        HOST_OPEN,
        r"\w+: /memfd:vaultfleet",
        (NONCE, TOKEN, WRAPPING_TOKEN),
        "what systemd holds in memory for the agent, over its restarts",
    ),
)


def sort(path: str, found: list[Found]) -> tuple[list[Found], dict[Allowed, int]]:
    """What nobody asked for, and how often each entry allowed something."""
    counts = {entry: 0 for entry in LIST if entry.path == path}
    leaks = []
    for one in found:
        entry = next((entry for entry in counts if entry.fits(path, one)), None)
        if entry is None:
            leaks.append(one)
        else:
            counts[entry] += 1
    return leaks, counts
