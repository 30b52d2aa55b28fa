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
    hosts = [host for host in variables["ansible_play_hosts_all"] if host != variables["inventory_hostname"]]
    own = variables["hostvars"].raw_get(variables["inventory_hostname"])
    same = [host for host in hosts if _nonce_of(host, own, variables, templar) == nonce]
    if not same:
        return []
    shown = ", ".join(same[:3]) + (f" and {len(same) - 3} more" if len(same) > 3 else "")
    hint = "give each host its own, or none: the agent then makes one, and keeps it over restarts"
    return [f"{NONCE}: {shown} of this play would have the same one -- {hint}"]


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
