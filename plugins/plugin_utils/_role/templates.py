# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role's templates: read from the controller's files, and as the agent's configuration has them.

What they say is judged by the agent's own code, as all else.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.templates.settings import Template

Problem = t.Callable[[str, str, str], str]

_PERMS = "0640"  # the group is the agent's own, and has the readers
_OF_HOST = ("on_change_units", "source")  # what the agent's configuration has no use for
_INDEX = re.compile(r"jinja_template(?:\[(\d+)\])?(?:\.(.+))?")


def with_contents(given: t.Any, read: t.Callable[[str], str | None], problem: Problem) -> tuple[t.Any, list[str]]:
    """Return the variable ``given`` with the contents of each source beside it, and what is wrong.

    read: the text of a file of the controller by what the user calls it, None if it cannot be read. problem: makes a
    line of the variable's name, what is wrong, and what to do.
    """
    found, problems = [], []
    for number, template in enumerate(given if isinstance(given, list) else []):
        name = template.get("source") if isinstance(template, dict) else None
        if name is None:
            found.append(template)
            continue
        place = f"templates[{number}]"
        if "contents" in template:
            problems.append(problem(f"{place}.contents", "is given together with source", "keep one of them"))
        text = read(name) if isinstance(name, str) and name else None
        if text is None:
            shown = repr(name)[:200]
            hint = "give a template beside the playbook, in its folder templates, or by its whole path, in UTF-8"
            problems.append(problem(f"{place}.source", f"there is no file {shown} on the controller", hint))
        found.append({**template, "contents": text or ""})
    return (found if isinstance(given, list) else given), problems


def wished(given: t.Any, owner: str, problems: list[str], problem: Problem) -> list[dict[str, t.Any]]:
    """Return the templates as the agent is to judge them; ``problems`` gets what it knows nothing of. owner: the form
    of a user's or a group's name, which only the host knows.
    """
    if given is None:
        return []
    if not isinstance(given, list) or not all(isinstance(template, dict) for template in given):
        problems.append(problem("templates", "is not a list of mappings", "give a list of source, destination, ..."))
        return []
    for number, template in enumerate(given):
        for name in ("user", "group"):
            value = template.get(name)
            if value is not None and not re.fullmatch(owner, str(value), re.ASCII):
                text = f"{repr(value)[:80]} is neither name nor id"
                problems.append(problem(f"templates[{number}].{name}", text, "give one"))
    return [
        {"perms": _PERMS, **{name: value for name, value in template.items() if name != "source" and value is not None}}
        for template in given
    ]


def variable(key: str, given: t.Any) -> str:
    """The option at ``key`` of the agent's configuration, "" if it is none of a template's."""
    if key.startswith("template_config"):
        return "static_secret_render_interval"
    found = _INDEX.fullmatch(key)
    if not found:
        return ""
    number, rest = int(found[1] or 0), found[2]
    if rest == "contents" and "source" in given[number]:
        rest = "source"
    return f"templates[{number}]" + (f".{rest}" if rest else "")


def configured(wishes: t.Sequence[t.Mapping[str, t.Any]], judged: t.Sequence[Template]) -> list[dict[str, t.Any]]:
    """The templates in the agent's configuration."""
    return [
        {
            **{name: value for name, value in wish.items() if name not in _OF_HOST},
            "destination": template.place.path,
            "perms": f"{template.place.mode:04o}",
        }
        for wish, template in zip(wishes, judged)
    ]


def rendered(wishes: t.Sequence[t.Mapping[str, t.Any]], judged: t.Sequence[Template]) -> list[dict[str, t.Any]]:
    """What the host has to know of each file: path, owner and group (None for the agent's own)."""
    return [
        {"path": template.place.path, "owner": wish.get("user"), "group": wish.get("group")}
        for wish, template in zip(wishes, judged)
    ]


def reloads(judged: t.Sequence[Template]) -> list[dict[str, t.Any]]:
    """What is reloaded when a file changes: the template's number, the file's path, the units."""
    return [
        {"number": number, "path": template.place.path, "units": list(template.units)}
        for number, template in enumerate(judged)
        if template.units
    ]
