# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host's plan has to agree on with others: the other hosts of the play, and agents planned before."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleError

from ansible_collections.vaultfleet.aws.plugins.module_utils._role.look import clash

from .plan import PREFIX, Plan

NONCE = f"{PREFIX}nonce"
NEAR = 20  # hosts

Logins = t.Mapping[str, t.Mapping[str, str]]


class Templar(t.Protocol):
    """The part of Ansible's templar that is needed here."""

    def copy_with_new_env(self, available_variables: t.Mapping[str, t.Any]) -> Templar:
        """Return one that knows other variables."""

    def template(self, variable: t.Any) -> t.Any:
        """Return the value of a template."""


def refused_for(plan: Plan, earlier: Logins) -> list[str]:
    """Why the agent cannot be on one host with those that this run has planned there before: name -> login."""
    if plan.login.get("type") != "ec2":
        return []
    return [clash(name) for name, login in earlier.items() if name != plan.name and login == plan.login]


def planned(plan: Plan, earlier: Logins) -> dict[str, t.Mapping[str, str]]:
    """``earlier`` as it is after this plan."""
    others = {name: login for name, login in earlier.items() if name != plan.name}
    return {**others, plan.name: plan.login} if plan.state == "present" else others


def shared_nonce(nonce: str, variables: t.Mapping[str, t.Any], templar: Templar) -> list[str]:
    """Why the host cannot have this nonce: others of the play have it as well. variables: the task's, not templated.

    Hosts of later batches (``serial``) are asked too, although nothing has been planned for them yet.
    """
    me = variables["inventory_hostname"]
    own = variables["hostvars"].raw_get(me)
    having = {nonce: [me]}
    for host in _asked(me, variables["ansible_play_hosts_all"], variables["ansible_play_batch"]):
        theirs = _nonce_of(host, own, variables, templar)
        if theirs is not None:
            having.setdefault(theirs, []).append(host)
    same = next((hosts for hosts in having.values() if len(hosts) > 1), [])
    if not same:
        return []
    others = [host for host in same if host != me]
    shown = ", ".join(others[:3]) + (f" and {len(others) - 3} more" if len(others) > 3 else "")
    hint = "give each host its own, or none: the agent then makes one, and keeps it over restarts"
    return [f"{NONCE}: {shown} of this play would have the same one -- {hint}"]


def _asked(me: str, everybody: t.Sequence[str], batch: t.Sequence[str]) -> list[str]:
    """The hosts that ``me`` compares with: the batch's first with all, others with the next few after them.

    If each did with all, a play of a thousand hosts would evaluate a million nonces.
    """
    place = everybody.index(me)
    others = [*everybody[place + 1 :], *everybody[:place]]
    return others if me == batch[0] else others[:NEAR]


def _nonce_of(host: str, own: t.Mapping[str, t.Any], variables: t.Mapping[str, t.Any], templar: Templar) -> str | None:
    """What the nonce of another host is going to be; None if there is none, or nobody can tell yet."""
    theirs = variables["hostvars"].raw_get(host)
    shared = {name: value for name, value in variables.items() if _is_the_plays(name, value, own)}
    context = {**theirs, **shared}
    try:
        value = templar.copy_with_new_env(available_variables=context).template(context.get(NONCE))
    except AnsibleError:
        return None
    return value if isinstance(value, str) else None


def _is_the_plays(name: str, value: t.Any, own: t.Mapping[str, t.Any]) -> bool:
    """Whether the play, the role or the task gave a variable its value, which then is the same template for all."""
    # Facts and the like are of the host, and made anew each time.
    return name not in own or not (isinstance(value, t.Mapping) or own[name] == value)
