# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The firewall rules of the guide on the metadata service: in a network of their own, with a service at its address."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.docs.blocks import of_kind
from tests.fleet import packages

# A user that every Debian machine has stands for the agent's.
AGENT = "daemon"
SCRIPT = """
ask() { setpriv --reuid="$1" --clear-groups timeout 5 bash -c 'exec 3<>/dev/tcp/169.254.169.254/80' 2>/dev/null; }
ip link set lo up
ip address add 169.254.169.254/32 dev lo
systemd-socket-activate --listen=169.254.169.254:80 --accept /bin/true 2>/dev/null &
trap "kill $!" EXIT
for _try in $(seq 100); do ask root && break; sleep 0.05; done
RULES
for user in root daemon nobody; do
    if ask "$user"; then echo "$user may"; else echo "$user may not"; fi
done
"""


@pytest.mark.parametrize("kind", ["nft", "iptables"])
def test_rule(kind: str) -> None:
    packages.ensure()
    [block] = of_kind(kind)
    text = re.sub(r"\bvault-agent\b", AGENT, block.text)
    rules = text if kind == "iptables" else f"nft --file - <<'EOF'\n{text}EOF"
    before, after = asked(""), asked(rules)
    assert before == ["root may", f"{AGENT} may", "nobody may"]
    assert after == ["root may", f"{AGENT} may", "nobody may not"]


def asked(rules: str) -> list[str]:
    """Who may ask the metadata service under these rules."""
    script = SCRIPT.replace("RULES", rules)
    command = ["unshare", "--net", "bash", "-eu", "-c", script]
    done = subprocess.run(command, capture_output=True, check=False, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()
