# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A fleet on simulated time: the agent's lifecycle, and Vault Agent's algorithm for comparison.

Each agent of ours is ``plugins/module_utils/_agent/lifecycle.py`` itself; only its runner is replaced, by an event heap
and a simulated server. ``python -m tests.simulation`` runs every scenario and prints a table.

What the model leaves out: packet loss and slow networks (an answer takes 5 to 25 ms and its time in the server's
queue), time-outs of requests (a server that is away refuses at once), clock steps, restarts of agents while the server
is away, several Vault nodes, quotas by client, AWS's own limits, and all work of sinks. An agent has no sink here. The
server works through one queue; ten seconds of it are the most that it lets build up, the rest gets 503.
"""

from __future__ import annotations
