# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A hundred templates: one read of each secret, less than a second, and little memory."""

from __future__ import annotations

import os
import time
from pathlib import Path

from tests.live.agent.agents import Agents
from tests.live.agent.process import Agent
from tests.live.agent.templates.engines import Engines

COUNT = 100
SECRETS = 20
MOST_MEMORY = 12.0  # MiB, beyond an agent without templates
MOST_TIME = 1.0  # seconds of the processor, which is what a busy machine leaves alone; for all that templates add


def test_a_hundred_templates(agents: Agents, engines: Engines) -> None:
    """Each uses five of twenty secrets, so that without sharing there would be 500 reads."""
    for number in range(SECRETS):
        engines.put(f"many-{number}", word=f"word{number}", text="x" * 200)
    plain = engines.agent(agents, "plain", [])
    plain.write(jinja_template=[])
    plain.start()
    plain.serves()
    agent = engines.agent(agents, "many", [], template_config={"static_secret_render_interval": "10s"})
    agent.write(
        jinja_template=[
            {
                "contents": "".join(
                    f"{{{{ secret('{engines.kv2}/data/many-{(number + step) % SECRETS}').data.word }}}}\n"
                    for step in range(5)
                ),
                "destination": str(agent.folder / f"file-{number}"),
            }
            for number in range(COUNT)
        ]
    )
    agent.start()
    files = [agent.folder / f"file-{number}" for number in range(COUNT)]
    agent.until(lambda: all(file.exists() for file in files))
    reads = [agent.uses(f"{engines.kv2}/data/many-{number}") for number in range(SECRETS)]
    assert [len(one) for one in reads] == [1] * SECRETS
    assert files[98].read_text(encoding="utf-8") == "word18\nword19\nword0\nword1\nword2\n"
    took = max(file.stat().st_mtime for file in files) - min(one[0] for one in reads)
    worked = processor(agent) - processor(plain)
    time.sleep(13)
    reads = [agent.uses(f"{engines.kv2}/data/many-{number}") for number in range(SECRETS)]
    assert [len(one) for one in reads] == [2] * SECRETS
    more = memory(agent) - memory(plain)
    print(f"{COUNT} templates: {took:.2f} s with {SECRETS} reads, {worked:.2f} s of the processor, {more:.1f} MiB")
    assert worked < MOST_TIME
    assert more < MOST_MEMORY


def memory(agent: Agent) -> float:
    """The agent's own share of memory, in MiB (proc(5), smaps_rollup: Pss)."""
    assert agent.process is not None
    for line in Path(f"/proc/{agent.process.pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("no Pss")


def processor(agent: Agent) -> float:
    """Seconds of the processor that the agent has had (proc(5), stat: utime and stime)."""
    assert agent.process is not None
    fields = Path(f"/proc/{agent.process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
